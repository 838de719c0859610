"""A key makes creating safe to repeat: the same again is the same campaign, and anything else a conflict."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import KeyConflict, LockTimeout
from tests.stages.recipients import PEOPLE, counts, make, numbers
from tests.waiting import PATIENCE_S


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def test_the_same_creation_under_the_same_key_is_the_same_campaign(engine: Engine) -> None:
    with engine.begin() as connection:
        first = make(connection, key="autumn")
    with engine.begin() as connection:
        assert make(connection, key="autumn", sender="+9810004346") == first
        assert make(connection, key="autumn", name="other", start_at=datetime(2030, 1, 1, tzinfo=UTC)) == first
        assert make(connection, key="winter") != first
        assert make(connection) != first
    assert counts(engine) == (3, 6, 9)


@pytest.mark.parametrize(
    "other",
    [
        {"text": "درود {name}"},
        {"sender": "10004347"},
        {"recipients": io.StringIO(PEOPLE.replace("مریم", "مریم ۲"))},
        {"recipients": io.StringIO(PEOPLE + "09171234567,x\n")},
        {"recipients": io.StringIO(PEOPLE.replace("دفتر\n", "دفتر\n02188776656,y\n"))},
    ],
    ids=["text", "sender", "a value", "a recipient more", "a wrong row more"],
)
def test_other_content_under_the_same_key_is_a_conflict_that_names_the_campaign(
    engine: Engine, other: dict[str, object]
) -> None:
    with engine.begin() as connection:
        first = make(connection, key="autumn")
    with engine.begin() as connection, pytest.raises(KeyConflict, match=f"belongs to campaign {first}"):
        make(connection, key="autumn", **other)
    assert counts(engine) == (1, 2, 3)


def test_two_creations_under_one_key_at_the_same_moment_make_one_campaign(engine: Engine) -> None:
    made: list[int] = []
    meet = threading.Barrier(2)

    def create_once() -> None:
        meet.wait(timeout=PATIENCE_S)
        with engine.begin() as connection:
            made.append(make(connection, numbers(2_000), text="سلام", key="autumn"))

    threads = [threading.Thread(target=create_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
    assert len(made) == 2
    assert made[0] == made[1]
    assert counts(engine) == (1, 2_000, 0)


def test_a_key_that_another_holds_for_long_is_a_lock_timeout(engine: Engine) -> None:
    with engine.begin() as holder:
        make(holder, key="autumn")
        with engine.connect() as connection:
            connection.execute(text("SET lock_timeout = '50ms'"))
            with pytest.raises(LockTimeout, match="being created at this moment"):
                make(connection, key="autumn")
    assert counts(engine) == (1, 2, 3)


def test_the_campaign_of_a_key_is_found_again_and_none_where_none_was_committed(engine: Engine) -> None:
    with engine.connect() as connection:
        lost = make(connection, key="lost")
        found = campaigns.by_key(connection, "lost")
        assert found is not None
        assert found.id == lost
        connection.rollback()
        assert campaigns.by_key(connection, "lost") is None
    with engine.begin() as connection:
        kept = make(connection, key="kept")
    with Session(engine) as session:
        again = campaigns.by_key(session, "kept")
        assert again == campaigns.get(session, kept)
        assert campaigns.by_key(session, "KEPT") is None
