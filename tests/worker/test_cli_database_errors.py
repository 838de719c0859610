"""What a database answers is no "cannot be reached", whatever the driver calls it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from kavenegar_campaigns.store.failures import translate
from kavenegar_worker.cli.exits import Exit, exit_message
from tests.worker.conftest import Command


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

    message = exit_message(raised.value)

    assert message.exit == Exit.UNREACHABLE
    assert message.sentence.startswith(sentence)
    assert "so it is" in message.sentence
    assert exit_message(translate(raised.value)) == message


@pytest.mark.parametrize(
    ("sqlstate", "said", "cure"),
    [
        ("53100", "could not extend file: No space left on device", "make room on its disk"),
        ("25006", "cannot execute CREATE TABLE AS in a read-only transaction", "let DATABASE_URL lead to the primary"),
    ],
)
def test_the_doctor_says_of_a_database_that_takes_no_writes_why_and_what_to_do(
    engine: Engine, command: Command, sqlstate: str, said: str, cure: str
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(f"""
                CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE '{said}' USING ERRCODE = '{sqlstate}'; END $$
            """)
        )
        connection.execute(text("CREATE EVENT TRIGGER full_disk ON ddl_command_start EXECUTE FUNCTION public.refuse()"))
    doctor = command("doctor", "--json")
    found = next(each for each in doctor.answer["findings"] if each["name"] == "database")
    assert (doctor.exit, found["level"]) == (1, "bad")
    assert found["says"] == f"it answers, and takes no writes: {said}"
    assert found["do"].startswith(cure)


def test_the_doctor_says_of_a_database_that_lets_itself_be_read_only_that_it_takes_no_writes(
    engine: Engine, command: Command
) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on"))
    found = next(each for each in command("doctor", "--json").answer["findings"] if each["name"] == "database")
    assert "takes no writes" in found["says"]


def test_the_doctor_leaves_nothing_behind_where_it_looks_whether_writes_are_taken(
    engine: Engine, command: Command
) -> None:
    found = next(each for each in command("doctor", "--json").answer["findings"] if each["name"] == "database")
    assert (found["level"], found["says"]) == ("ok", "it answers")
    with engine.connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM pg_class WHERE relname = 'campaigns_doctor'")).scalar_one()
    assert left == 0
