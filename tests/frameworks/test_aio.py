"""The awaitable functions, in the transactions of asyncio: the functions themselves, their errors and their bounds."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlmodel.ext.asyncio.session import AsyncSession as SqlmodelSession

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import aio
from kavenegar_campaigns.errors import BadInput, DatabaseFailed, KeyConflict, LockTimeout
from tests.frameworks.public_calls import ARGUMENTS, NUMBER, SENDER, TEXT, functions_of_a_transaction, leaks

T = TypeVar("T")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    """One database for the file."""
    return emptied


def run(engine: Engine, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """Run `work` with the shop's async engine, as SQLAlchemy makes it."""

    async def whole() -> T:
        theirs = create_async_engine(engine.url)
        try:
            return await work(theirs)
        finally:
            await theirs.dispose()

    return asyncio.run(whole())


async def call(name: str, bind: Any, **other: Any) -> Any:
    """Await one of the functions with its arguments, of which `other` replaces some."""
    return await getattr(aio, name)(bind, **ARGUMENTS[name]() | other)


@asynccontextmanager
async def scoped(engine: AsyncEngine) -> AsyncIterator[Any]:
    session = async_scoped_session(async_sessionmaker(engine), asyncio.current_task)
    try:
        yield session
    finally:
        await session.remove()


KINDS: dict[str, Callable[[AsyncEngine], Any]] = {
    "AsyncConnection": lambda engine: engine.connect(),
    "AsyncSession": AsyncSession,
    "async_scoped_session": scoped,
    "SQLModel": SqlmodelSession,
}


def test_every_function_of_a_transaction_is_here_with_its_own_signature_and_words() -> None:
    here = {name for name, found in vars(aio).items() if inspect.iscoroutinefunction(found)}

    assert here == functions_of_a_transaction() == set(aio.__all__) - {"AsyncBind"}
    for name in here:
        awaited, itself = getattr(aio, name), getattr(campaigns, name)
        assert inspect.signature(awaited) == inspect.signature(itself)
        assert awaited.__doc__ == itself.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_every_function_is_awaited_in_it_and_its_rollback_takes_all_back(engine: Engine, kind: str) -> None:
    async def work(theirs: AsyncEngine) -> list[campaigns.Campaign]:
        async with KINDS[kind](theirs) as bind:
            campaign, otp = await call("create", bind), await call("order_otp", bind)
            await aio.start(bind, campaign)
            await aio.pause(bind, campaign)
            await aio.resume(bind, campaign)
            called = {"create", "order_otp", "start", "pause", "resume", "cancel", "get_inbound"}
            for name in [*(each for each in ARGUMENTS if each not in called), "cancel"]:
                await call(name, bind, **({"campaign_id": campaign} if "campaign_id" in ARGUMENTS[name]() else {}))
            assert (await aio.otp_state(bind, otp)).state == "waiting"
            await bind.rollback()
            return await aio.newest(bind)

    assert run(engine, work) == []


def test_a_file_and_its_rejects_are_loaded_whole(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("mobile,name\n" + "".join(f"0912{n:07d},سارا {n}\n" for n in range(25_000)) + "12,علی\n", "utf-8")

    async def work(theirs: AsyncEngine) -> int:
        async with AsyncSession(theirs) as session, session.begin():
            return await aio.create(session, recipients=file, text="سلام {name}", sender=SENDER)

    campaign = run(engine, work)
    with engine.connect() as connection:
        found = campaigns.get(connection, campaign)
        assert (found.messages, found.rejects) == (25_000, 1)
        assert campaigns.preview(connection, campaign).longest_text == "سلام سارا 10000"


def test_the_same_key_from_both_faces_is_one_campaign(engine: Engine) -> None:
    async def work(theirs: AsyncEngine) -> int:
        async with theirs.begin() as connection:
            found: int = await call("create", connection, key="spring")
        with pytest.raises(KeyConflict) as raised:
            async with theirs.begin() as connection:
                await call("create", connection, key="spring", recipients=["09120000000"])
        assert leaks(raised.value) == []
        return found

    campaign = run(engine, work)
    with engine.begin() as connection:
        assert campaigns.create(connection, **ARGUMENTS["create"]() | {"key": "spring"}) == campaign


# ── errors, as in the functions themselves ──


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_errors_of_the_driver_are_ours_and_leave_nothing_behind(engine: Engine, name: str) -> None:
    async def work(theirs: AsyncEngine) -> DatabaseFailed:
        async with AsyncSession(theirs) as session:
            await session.execute(text("SET LOCAL search_path = pg_catalog; SET LOCAL ROLE pg_monitor"))
            with pytest.raises(DatabaseFailed) as raised:
                await call(name, session)
            return raised.value

    error = run(engine, work)
    assert leaks(error) == []
    assert (error.sqlstate, error.__context__) == ("42501", None)


def test_waiting_for_a_key_ends_and_the_loop_runs_meanwhile(engine: Engine) -> None:
    async def work(theirs: AsyncEngine) -> int:
        async with AsyncSession(theirs) as holder, AsyncSession(theirs) as session:
            await call("create", holder)
            await session.execute(text("SET LOCAL lock_timeout = '1s'"))
            waiting = asyncio.create_task(call("create", session))
            turns = 0
            while not waiting.done():
                await asyncio.sleep(0)
                turns += 1
            with pytest.raises(LockTimeout, match="being created at this moment"):
                await waiting
            return turns

    assert run(engine, work) > 10


def test_a_task_that_is_cancelled_while_it_waits_leaves_nothing(engine: Engine) -> None:
    async def work(theirs: AsyncEngine) -> None:
        async with AsyncSession(theirs) as holder:
            await call("create", holder)
            async with AsyncSession(theirs) as session:
                waiting = asyncio.create_task(call("create", session))
                while not await _someone_waits(holder):
                    await asyncio.sleep(0.01)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError) as raised:
                    await waiting
                assert leaks(raised.value) == []
            assert not await _someone_waits(holder)

    run(engine, work)
    with engine.connect() as connection:
        assert campaigns.newest(connection) == []


