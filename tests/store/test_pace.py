"""What was learnt of a gateway's pace is kept for each account, and the last word counts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from campaigns.store import pace
from campaigns.store.pace import Remembered
from tests.store.given import NOW

KNOWN = Remembered(rate=9.7, refused=10.400000000000002, at=NOW)


def test_of_an_account_that_nobody_knows_nothing_is_remembered(connection: Connection) -> None:
    pace.remember(connection, "one", KNOWN)
    assert pace.recall(connection, "another") is None


def test_what_is_remembered_comes_back_to_the_last_digit(connection: Connection) -> None:
    pace.remember(connection, "one", KNOWN)
    assert pace.recall(connection, "one") == KNOWN


def test_the_last_word_counts_also_where_it_takes_something_back(connection: Connection) -> None:
    later = Remembered(rate=38.5, refused=None, at=NOW + timedelta(hours=1))
    pace.remember(connection, "other", KNOWN)
    pace.remember(connection, "one", KNOWN)
    pace.remember(connection, "one", later)
    assert (pace.recall(connection, "one"), pace.recall(connection, "other")) == (later, KNOWN)
