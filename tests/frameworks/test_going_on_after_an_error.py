"""A caller who catches our error and commits keeps what was in the transaction before: the order is not lost.

PostgreSQL's COMMIT of an aborted transaction is a ROLLBACK that nothing reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import aio
from tests.frameworks.public_calls import ARGUMENTS, call

TABLES = ("campaigns", "messages", "rejects", "batches", "otps", "inbound", "suppressions", "installation")
IMPATIENT = "SET LOCAL statement_timeout = '50ms'"
ORDER = "INSERT INTO orders VALUES (1)"


@pytest.fixture
def shop(engine: Engine) -> Iterator[Engine]:
    """The caller's engine, while another transaction holds all of our tables: each function fails."""
    found = create_engine(engine.url)
    with found.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id integer)"))
    with engine.connect() as holder:
        holder.execute(text(f"LOCK TABLE {', '.join(f'sms.{table}' for table in TABLES)} IN ACCESS EXCLUSIVE MODE"))
        yield found
    found.dispose()


def on_psycopg(shop: Engine, name: str) -> None:
    address = shop.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        connection.execute(IMPATIENT)
        connection.execute(ORDER)
        fails(lambda: call(name, connection))


def on_a_connection(shop: Engine, name: str) -> None:
    with shop.begin() as connection:
        connection.execute(text(IMPATIENT))
        connection.execute(text(ORDER))
        fails(lambda: call(name, connection))


def on_a_session(shop: Engine, name: str) -> None:
    with Session(shop) as session, session.begin():
        session.execute(text(IMPATIENT))
        session.execute(text(ORDER))
        fails(lambda: call(name, session))


def on_an_async_session(shop: Engine, name: str) -> None:
    async def run() -> None:
        engine = create_async_engine(shop.url)
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(text(IMPATIENT))
            await session.execute(text(ORDER))
            with pytest.raises(campaigns.DatabaseFailed):
                await getattr(aio, name)(session, **ARGUMENTS[name]())
        await engine.dispose()

    asyncio.run(run())


def fails(work: Callable[[], Any]) -> None:
    with pytest.raises(campaigns.DatabaseFailed):
        work()


@pytest.mark.parametrize("way", [on_psycopg, on_a_connection, on_a_session, on_an_async_session])
def test_an_order_is_kept_whichever_function_fails_beside_it(shop: Engine, way: Callable[[Engine, str], None]) -> None:
    for name in ARGUMENTS:
        way(shop, name)

    with shop.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM orders")).scalar_one() == len(ARGUMENTS)


def test_reading_alone_in_a_transaction_takes_no_savepoint(engine: Engine) -> None:
    """A page that polls pays no round trip for it."""
    with engine.begin() as connection:
        campaign = call("create", connection)
    taken: list[str] = []
    event.listen(engine, "savepoint", lambda _, name: taken.append(name))
    with engine.connect() as connection:
        campaigns.progress(connection, campaign)
        assert taken == []
        campaigns.progress(connection, campaign)
        assert len(taken) == 1
