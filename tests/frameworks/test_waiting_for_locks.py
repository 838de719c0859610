"""On the caller's engine, which lets a statement wait for a lock without end: no function of ours does so.

Afterwards the transaction waits as long as its owner has set, whatever came of the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import BadInput, DatabaseFailed, LockTimeout, NotFound
from tests.frameworks.public_calls import WRITERS, call, leaks
from tests.waiting import PATIENCE_S

INBOUND = """
    INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, via, next_delivery_at)
    VALUES (1, '10004346', '09121234567', 'yes', now(), 'receive', now())
"""


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    """One database for the file."""
    return emptied


@pytest.fixture
def bare(engine: Engine) -> Iterator[Engine]:
    """The caller's engine, on which a statement waits for a lock without end."""
    found = create_engine(engine.url, pool_size=30)
    with found.connect() as connection:
        assert shown(connection) == "0"
    yield found
    found.dispose()


def shown(connection: Connection) -> str:
    """The lock_timeout of the transaction."""
    found: str = connection.execute(text("SHOW lock_timeout")).scalar_one()
    return found


def waited(engine: Engine, name: str, other: dict[str, Any]) -> LockTimeout:
    """What a function ends in that waits for a lock which nobody gives up."""
    with engine.connect() as connection, connection.begin():
        with pytest.raises(LockTimeout) as raised, connection.begin_nested():
            call(name, connection, **other)
        assert shown(connection) == "0", name
    assert raised.value.retryable
    assert raised.value.sqlstate == "55P03"
    assert "roll back, and try again" in str(raised.value)
    assert leaks(raised.value) == []
    return raised.value


def all_waited(engine: Engine, calls: list[tuple[str, dict[str, Any]]]) -> list[LockTimeout]:
    """The same for several at once: each waits for as long as it may."""
    with ThreadPoolExecutor(len(calls)) as threads:
        waiting = [threads.submit(waited, engine, name, other) for name, other in calls]
        return [each.result(timeout=PATIENCE_S) for each in waiting]


def test_no_function_waits_without_end_for_what_another_transaction_holds(bare: Engine) -> None:
    """Its key, its campaign's row, its number, its inbound message."""
    with bare.begin() as connection:
        connection.execute(text(INBOUND))
        campaign = call("create", connection, key="steered")
        campaigns.start(connection, campaign)
        campaigns.suppress(connection, ["09120000001"])
    row = {"campaign_id": campaign}
    with bare.connect() as holder:
        for name, other in (("create", {}), ("order_otp", {}), ("suppress", {}), ("acknowledge", {}), ("pause", row)):
            call(name, holder, **other)
        campaigns.unsuppress(holder, ["09120000001"])
        errors = all_waited(
            bare,
            [
                *((name, row) for name in ("start", "pause", "resume", "cancel")),
                ("create", {}),
                ("order_otp", {}),
                ("suppress", {}),
                ("unsuppress", {"numbers": ["09120000001"]}),
                ("acknowledge", {}),
            ],
        )

    assert [str(each) for each in errors if "a campaign with this key is being created" in str(each)] == [
        str(errors[4])
    ]


