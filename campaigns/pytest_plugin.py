"""The fixtures of pytest: `campaigns_outbox` shows what a test would have sent, and nothing leaves.

    def test_an_order_is_confirmed(client, campaigns_outbox):
        client.post("/orders", …)
        assert [(each.number, each.text) for each in campaigns_outbox.messages] == [("09121234567", "سلام سارا")]

With Django it works on Django's test database, with `kavenegar_campaigns.django` in INSTALLED_APPS. With SQLAlchemy,
override `campaigns_engine` (the engine of your test database, for the session) and, where your tests run in a
transaction of their own, `campaigns_bind` (its Connection or Session).

pytest loads this file at its start in every project that has this package installed. It is therefore installed as a
module of its own, `kavenegar_campaigns_pytest`, and imports nothing of ours before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from kavenegar_campaigns.testing import Outbox


@pytest.fixture(scope="session")
def campaigns_engine() -> Engine | None:
    """Return the engine of the test database: override it. With Django, leave it: its test database is used."""
    return None


@pytest.fixture(scope="session")
def _campaigns_schema(campaigns_engine: Engine | None) -> Engine | None:
    """Create our tables once a session, and let nothing leave from then on."""
    from kavenegar_campaigns import testing  # noqa: PLC0415 - see the top

    testing.refuse_calls()
    if campaigns_engine is not None:
        testing.create_schema(campaigns_engine)
    return campaigns_engine


@pytest.fixture
def campaigns_bind(request: pytest.FixtureRequest, _campaigns_schema: Engine | None) -> Iterator[Any]:
    """Return the transaction of the test: Django's connection, or a Connection that is rolled back after the test.

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
    """Return what would have left, in the transaction of the test. Nothing leaves this process."""
    from kavenegar_campaigns import testing  # noqa: PLC0415 - see the top

    return testing.outbox(campaigns_bind)


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
