"""On an engine that the caller made with SQLAlchemy's defaults: errors of the driver are ours by the time they leave.

None holds a number, a text or a code: not in its words, not in its fields, not in the variables of a frame of ours,
which Sentry shows.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import BadInput, DatabaseFailed, IllegalMove, KeyConflict, NotFound, SchemaMissing
from kavenegar_campaigns.store.failures import translate
from tests.frameworks.public_calls import ARGUMENTS, NUMBER, SENDER, TEXT, call, functions_of_a_transaction, leaks

TABLES = ("campaigns", "messages", "rejects", "batches", "otps", "inbound", "suppressions", "installation")
FINDS_NOTHING = frozenset(
    ("acknowledge", "create", "list_inbound", "by_key", "newest", "order_otp", "suppress", "suppressed", "unsuppress")
)
"""Functions that are no error where nothing is there."""
EVERY = pytest.mark.parametrize("name", sorted(ARGUMENTS))


@pytest.fixture(scope="module")
def bare(_shared: Engine) -> Iterator[Engine]:
    """The caller's engine: it shows parameters, and limits nothing. No test commits a row."""
    found = create_engine(_shared.url)
    yield found
    found.dispose()


def failed(name: str, connection: Connection, kind: type[DatabaseFailed] = DatabaseFailed) -> DatabaseFailed:
    """The error that a function ends in; it hands nothing out."""
    with pytest.raises(kind) as raised:
        call(name, connection)
    error = raised.value
    assert leaks(error) == []
    assert (error.__cause__, error.__context__) == (None, None)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own error
    assert (str(again), vars(again)) == (str(error), vars(error))
    return error


def test_every_function_of_a_transaction_is_tried_here() -> None:
    assert set(ARGUMENTS) == functions_of_a_transaction()


def test_every_public_function_goes_out_by_the_boundary() -> None:
    way_out = campaigns.create.__code__
    functions = [found for found in map(vars(campaigns).get, campaigns.__all__) if inspect.isfunction(found)]

    assert {each.__name__ for each in functions} >= {"create", "estimate", "suppress"}
    assert [each.__name__ for each in functions if each.__code__ is not way_out] == []


@EVERY
def test_a_database_without_our_tables_is_told_to_be_migrated(bare: Engine, name: str) -> None:
    elsewhere = create_engine(bare.url.set(database="template1"))
    with elsewhere.connect() as connection:
        error = failed(name, connection, SchemaMissing)
    elsewhere.dispose()

    assert "run `campaigns migrate`" in str(error)
    assert error.sqlstate in {"42P01", "3F000"}
    assert not error.retryable


@EVERY
def test_a_statement_timeout_is_ours(bare: Engine, name: str) -> None:
    with bare.begin() as holder, bare.connect() as connection:
        holder.execute(text(f"LOCK TABLE {', '.join(f'sms.{table}' for table in TABLES)} IN ACCESS EXCLUSIVE MODE"))
        connection.execute(text("SET statement_timeout = '100ms'"))
        error = failed(name, connection)

    assert (error.sqlstate, error.primary_message) == ("57014", "canceling statement due to statement timeout")


@EVERY
def test_a_transaction_that_failed_before_is_ours(bare: Engine, name: str) -> None:
    with bare.connect() as connection:
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1 / 0"))
        error = failed(name, connection)

    assert error.sqlstate == "25P02"
    assert "roll back" in str(error)
    assert not error.retryable


@EVERY
def test_a_lost_connection_is_ours_and_may_be_tried_again(bare: Engine, name: str) -> None:
    with bare.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with bare.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
        error = failed(name, connection)

    assert error.retryable
    assert error.sqlstate in {None, "57P01"}


