"""What our sessions and our callers' transactions rely on, whatever the database's own settings are."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput
from kavenegar_campaigns.api import writing_connection
from kavenegar_campaigns.store import batches
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.gate import PINNED_SETTINGS, WEAK_COMMITS
from tests.store.given import LEASE, NOW, batch_ids, running
from tests.world import ACCOUNT, SENDER, numbers

CARELESS = {
    "synchronous_commit": "off",
    "default_transaction_isolation": "'repeatable read'",
    "transform_null_equals": "on",
    "timezone": "'Asia/Tehran'",
}
"""What somebody has set for the whole database, for the sake of another application."""


def show(connection: Connection, name: str) -> str:
    return str(connection.execute(text(f"SHOW {name}")).scalar_one())


@pytest.fixture
def careless(engine: Engine) -> Iterator[str]:
    """The address of a database with such defaults."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name, value in CARELESS.items():
            connection.execute(text(f"ALTER DATABASE {engine.url.database} SET {name} = {value}"))
    yield engine.url.render_as_string(hide_password=False)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} RESET ALL"))


@pytest.fixture
def theirs(careless: str) -> Iterator[Engine]:
    """A caller's own engine, with the defaults of the database."""
    engine = create_engine(careless)
    yield engine
    engine.dispose()


def test_a_session_of_ours_starts_as_it_should_whatever_the_database_says(careless: str) -> None:
    ours = make_engine(careless)
    with ours.connect() as connection:
        found = {name: show(connection, name) for name in PINNED_SETTINGS}
    ours.dispose()
    assert found == {
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        "default_transaction_deferrable": "off",
        "transform_null_equals": "off",
        "timezone": "UTC",
    }


def test_the_database_is_as_careless_as_this_test_takes_for_granted(theirs: Engine) -> None:
    with theirs.connect() as connection:
        assert show(connection, "synchronous_commit") == "off"
        assert show(connection, "transaction_isolation") == "repeatable read"


ACTS = {
    "create": lambda bind, _: campaigns.create(bind, recipients=numbers(1), text="سلام", sender=SENDER),
    "start": campaigns.start,
    "pause": lambda bind, campaign: campaigns.pause(bind, campaign) if campaigns.start(bind, campaign) else None,
    "cancel": campaigns.cancel,
    "send_uncertain": campaigns.send_uncertain,
    "suppress": lambda bind, _: campaigns.suppress(bind, numbers(1)),
    "unsuppress": lambda bind, _: campaigns.unsuppress(bind, numbers(1)),
    "taken": lambda bind, _: campaigns.acknowledge(bind, 1),
    "otp": lambda bind, _: campaigns.order_otp(
        bind, number=numbers(1)[0], template="login", token="1", key=str(uuid4())
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_callers_transaction_is_on_disk_once_its_commit_was_confirmed(theirs: Engine, act: str) -> None:
    with theirs.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER)
    with Session(theirs) as session, session.begin():
        ACTS[act](session, campaign)
        assert show(session.connection(), "synchronous_commit") == "on"
        session.rollback()
    with theirs.connect() as connection:
        assert show(connection, "synchronous_commit") == "off", "the caller's session is as it was"


@pytest.mark.parametrize("value", [*WEAK_COMMITS, "on", "remote_apply"])
def test_what_is_weaker_than_on_is_raised_and_what_is_stronger_stays(engine: Engine, value: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL synchronous_commit = {value}"))
        with writing_connection(connection):
            pass
        assert show(connection, "synchronous_commit") == (value if value == "remote_apply" else "on")


@pytest.mark.parametrize("value", WEAK_COMMITS)
def test_a_claim_is_on_disk_though_the_options_of_our_session_did_not_arrive(engine: Engine, value: str) -> None:
    """A pooler between us and the database drops what a client asks for at its start."""
    (only,) = batch_ids(engine, running(engine, 1))
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL synchronous_commit = {value}"))
        assert batches.claim_ready(connection, only, account=ACCOUNT, call_id=uuid4(), now=NOW, lease=LEASE)
        assert show(connection, "synchronous_commit") == "on"


@pytest.mark.parametrize("act", ["start", "pause", "cancel", "suppress", "otp"])
def test_nothing_is_changed_outside_a_transaction(engine: Engine, act: str) -> None:
    campaign = running(engine, 1)
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(BadInput, match="AUTOCOMMIT"),
    ):
        ACTS[act](connection, campaign)
