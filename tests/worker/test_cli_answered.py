"""What a database answers is no "cannot be reached", whatever the driver calls it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from worker.cli.door import translated
from worker.cli.exits import Exit


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.mark.parametrize(
    ("sqlstate", "sentence"),
    [
        ("40P01", "another session was in the way"),
        ("40001", "another session was in the way"),
        ("55P03", "another session was in the way"),
        ("53100", "the database's disk is full"),
        ("53200", "the database has not enough left of something"),
        ("57014", "the database took too long"),
        ("57P01", "the database cannot be reached"),
        ("08006", "the database cannot be reached"),
    ],
)
def test_an_error_of_the_database_says_what_is_wrong_and_what_to_do(
    engine: Engine, sqlstate: str, sentence: str
) -> None:
    with pytest.raises(DBAPIError) as raised, engine.begin() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE 'so it is' USING ERRCODE = '{sqlstate}'; END $$"))

    farewell = translated(raised.value)

    assert farewell.exit == Exit.UNREACHABLE
    assert farewell.sentence.startswith(sentence)
    assert "so it is" in farewell.sentence
