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


def test_a_new_key_knows_what_the_last_one_of_the_same_address_was_taught(connection: Connection) -> None:
    older = Remembered(rate=3, refused=4, at=NOW - timedelta(hours=1))
    pace.remember(connection, "office-older", older)
    pace.remember(connection, "office-old", KNOWN)
    pace.remember(connection, "warehouse-other", Remembered(rate=50, refused=None, at=NOW + timedelta(hours=1)))
    assert pace.recall(connection, "office-new") == KNOWN
    assert pace.recall(connection, "office-older") == older
    assert pace.recall(connection, "nowhere-new") is None


def test_what_was_written_down_before_labels_told_the_address_is_known(connection: Connection) -> None:
    pace.remember(connection, "0a1b2c", KNOWN)
    assert pace.recall(connection, "office-0a1b2c") == KNOWN
