"""Every kind of transaction that a shop has with SQLAlchemy, and one sentence for everything that is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlmodel
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import BadInput
from tests.frameworks.public_calls import ARGUMENTS, NUMBER, SENDER, TEXT, call
from tests.own_process import answer_of


class Base(DeclarativeBase):
    """The shop's tables."""


class Order(Base):
    """An order, whose campaign tells its customer."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int | None]


@pytest.fixture
def shop(engine: Engine) -> Iterator[Engine]:
    """The shop's engine, as SQLAlchemy makes it."""
    found = create_engine(engine.url)
    Base.metadata.create_all(found)
    yield found
    found.dispose()


def counts(engine: Engine) -> tuple[int, int]:
    """How many orders and campaigns there are."""
    with engine.connect() as connection:
        orders = connection.execute(text("SELECT count(*) FROM orders")).scalar_one()
        return orders, len(campaigns.newest(connection))


KINDS: dict[str, Callable[[Engine], Any]] = {
    "Connection": lambda engine: engine.connect(),
    "Session": Session,
    "Session on a Connection": lambda engine: Session(engine.connect()),
    "scoped_session": lambda engine: scoped_session(sessionmaker(engine)),
    "SQLModel": sqlmodel.Session,
    "Connection that streams": lambda engine: engine.connect().execution_options(yield_per=100),
    "Session of a tenant": lambda engine: Session(
        engine.connect().execution_options(schema_translate_map={"sms": "tenant"})
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_function_takes_it_and_its_rollback_takes_all_back(shop: Engine, kind: str) -> None:
    bind = KINDS[kind](shop)
    campaign = call("create", bind)
    otp = call("order_otp", bind)
    for name in [each for each in ARGUMENTS if each not in {"get_inbound", "pause", "resume", "cancel"}]:
        call(name, bind, **({"campaign_id": campaign} if "campaign_id" in ARGUMENTS[name]() else {}))
    assert campaigns.pause(bind, campaign).state == "paused"
    assert campaigns.resume(bind, campaign).state == "running"
    assert campaigns.cancel(bind, campaign).state == "cancelled"
    assert campaigns.otp_state(bind, otp).state == "waiting"
    bind.rollback()

    assert campaigns.newest(bind) == []
    bind.close()


def test_recipients_may_stream_from_the_connection_which_streams_again_afterwards(shop: Engine) -> None:
    with shop.connect().execution_options(stream_results=True) as connection:
        found = connection.execute(text("SELECT '0912000' || n AS number FROM generate_series(1000, 4999) AS n"))
        campaign = campaigns.create(connection, recipients=found, text="x", sender=SENDER)

        assert campaigns.get(connection, campaign).messages == 4000
        assert connection.get_execution_options()["stream_results"] is True


@pytest.mark.parametrize(
    ("setting", "value", "right"),
    [("client_encoding", "LATIN1", "UTF8"), ("DateStyle", "SQL, DMY", "ISO")],
)
def test_a_session_whose_rows_psycopg_cannot_read_is_told_the_setting(
    shop: Engine, setting: str, value: str, right: str
) -> None:
    """A UnicodeEncodeError would hold the text, and NotImplementedError says nothing of the cause."""
    with shop.connect() as connection:
        connection.execute(text(f"SET {setting} = '{value}'"))
        for name in ARGUMENTS:
            with pytest.raises(BadInput, match=f"{setting} is {value} in this session.*'{right}'"):
                call(name, connection)
        connection.execute(text(f"SET {setting} = '{right}'"))
        assert call("create", connection) > 0


def test_an_order_that_waits_in_the_session_and_its_campaign_are_kept_together(shop: Engine) -> None:
    with Session(shop) as session:
        order = Order(id=1)
        session.add(order)
        order.campaign_id = call("create", session)
        session.commit()

    assert counts(shop) == (1, 1)


def test_an_order_that_waits_in_the_session_and_its_campaign_roll_back_together(shop: Engine) -> None:
    with Session(shop) as session:
        session.add(Order(id=1))
        campaigns.start(session, call("create", session))
        session.flush()
        session.rollback()

    assert counts(shop) == (0, 0)


def test_a_refused_campaign_leaves_the_waiting_order_and_its_transaction_alone(shop: Engine) -> None:
    with Session(shop) as session:
        session.add(Order(id=1))
        with pytest.raises(BadInput):
            call("create", session, recipients=["12"])
        session.commit()

    assert counts(shop) == (1, 0)


# ── what is none ──


def _refusal(bind: Any) -> str:
    with pytest.raises(BadInput) as raised:
        campaigns.create(bind, recipients=[NUMBER], text=TEXT, sender=SENDER)
    with pytest.raises(BadInput) as read:
        campaigns.get(bind, 1)
    assert str(read.value) == str(raised.value)
    return str(raised.value)


URL = "postgresql+psycopg://shop:secret@127.0.0.1:1/shop"

NO_TRANSACTIONS: dict[str, tuple[Callable[[], Any], str]] = {
    "None": (lambda: None, "None is no transaction: give a SQLAlchemy Connection or Session"),
    "a text": (lambda: URL, "str is no transaction: give a SQLAlchemy Connection or Session"),
    "a URL": (lambda: create_engine(URL).url, "URL is no transaction: give"),
    "a number": (lambda: 17, "int is no transaction: give"),
    "the class": (lambda: Session, "type is no transaction: give"),
    "an engine": (lambda: create_engine(URL), "as `with engine.begin() as connection:` does"),
    "a sessionmaker": (lambda: sessionmaker(create_engine(URL)), "as `with engine.begin() as connection:` does"),
    "an async engine": (lambda: create_async_engine(URL), "AsyncEngine is async and cannot be used here: give"),
    "an async session": (lambda: AsyncSession(create_async_engine(URL)), "AsyncSession is async and cannot"),
    "an async sessionmaker": (lambda: async_sessionmaker(create_async_engine(URL)), "async_sessionmaker is async"),
    "an unbound session": (Session, "this Session cannot begin a transaction (UnboundExecutionError): give"),
    "a session that begins nothing": (
        lambda: Session(create_engine(URL), autobegin=False),
        "this Session cannot begin a transaction (InvalidRequestError): give",
    ),
    "another database": (lambda: Session(create_engine("sqlite://")), "and this is sqlite: give"),
}


@pytest.mark.parametrize("kind", NO_TRANSACTIONS)
def test_what_is_no_transaction_is_told_in_one_sentence_what_would_be_right(kind: str) -> None:
    make, said = NO_TRANSACTIONS[kind]
    bind = make()
    refusal = _refusal(bind)
    if isinstance(bind, Session):
        bind.close()
        if isinstance(bind.bind, Engine):
            bind.bind.dispose()  # Python 3.13 warns of a connection to SQLite that nobody closed

    assert said in refusal
    assert refusal.count(". ") == 0
    assert "secret" not in refusal


def test_a_closed_connection_is_refused(shop: Engine) -> None:
    with shop.connect() as connection:
        pass
    assert _refusal(connection).startswith("this Connection is closed: give")


def test_a_server_that_is_away_is_no_wrong_bind() -> None:
    with Session(create_engine(URL)) as session, pytest.raises(campaigns.DatabaseFailed) as raised:
        campaigns.get(session, 1)

    assert raised.value.retryable
    assert "secret" not in str(raised.value)


def test_importing_the_package_imports_neither_greenlet_nor_asyncio_of_sqlalchemy() -> None:
    seen = "[name for name in ('greenlet', 'sqlalchemy.ext.asyncio') if name in sys.modules]"
    found = answer_of(
        "-c", f"import json, sys, sqlalchemy; a = {seen}; import kavenegar_campaigns; print(json.dumps([a, {seen}]))"
    )

    assert found[0] == found[1], json.dumps(found)