def test_no_function_that_writes_waits_without_end_for_a_table(bare: Engine) -> None:
    with bare.begin() as connection:
        campaign = call("create", connection, key="steered")
        campaigns.start(connection, campaign)
        connection.execute(text(INBOUND))
    tables = "sms.campaigns, sms.batches, sms.messages, sms.otps, sms.suppressions, sms.inbound"
    with bare.connect() as holder:
        holder.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))
        steering = {"start", "pause", "resume", "cancel", "send_uncertain"}
        all_waited(bare, [(name, {"campaign_id": campaign} if name in steering else {}) for name in WRITERS])


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("SELECT 1", "0"),
        ("SET lock_timeout = '20min'", "20min"),
        ("SET LOCAL lock_timeout = '1h'", "1h"),
        ("SET LOCAL lock_timeout = '300ms'", "300ms"),
        ("SET LOCAL lock_timeout = 0", "0"),
    ],
)
def test_the_setting_is_as_it_was_whatever_came_of_the_function(bare: Engine, statement: str, value: str) -> None:
    def refused(kind: type[Exception], work: Callable[[], object]) -> None:
        with pytest.raises(kind):
            work()

    with bare.connect() as holder, bare.connect() as connection:
        call("order_otp", holder)
        connection.execute(text(statement))
        campaign = call("create", connection)
        assert shown(connection) == value
        refused(BadInput, lambda: call("create", connection, key="other", recipients=["12"]))
        assert shown(connection) == value
        refused(NotFound, lambda: campaigns.pause(connection, campaign + 1))
        assert shown(connection) == value
        savepoint = connection.begin_nested()
        connection.execute(text("SET LOCAL statement_timeout = '100ms'"))
        refused(DatabaseFailed, lambda: call("order_otp", connection))
        savepoint.rollback()
        assert shown(connection) == value
        with connection.begin_nested() as savepoint:
            campaigns.start(connection, campaign)
            savepoint.rollback()
        assert shown(connection) == value
        connection.commit()
        assert shown(connection) == ("0" if "LOCAL" in statement else value)
        connection.invalidate()


def test_a_shorter_wait_of_the_callers_own_stays(bare: Engine) -> None:
    with bare.connect() as holder, bare.connect() as connection:
        call("create", holder)
        connection.execute(text("SET LOCAL lock_timeout = '50ms'; SET LOCAL statement_timeout = '4s'"))
        with pytest.raises(LockTimeout):
            call("create", connection)


def test_a_serialization_failure_may_be_tried_again(bare: Engine) -> None:
    with bare.begin() as connection:
        campaign = call("create", connection)
        campaigns.start(connection, campaign)
    with bare.connect().execution_options(isolation_level="REPEATABLE READ") as late:
        campaigns.get(late, campaign)
        with bare.begin() as connection:
            campaigns.pause(connection, campaign)
        with pytest.raises(DatabaseFailed) as raised:
            campaigns.cancel(late, campaign)
        late.rollback()
        assert campaigns.cancel(late, campaign).state == "cancelled"

    assert (raised.value.sqlstate, raised.value.retryable) == ("40001", True)
    assert leaks(raised.value) == []


def test_two_transactions_that_wait_for_each_other_end_and_one_of_them_may_be_tried_again(bare: Engine) -> None:
    with bare.begin() as connection:
        one, two = (call("create", connection, key=key) for key in "ab")
        for campaign in (one, two):
            campaigns.start(connection, campaign)
    with bare.connect() as first, bare.connect() as second, ThreadPoolExecutor(1) as thread:
        campaigns.pause(first, one)
        campaigns.pause(second, two)
        waiting = thread.submit(_ended, first, two)
        endings = [_ended(second, one), waiting.result(timeout=PATIENCE_S)]

    (error,) = [each for each in endings if each is not None]
    assert (error.sqlstate, error.retryable) == ("40P01", True)


def _ended(connection: Connection, campaign: int) -> DatabaseFailed | None:
    try:
        campaigns.pause(connection, campaign)
    except DatabaseFailed as why:
        connection.rollback()
        return why
    return None


def test_a_plan_that_an_upgrade_has_made_stale_may_be_tried_again_on_the_same_connection(bare: Engine) -> None:
    with bare.begin() as connection:
        campaign = call("create", connection)
    connection = bare.connect()
    try:
        for _ in range(8):  # psycopg prepares a statement that it has seen five times
            campaigns.get(connection, campaign)
        connection.commit()  # after a rollback, psycopg forgets what it has prepared
        _change_type(bare, "varchar(300)")
        with pytest.raises(DatabaseFailed) as raised:
            campaigns.get(connection, campaign)
        connection.rollback()
        assert campaigns.get(connection, campaign).id == campaign
    finally:
        connection.close()
        _change_type(bare, "text")

    assert (raised.value.sqlstate, raised.value.retryable) == ("0A000", True)


def _change_type(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text(f"ALTER TABLE sms.campaigns ALTER COLUMN name TYPE {name}"))
