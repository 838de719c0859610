"""For the tests of an application: our tables in its test database, nothing leaves, and what would have left.

    testing.create_schema(engine)        # once; with `kavenegar_campaigns.django` in INSTALLED_APPS it is done already
    testing.refuse_calls()               # also done by then
    assert [(each.number, each.text) for each in testing.outbox(connection).messages] == [("09121234567", "سلام سارا")]

    take_reply(testing.receive(connection, number="09121234567", text="سلام"))   # your consumer of inbound messages

With pytest, the fixture `campaigns_outbox` does all of it: see the module `kavenegar_campaigns_pytest`.

Two things make it impossible that a message leaves. Triggers in the test database refuse every claim, whichever process
makes it. And the client refuses every call in this process, whatever database it was given.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine

from kavenegar_campaigns.api import connection_of
from kavenegar_campaigns.kavenegar import refusal
from kavenegar_campaigns.store import testing as store
from kavenegar_campaigns.store.testing import OutboxMessage, OutboxOtp

__all__ = ["Outbox", "OutboxMessage", "OutboxOtp", "create_schema", "empty", "outbox", "receive", "refuse_calls"]


class Outbox:
    """What would have left, as a transaction sees it at each look."""

    def __init__(self, bind: Any) -> None:
        self._bind = bind

    @property
    def messages(self) -> list[OutboxMessage]:
        """Return the messages of started campaigns, in the order in which they would leave.

        Drafts and paused ones stay.
        """
        return store.outbox_messages(self._connection())

    @property
    def otps(self) -> list[OutboxOtp]:
        """Return the one-time passwords that were ordered."""
        return store.outbox_otps(self._connection())

    def _connection(self) -> Connection:
        return connection_of(self._bind)


def outbox(bind: Any) -> Outbox:
    """Return what would have left, by the transaction of `bind`: anything that the functions of campaigns take."""
    return Outbox(bind)


def receive(bind: Any, *, number: str, text: str, line: str = "10004346") -> int:
    """Store an inbound message in a test database, as if a person had sent it. Returns its id, for your INBOX_TASK.

    An opt-out word suppresses the number, as it does in production. Raises: BadInput for a database that
    `create_schema` did not make.
    """
    return store.receive(connection_of(bind), number, text, line)


def refuse_calls() -> None:
    """Refuse every call to the gateway in this process, from now until it ends: BadInput, before anything leaves."""
    refusal.refuse_calls()


def create_schema(where: Engine | str) -> None:
    """Create our tables in a test database, by an engine or a URL, with triggers that refuse to send. Safe to repeat.

    Raises: BadInput for a database that has campaigns already, or that a worker has used.
    """
    store.create_test_schema(where)


def empty(where: Engine | str) -> None:
    """Delete what tests have committed to a test database. Does nothing in any other database.

    Raises: BadInput where a transaction in it is still open, after five seconds.
    """
    store.empty_test_schema(where)
