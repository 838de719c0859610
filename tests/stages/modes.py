"""A story that is told twice: once the gateway puts its return code in the HTTP status, once it says 200 to everything.

Both times it answers short and in another order, and drops no repeats, so that a blind re-send would show. Message ids
begin anew for each telling: to the same ids the gateway gives the same fates, and what differs then is our own doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import redis
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.store.database import Database
from tests.chaos import audit
from tests.chaos.workshop import to_the_end
from tests.store.emptying import empty
from tests.world import SENDER, Sandbox, numbers

SHORT: Final = 0.2
"""Of the rows of an answer, so many are left out."""

WAYWARD: Final[dict[str, Any]] = {
    "dedupe": False,
    "omit_share": SHORT,
    "inbox_empty": "449",
    "outbox_empty": "449",
    "fates": {"delivered": 12, "undelivered": 3, "failed": 2, "blocked": 2, "returned": 1},
}

MODES: Final[tuple[dict[str, Any], ...]] = (
    {"always_200": False, "order": "shuffled"},
    {"always_200": True, "order": "reversed"},
)

Record = dict[str, list[tuple[Any, ...]]]

# What is left when a story is over; ids of the gateway and times are another's each time.
_WRITTEN: Final = {
    "campaigns": "SELECT kind, state, hold_code, messages, parts, at_gateway FROM sms.campaigns ORDER BY id",
    "messages": "SELECT id, number, state, status, refused_code, parts FROM sms.messages ORDER BY id",
    "one-time passwords": "SELECT client_key, kind, number, state, status, refused_code FROM sms.otps ORDER BY id",
    "what came in": "SELECT line, number, text, opted_out, message_id FROM sms.inbound ORDER BY line, number, text",
    "lines": "SELECT line, needs_reconcile_since IS NULL, trouble FROM sms.lines ORDER BY line",
    "suppressed": "SELECT number, reason, lifted_at IS NULL FROM sms.suppressions ORDER BY number",
    "block lists": "SELECT line, number, reason FROM sms.blocklist_entries ORDER BY line, number",
    "their visits": "SELECT line, page, synced_at IS NOT NULL, trouble FROM sms.blocklists ORDER BY line",
    "days": "SELECT messages, parts, gateway_messages, gateway_parts, gateway_cost_rial "
    "FROM sms.ledger_days ORDER BY day",
    "the account": "SELECT hold_code, debug_mode, min_credit_alarm_rial FROM sms.installation",
    # Without `unknown`: whether a refusal had to be asked about again depends on which rows an answer left out.
    "endings": "SELECT DISTINCT kind, event, code FROM sms.attempts"
    " WHERE code IS NOT NULL AND event <> 'unknown' ORDER BY kind, event, code",
}


@dataclass(frozen=True, slots=True)
class World:
    """A context of one process, and its gateway, in one of the modes."""

    context: Context
    engine: Engine
    sandbox: Sandbox
    broker_url: str

    def campaign(self, recipients: int, words: str = "سلام", *, after: int = 0, **options: Any) -> int:
        """A campaign of so many recipients that runs, an SMS where nothing else is said; `after` as many others."""
        people: Any = numbers(after + recipients)[after:]
        if "{" in words:
            people = [(number, {"name": f"نام {place}"}) for place, number in enumerate(people)]
        carried = {"sender": SENDER, **options} if "kind" not in options else options
        with self.engine.begin() as connection:
            campaign = campaigns.create(connection, recipients=people, text=words, **carried)
            campaigns.start(connection, campaign)
        return campaign

    def to_the_end(self, *, sent: int) -> None:
        """Until every campaign is over: the record is the gateway's ledger, and `sent` messages really went out."""
        found = to_the_end(self.context, self.engine, self.sandbox)
        assert not found.broken, "; ".join(map(str, found.broken))
        assert found.sent == sent, f"{found.sent} were sent"

    def report(self, campaign: int) -> campaigns.Report:
        """The figures of a campaign."""
        with self.engine.connect() as connection:
            return campaigns.build_report(connection, campaign)

    def codes(self, method: str) -> dict[str, int]:
        """How often the gateway answered a method with which code."""
        found: dict[str, int] = self.sandbox.summary()["codes"].get(method, {})
        return found

    def forget_pauses(self) -> None:
        """The pace's pauses pass on the real clock alone."""
        _flush(self.broker_url)


def in_both_modes(story: Callable[[World], None]) -> Callable[[Engine, str], None]:
    """A test that tells `story` in both modes, and whose two records are the same."""

    def test(engine: Engine, broker_url: str) -> None:
        mirrored, always_200 = (_record_of(story, engine, broker_url, **mode) for mode in MODES)
        for what, rows in mirrored.items():
            assert rows == always_200[what], what

    test.__doc__ = story.__doc__
    return test


def _record_of(story: Callable[[World], None], engine: Engine, broker_url: str, **mode: Any) -> Record:
    empty(engine)
    with engine.begin() as connection:
        connection.execute(text("SELECT setval('sms.message_id_blocks', 1, false)"))
    audit.install(engine)
    with Sandbox.start(**WAYWARD, **mode) as sandbox, _at_work(engine, broker_url, sandbox) as context:
        try:
            story(World(context, engine, sandbox, broker_url))
        except AssertionError as why:
            why.add_note(f"at a gateway with {mode}")
            raise
    return _written(engine)


@contextmanager
def _at_work(engine: Engine, broker_url: str, sandbox: Sandbox) -> Iterator[Context]:
    """The clock of the context and the gateway's go together; verdicts are asked for every five minutes."""
    _flush(broker_url)
    client = Client(sandbox.api_key, sandbox.url, deadline_s=15.0, connect_timeout_s=5.0)
    throttle = Throttle(connect_redis(broker_url), account="tests", start_rate=500.0, max_rate=500.0)
    database = Database(engine)
    policy = Policy(status_polls=[timedelta(minutes=minutes) for minutes in range(5, 180, 5)])
    yield Context(database, PacedClient(client, throttle), throttle, lambda: database.now() + sandbox.ahead, policy)
    client.close()


def _flush(broker_url: str) -> None:
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushall()


def _written(engine: Engine) -> Record:
    with engine.connect() as connection:
        return {what: [*map(tuple, connection.execute(text(query)))] for what, query in _WRITTEN.items()}
