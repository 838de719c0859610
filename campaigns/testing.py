"""For the tests of an application: our tables in its test database, nothing leaves, and what would have left.

With pytest, the fixture `campaigns_outbox` does all of it. With Django it works on Django's test database:

    def test_an_order_is_confirmed(client, campaigns_outbox):
        client.post("/orders", …)
        assert [(each.number, each.text) for each in campaigns_outbox.messages] == [("09121234567", "سلام سارا")]

With SQLAlchemy, override `campaigns_engine` (the engine of your test database, for the session) and, if your tests run
in a transaction of their own, `campaigns_bind` (its Connection or Session). Without pytest:

    testing.create_schema(engine)        # once; with `kavenegar_campaigns.django` in INSTALLED_APPS it is done already
    testing.refuse_calls()
    testing.outbox(connection).messages

Two things make it impossible that a message leaves. Triggers in the test database refuse every claim, whichever process
makes it. And the client refuses every call in this process, whatever database it was given.

pytest loads this file at its start, so it imports nothing of ours before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from kavenegar_campaigns.store.testing import OutboxMessage, OutboxOtp


class Outbox:
    """What would have left, as a transaction sees it at each look."""

    def __init__(self, bind: Any) -> None:
        self._bind = bind

    @property
    def messages(self) -> list[OutboxMessage]:
        """The messages of started campaigns, in the order in which they would leave. Drafts and paused ones stay."""
        from kavenegar_campaigns.store import testing as store  # noqa: PLC0415 - see the top

        return store.outbox_messages(self._connection())

    @property
    def otps(self) -> list[OutboxOtp]:
        """The one-time passwords that were ordered."""
        from kavenegar_campaigns.store import testing as store  # noqa: PLC0415 - see the top

        return store.outbox_otps(self._connection())

    def _connection(self) -> Connection:
        from kavenegar_campaigns.api import connection_of  # noqa: PLC0415 - see the top

        return connection_of(self._bind)


def outbox(bind: Any) -> Outbox:
    """Return what would have left, by the transaction of `bind`: anything that the functions of campaigns take."""
    return Outbox(bind)


def refuse_calls() -> None:
    """Refuse every call to the gateway in this process, from now until it ends: BadInput, before anything leaves."""
    from kavenegar_campaigns.kavenegar import refusal  # noqa: PLC0415 - see the top

    refusal.refuse_calls()


def create_schema(where: Engine | str) -> None:
    """Create our tables in a test database, by an engine or a URL, with triggers that refuse to send. Safe to repeat.

    Raises: BadInput for a database that has campaigns already, or that a worker has used.
    """
    from kavenegar_campaigns.store import testing as store  # noqa: PLC0415 - see the top

    store.create_test_schema(where)


def empty(where: Engine | str) -> None:
    """Delete what tests have committed to a test database. Does nothing in any other database."""
    from kavenegar_campaigns.store import testing as store  # noqa: PLC0415 - see the top

    store.empty_test_schema(where)


# ── fixtures of pytest ──


@pytest.fixture(scope="session")
def campaigns_engine() -> Engine | None:
    """The engine of the test database: override it. With Django, leave it; Django's test database is used."""
    return None


@pytest.fixture(scope="session")
def _campaigns_schema(campaigns_engine: Engine | None) -> Engine | None:
    """Create our tables once a session, and let nothing leave from then on."""
    refuse_calls()
    if campaigns_engine is not None:
        create_schema(campaigns_engine)
    return campaigns_engine


@pytest.fixture
def campaigns_bind(request: pytest.FixtureRequest, _campaigns_schema: Engine | None) -> Iterator[Any]:
    """The transaction of the test: Django's connection, or a Connection that is rolled back after the test.

    Override it where your tests have a Session or a Connection of their own.
    """
    if _campaigns_schema is None:
        yield _django_connection(request)
        return
    with _campaigns_schema.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def campaigns_outbox(_campaigns_schema: Engine | None, campaigns_bind: Any) -> Outbox:
    """What would have left, in the transaction of the test. Nothing leaves this process."""
    return Outbox(campaigns_bind)


def _django_connection(request: pytest.FixtureRequest) -> Any:
    """Return Django's connection, after pytest-django has begun the test's transaction."""
    if not request.config.pluginmanager.hasplugin("django"):
        pytest.fail(
            "campaigns_outbox needs a test database: override the fixture campaigns_engine with its engine, or install "
            "pytest-django and put kavenegar_campaigns.django into INSTALLED_APPS",
            pytrace=False,
        )
    if "transactional_db" not in request.fixturenames:
        request.getfixturevalue("db")
    from kavenegar_campaigns.django.address import campaigns_connection  # noqa: PLC0415 - needs Django

    return campaigns_connection()
