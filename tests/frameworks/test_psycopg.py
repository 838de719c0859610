"""A psycopg connection as the first argument: everything happens in its transaction, which stays the caller's."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.numeric import FloatLoader
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.api import connection_of
from kavenegar_campaigns.store.borrowing import BorrowedConnection

PEOPLE = [(f"0912000{number:04}", {"name": f"نام {number}"}) for number in range(450)]


def create(connection: Any, **changed: Any) -> int:
    """Create a campaign of 450 messages in two batches and a bit, by COPY, within a savepoint."""
    return campaigns.create(connection, **{"recipients": PEOPLE, "text": "سلام {name}", "sender": "10004346"} | changed)


@pytest.fixture
def theirs(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id integer PRIMARY KEY, price numeric DEFAULT 1)")
        connection.autocommit = False
        yield connection


def committed(engine: Engine) -> tuple[int, list[str]]:
    """How many orders are committed, and the states of the committed campaigns."""
    with engine.connect() as connection:
        orders = int(connection.exec_driver_sql("SELECT count(*) FROM orders").scalar_one())
        return orders, [str(each.state) for each in campaigns.newest(connection)]


def test_an_order_and_its_campaign_are_committed_together(engine: Engine, theirs: psycopg.Connection[Any]) -> None:
    theirs.execute("INSERT INTO orders VALUES (1)")
    campaigns.start(theirs, create(theirs))

    assert committed(engine) == (0, [])
    theirs.commit()
    assert committed(engine) == (1, ["running"])


def test_an_order_and_its_campaign_are_rolled_back_together(engine: Engine, theirs: psycopg.Connection[Any]) -> None:
    with theirs.transaction(force_rollback=True):
        theirs.execute("INSERT INTO orders VALUES (1)")
        campaign = create(theirs)
        campaigns.start(theirs, campaign)
        assert campaigns.progress(theirs, campaign).batches == 3

    theirs.commit()
    assert committed(engine) == (0, [])


def test_a_rollback_to_their_savepoint_takes_the_campaign_back_alone(
    engine: Engine, theirs: psycopg.Connection[Any]
) -> None:
    with theirs.transaction():
        theirs.execute("INSERT INTO orders VALUES (1)")
        with theirs.transaction(force_rollback=True):
            create(theirs)

    assert committed(engine) == (1, [])


def test_the_first_statement_may_be_ours(engine: Engine, theirs: psycopg.Connection[Any]) -> None:
    theirs.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    create(theirs)
    isolation = theirs.execute("SHOW transaction_isolation").fetchone()
    gc.collect()  # what is left of our call lets go of the session

    assert isolation == ("serializable",)
    theirs.execute("INSERT INTO orders VALUES (1)")
    theirs.rollback()
    assert committed(engine) == (0, [])


@pytest.mark.parametrize("write", [create, lambda theirs: campaigns.suppress(theirs, ["09120000001"])])
def test_nothing_is_written_in_autocommit_mode(engine: Engine, theirs: psycopg.Connection[Any], write: Any) -> None:
    theirs.autocommit = True

    with pytest.raises(campaigns.BadInput, match=r"inside `with connection\.transaction\(\):`"):
        write(theirs)
    assert campaigns.newest(theirs) == []
    assert theirs.info.transaction_status is psycopg.pq.TransactionStatus.IDLE

    with theirs.transaction():
        create(theirs)
    assert committed(engine) == (0, ["draft"])


def test_what_a_shop_sets_on_its_connection_changes_nothing_for_us(theirs: psycopg.Connection[Any]) -> None:
    theirs.row_factory = dict_row
    theirs.cursor_factory = psycopg.ClientCursor
    theirs.prepare_threshold = 0
    for name in ("int8", "int4", "timestamptz", "text"):
        theirs.adapters.register_loader(name, FloatLoader)
    notices: list[str] = []
    theirs.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))

    campaign = create(theirs)
    for _ in range(8):  # theirs prepares each statement at once
        assert theirs.execute("SELECT 1 AS one").fetchone()
        assert campaigns.get(theirs, campaign).created_at.tzinfo is not None
    theirs.execute("DO $$ BEGIN RAISE NOTICE 'theirs'; END $$")

    assert notices == ["theirs"]
    assert isinstance(theirs.adapters.get_loader(psycopg.adapters.types["int8"].oid, psycopg.pq.Format.TEXT), type)


def test_recipients_may_be_read_from_the_same_transaction_meanwhile(theirs: psycopg.Connection[Any]) -> None:
    theirs.execute("INSERT INTO orders SELECT generate_series(1, 5000)")
    with theirs.cursor("customers") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT '0912' || lpad(CAST(id AS text), 7, '0') FROM orders ORDER BY id")
        campaign = create(theirs, recipients=(number for (number,) in cursor), text="x")

    assert campaigns.get(theirs, campaign).messages == 5000


def test_an_error_of_ours_leaves_their_transaction_as_it_was(engine: Engine, theirs: psycopg.Connection[Any]) -> None:
    with theirs.transaction():
        theirs.execute("INSERT INTO orders VALUES (1)")
        with pytest.raises(campaigns.BadInput):
            create(theirs, recipients=["12"])
        with pytest.raises(campaigns.NotFound):
            campaigns.start(theirs, 17)

    assert committed(engine) == (1, [])


def test_recipients_may_ask_about_each_other_in_the_same_transaction(theirs: psycopg.Connection[Any]) -> None:
    campaigns.suppress(theirs, ["09120000001"])
    found = (each for each in PEOPLE if campaigns.suppressed(theirs, each[0]) is None)

    assert campaigns.get(theirs, create(theirs, recipients=found)).messages == len(PEOPLE) - 1


def test_an_aborted_transaction_is_refused_with_a_sentence(theirs: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        theirs.execute("SELECT * FROM nowhere")

    with pytest.raises(campaigns.BadInput, match="aborted by an earlier error"):
        create(theirs)


def test_a_closed_or_busy_session_is_refused_with_a_sentence(theirs: psycopg.Connection[Any]) -> None:
    with theirs.pipeline(), pytest.raises(campaigns.BadInput, match="pipeline mode"):
        create(theirs)
    with theirs.cursor() as cursor, cursor.copy("COPY orders TO STDOUT") as copy:
        with pytest.raises(campaigns.BadInput, match="busy with a COPY"):
            create(theirs)
        assert copy.read() == b""
    theirs.rollback()
    theirs.close()
    with pytest.raises(campaigns.BadInput, match="closed"):
        create(theirs)


def test_our_side_can_neither_end_their_transaction_nor_their_session(
    engine: Engine, theirs: psycopg.Connection[Any]
) -> None:
    theirs.execute("INSERT INTO orders VALUES (1)")
    ours = connection_of(theirs)
    assert isinstance(ours.connection.driver_connection, BorrowedConnection)
    create(ours)
    ours.commit()
    ours.close()
    ours.engine.dispose()

    assert committed(engine) == (0, [])
    assert not theirs.closed
    theirs.rollback()
    assert committed(engine) == (0, [])
