"""A backup of a version that could not tell that it is one, restored and upgraded: it says what a person has to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Policy
from kavenegar_campaigns.stages import guards
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.migrate import ADOPTED, upgrade
from tests.store.upgrades.conftest import OldDatabase

LAST_TICK = timedelta(hours=13)
"""Before the upgrade. The gateway has forgotten by now what left shortly after that."""


def _tick(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.installation SET ticked_at = now() - :ago"), {"ago": LAST_TICK})


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_whoever_upgrades_an_older_database_is_told_to_say_whether_it_was_restored(
    old: Callable[[str], OldDatabase], revision: str
) -> None:
    database, said = old(revision), list[str]()
    upgrade(database.engine, report=said.append)
    assert said[-1] == ADOPTED
    said.clear()
    upgrade(database.engine, report=said.append)
    assert said == []


def test_what_may_have_left_since_a_backup_is_as_old_as_the_backup_and_not_as_the_upgrade(
    old: Callable[[str], OldDatabase],
) -> None:
    """Else the gateway would be asked as if it still knew, say that it never saw them, and get them a second time."""
    database = old("0003")
    _tick(database.engine)
    upgrade(database.engine)
    doors = Database(database.engine)
    restored = guards.accept_database(doors, Policy(), copy=False, now=doors.now())
    with database.engine.connect() as connection:
        first_sent = connection.execute(text("SELECT DISTINCT first_sent_at FROM sms.batches WHERE state = 'unknown'"))
        ticked_at = connection.execute(text("SELECT ticked_at FROM sms.installation")).scalar_one()
        assert first_sent.scalars().all() == [ticked_at]
    assert restored.lost_since == ticked_at
    assert restored.batches == len(database.batches)