@pytest.mark.parametrize(
    ("name", "table"), [("create", "messages"), ("order_otp", "otps"), ("suppress", "suppressions")]
)
def test_a_row_that_the_database_refuses_is_not_shown(bare: Engine, name: str, table: str) -> None:
    with bare.begin() as connection:
        connection.execute(text(f"ALTER TABLE sms.{table} ADD CONSTRAINT ours CHECK (number <> '{NUMBER}')"))
    try:
        with bare.connect() as connection:
            error = failed(name, connection)
    finally:
        with bare.begin() as connection:
            connection.execute(text(f"ALTER TABLE sms.{table} DROP CONSTRAINT ours"))

    assert error.sqlstate == "23514"
    assert f'new row for relation "{table}" violates check constraint' in str(error)


def test_a_primary_message_that_quotes_a_value_is_left_out(bare: Engine) -> None:
    with bare.connect() as connection, pytest.raises(DBAPIError, match=NUMBER) as raised:
        connection.execute(text("SELECT CAST(:given AS bigint)"), {"given": f"x{NUMBER}"})
    error = translate(raised.value)

    assert (error.sqlstate, error.primary_message) == ("22P02", "InvalidTextRepresentation")
    assert leaks(error) == []


# ── our own errors, and those of the caller's code ──


@EVERY
def test_a_wrong_bind_leaves_no_variable_behind(name: str) -> None:
    with pytest.raises(BadInput) as raised:
        call(name, None)

    assert leaks(raised.value) == []
    assert "None is no transaction: give a SQLAlchemy Connection or Session" in str(raised.value)


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - FINDS_NOTHING))
def test_an_error_of_ours_leaves_no_variable_behind_and_the_transaction_as_it_was(bare: Engine, name: str) -> None:
    with bare.connect() as connection:
        with pytest.raises(NotFound) as raised:
            call(name, connection)
        assert connection.execute(text("SELECT 1")).scalar_one() == 1

    assert leaks(raised.value) == []
    assert raised.value.__context__ is None


def test_conflicts_and_moves_leave_no_variable_behind(bare: Engine) -> None:
    with bare.connect() as connection:
        campaign, _ = call("create", connection, key="k"), call("order_otp", connection, key="k")
        for kind, name, other in (
            (KeyConflict, "create", {"key": "k", "recipients": [NUMBER[:-1] + "8"]}),
            (KeyConflict, "order_otp", {"key": "k", "template": "another"}),
            (IllegalMove, "resume", {"campaign_id": campaign}),
            (BadInput, "create", {"sender": None}),
        ):
            with pytest.raises(kind) as raised:
                call(name, connection, **other)
            assert leaks(raised.value) == [], name


def test_a_wrong_value_is_quoted_and_no_frame_has_it(bare: Engine) -> None:
    with bare.connect() as connection, pytest.raises(BadInput, match=r"0912\*\*\*456x") as raised:
        campaigns.suppress(connection, ["0912123456x", NUMBER])

    assert leaks(raised.value) == []


def test_an_estimate_leaves_no_variable_behind() -> None:
    with pytest.raises(BadInput) as raised:
        campaigns.estimate([NUMBER], TEXT + "{", max_characters=5)
    with pytest.raises(ZeroDivisionError) as passed:
        campaigns.estimate((NUMBER for _ in range(2) if 1 / 0), TEXT)

    assert leaks(raised.value) == leaks(passed.value) == []


def test_an_error_of_the_callers_own_generator_passes_with_its_own_frame_and_without_ours(bare: Engine) -> None:
    def rows() -> Iterator[str]:
        yield NUMBER
        last = f"the last one was {NUMBER}"
        raise ValueError(len(last))

    with bare.connect() as connection, pytest.raises(ValueError, match=r"^28$") as raised:
        campaigns.create(connection, recipients=rows(), text=TEXT, sender=SENDER)

    assert leaks(raised.value) == []
    assert raised.traceback[-1].frame.f_locals["last"] == f"the last one was {NUMBER}"
    assert {"campaign.py", "sources.py"} <= {each.path.name for each in raised.traceback if hasattr(each.path, "name")}