def test_a_task_that_is_cancelled_at_any_moment_of_a_create_ends_as_cancelled(engine: Engine) -> None:
    """An error of the driver in its place would make `asyncio.timeout` no TimeoutError."""
    people = [f"0912{at:07}" for at in range(3000)]

    async def cancelled(theirs: AsyncEngine, turns: int) -> None:
        async with AsyncSession(theirs) as session:
            await session.execute(text("SELECT 1"))
            creating = asyncio.create_task(call("create", session, recipients=people, text=TEXT))
            for _ in range(turns):
                await asyncio.sleep(0)
            creating.cancel()
            (ended,) = await asyncio.gather(creating, return_exceptions=True)
            if not isinstance(ended, int):  # on a fast machine it has ended before
                assert type(ended) is asyncio.CancelledError
                assert leaks(ended) == []
            await session.rollback()
            assert await call("newest", session) == []

    async def work(theirs: AsyncEngine) -> None:
        for turns in range(0, 240, 3):
            await cancelled(theirs, turns)

    run(engine, work)


def test_tasks_that_share_a_transaction_are_told_so_and_nothing_that_succeeded_is_lost(engine: Engine) -> None:
    async def work(theirs: AsyncEngine) -> list[object]:
        async with AsyncSession(theirs) as session:
            await session.execute(text("SELECT 1"))
            ended = await asyncio.gather(
                *(call("create", session, key=f"order:{at}") for at in range(3)), return_exceptions=True
            )
            await session.commit()
        return ended

    ended = run(engine, work)
    with engine.connect() as connection:
        kept = [each.id for each in campaigns.newest(connection)]
    assert kept == [each for each in ended if isinstance(each, int)]
    refused = [each for each in ended if not isinstance(each, int)]
    assert [(type(each), "another task or thread" in str(each)) for each in refused] == [(BadInput, True)] * 2


async def _someone_waits(session: AsyncSession) -> bool:
    asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return bool((await session.execute(text(asked))).scalar_one())


def _not_started(engine: AsyncEngine) -> Any:
    return engine.connect()


WRONG: dict[str, tuple[Callable[[AsyncEngine], Any], str]] = {
    "None": (lambda _: None, "None is no transaction of asyncio: give an AsyncSession or AsyncConnection"),
    "an engine": (lambda engine: engine, "AsyncEngine is no transaction of asyncio: give"),
    "a sessionmaker": (async_sessionmaker, "async_sessionmaker is no transaction of asyncio: give"),
    "a session without async": (lambda engine: Session(engine.sync_engine), "Session is no transaction of asyncio"),
    "a connection that is not awaited": (_not_started, "this AsyncConnection is not started: give"),
    "a session without an engine": (lambda _: AsyncSession(), "cannot begin a transaction (UnboundExecutionError)"),
    "asyncpg": (
        lambda engine: AsyncSession(create_async_engine(engine.url.set(drivername="postgresql+asyncpg"))),
        "campaigns are reached through psycopg 3, and this is asyncpg: give",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_everything_else_is_told_in_one_sentence_what_would_be_right(engine: Engine, kind: str) -> None:
    make, said = WRONG[kind]

    async def work(theirs: AsyncEngine) -> BadInput:
        bind = make(theirs)
        with pytest.raises(BadInput) as raised:
            await aio.suppress(bind, [NUMBER], source=TEXT)
        if isinstance(bind, AsyncSession):
            await bind.close()
        bound = getattr(bind, "bind", None)  # SQLAlchemy 2.0 has it only where there is one
        if isinstance(bind, AsyncSession) and isinstance(bound, AsyncEngine):
            await bound.dispose()
        return raised.value

    error = run(engine, work)
    assert said in str(error)
    assert str(error).count(". ") == 0
    assert leaks(error) == []
