"""`campaigns migrate` on a database that is at work: what it says, and what it ends with."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.store.migrate import ADOPTED, upgrade
from tests.store.upgrades.conftest import reading
from tests.store.upgrades.old_data import fill
from tests.store.upgrades.old_workers import OldWorkers
from tests.worker.conftest import Command

OLDER = ("0001", "0002", "0003")
BESIDE_WORKERS = "0005_2"
"""Up to here an upgrade takes nothing away from the workers of the versions before."""


def _made_old(engine: Engine, revision: str) -> tuple[str, list[int]]:
    """The database as that revision left it, with a running campaign: its URL, and the batches that are to be sent."""
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA sms CASCADE"))
    upgrade(engine, revision=revision)
    _, batches = fill(engine, batches=6, sent=1)
    return engine.url.render_as_string(hide_password=False), batches[1:]


@pytest.mark.parametrize("revision", OLDER)
def test_where_a_reader_does_not_end_it_says_who_that_is_and_the_next_run_goes_on_from_there(
    command: Command, engine: Engine, revision: str
) -> None:
    url, batches = _made_old(engine, revision)
    with OldWorkers(url, batches) as workers:
        with reading(url, application="nightly report") as reader:
            said = command("migrate", "--wait", "2s")
            workers.until_more(1)
        upgrade(engine, revision=BESIDE_WORKERS)
        workers.until_more(1)
    again = command("migrate")

    assert said.exit == 3
    named = rf'pid {reader.pid} \(application "nightly report", role \w+, its transaction has been open for \d+ s\)'
    assert re.search(f"gave way for 2 s and is not done: .*{named}", said.sentence)
    assert f"SELECT pg_terminate_backend({reader.pid}); then run the upgrade again" in said.sentence
    assert (again.exit, again.err) == (0, "")
    assert ADOPTED in again.out
    assert again.out.endswith("the tables are now those of this version\n")
    assert workers.errors == []


@pytest.mark.parametrize("typed", ["0s", "soon", "-1m"])
def test_a_wait_that_is_none_is_named(command: Command, typed: str) -> None:
    said = command("migrate", "--wait", typed)
    assert said.exit == 2
    assert "--wait" in said.sentence


def test_it_grants_a_role_the_rights_of_a_web_app_and_says_so(command: Command, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE shop_web"))
    try:
        said = command("migrate", "--grant", "shop_web")
        with engine.connect() as connection:
            may = text("SELECT has_table_privilege('shop_web', 'sms.campaigns', 'INSERT')")
            assert connection.execute(may).scalar_one()
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY shop_web"))
            connection.execute(text("DROP ROLE shop_web"))
    assert (said.exit, said.err) == (0, "")
    assert said.out.endswith("the role shop_web has the rights of the profile web on them, and no others\n")


@pytest.mark.parametrize("option", ["--grant", "--grant-worker"])
def test_a_role_that_does_not_exist_is_named_in_one_sentence(command: Command, option: str) -> None:
    said = command("migrate", option, "nobody_here")
    assert said.exit == 2
    assert "there is no role nobody_here" in said.sentence
