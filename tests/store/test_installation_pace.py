"""What was learnt of a gateway's pace is kept for each account, and the last word counts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from kavenegar_campaigns.store import installation
from kavenegar_campaigns.store.installation import RememberedPace
from tests.store.given import NOW

KNOWN = RememberedPace(rate=9.7, refused=10.400000000000002, at=NOW)


def test_of_an_account_that_nobody_knows_nothing_is_remembered(connection: Connection) -> None:
    installation.remember_pace(connection, "one", KNOWN)
    assert installation.recall_pace(connection, "another") is None


def test_what_is_remembered_comes_back_to_the_last_digit(connection: Connection) -> None:
    installation.remember_pace(connection, "one", KNOWN)
    assert installation.recall_pace(connection, "one") == KNOWN


def test_the_last_word_counts_also_where_it_takes_something_back(connection: Connection) -> None:
    later = RememberedPace(rate=38.5, refused=None, at=NOW + timedelta(hours=1))
    installation.remember_pace(connection, "other", KNOWN)
    installation.remember_pace(connection, "one", KNOWN)
    installation.remember_pace(connection, "one", later)
    assert (installation.recall_pace(connection, "one"), installation.recall_pace(connection, "other")) == (
        later,
        KNOWN,
    )


def test_a_new_key_knows_what_the_last_one_of_the_same_address_was_taught(connection: Connection) -> None:
    older = RememberedPace(rate=3, refused=4, at=NOW - timedelta(hours=1))
    installation.remember_pace(connection, "office-older", older)
    installation.remember_pace(connection, "office-old", KNOWN)
    installation.remember_pace(
        connection, "warehouse-other", RememberedPace(rate=50, refused=None, at=NOW + timedelta(hours=1))
    )
    assert installation.recall_pace(connection, "office-new") == KNOWN
    assert installation.recall_pace(connection, "office-older") == older
    assert installation.recall_pace(connection, "nowhere-new") is None


def test_what_was_written_down_before_labels_told_the_address_is_known(connection: Connection) -> None:
    installation.remember_pace(connection, "0a1b2c", KNOWN)
    assert installation.recall_pace(connection, "office-0a1b2c") == KNOWN
