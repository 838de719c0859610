"""The sandbox gateway that the tests use, its admin interface, and small campaigns to send through it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import requests
from sqlalchemy import Connection, Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.stages import account, callbacks, dispatch, guards, submit, track
from kavenegar_campaigns.stages.inbox import pull
from kavenegar_campaigns.stages.otp.send import follow_otps
from kavenegar_campaigns.stages.otp.send import send_otp as run_otp
from kavenegar_campaigns.store import batches
from kavenegar_campaigns.store.records import Claim
from kavenegar_sandbox import Knobs, Options, background

SENDER = "10004346"
ACCOUNT = "tests"
"""The label of the key under which tests claim batches without a gateway."""


class Sandbox:
    """A running sandbox gateway and its admin interface."""

    api_key = "sandbox"

    def __init__(self, url: str) -> None:
        self.url = url
        self.ahead = timedelta(0)
        self._admin = requests.Session()

    @classmethod
    @contextmanager
    def start(cls, *, other_keys: Sequence[str] = (), **knobs: Any) -> Iterator[Sandbox]:
        """Start a gateway in this process, reached over HTTP; messages get verdicts after a second or two.

        Each of `other_keys` opens an account of its own there.
        """
        turned = Knobs().turned({"delivery_s": [1, 2], **knobs})
        with background(Options(knobs=turned, other_keys=tuple(other_keys))) as url:
            sandbox = cls(url)
            yield sandbox
            sandbox._admin.close()

    def turn(self, **knobs: Any) -> None:
        """Change settings of the gateway while it runs."""
        self._post("knobs", knobs)

    def arm(self, kind: str, method: str = "*", **details: Any) -> None:
        """Make the next calls of `method` fail: see sandbox/REFERENCE.md."""
        self._post("faults", {"kind": kind, "method": method, **details})

    def disarm(self) -> None:
        """Remove all armed faults."""
        self._admin.delete(f"{self.url}/_sandbox/faults", timeout=60).raise_for_status()

    def set_credit(self, rial: int) -> None:
        """Give the account this much credit."""
        self._post("credit", {"rial": rial})

    def advance(self, **span: float) -> None:
        """Move the clock of the gateway and the clock of the test context ahead."""
        step = timedelta(**span)
        self.ahead += step
        self._post("clock", {"advance": step.total_seconds()})

    def inject(self, messages: Any) -> list[int]:
        """Create inbound messages: one, a list, or many (sandbox/REFERENCE.md). Returns the first thousand ids."""
        ids: list[int] = self._post("inbox", messages)["messageids"]
        return ids

    def inbox_summary(self) -> dict[str, dict[str, int]]:
        """Return for each line how many messages came in, were read, and were returned by calls."""
        return self._get("inbox")["lines"]  # type: ignore[no-any-return]

    def came_in(self) -> list[dict[str, Any]]:
        """Return all inbound messages: messageid, line, sender, date, isread, handed_out, text_digest."""
        answer = self._admin.get(f"{self.url}/_sandbox/inbox/stream", timeout=60)
        return [json.loads(line) for line in answer.content.splitlines()]

    def block(self, line: str, *numbers: str, reason: int = 2) -> None:
        """Put numbers on the block list of a line, for any reason."""
        self._post("blocked", {"line": line, "numbers": list(numbers), "reason": reason})

    def blocked(self) -> dict[str, list[dict[str, Any]]]:
        """Return the block list of each line: number, reason, date."""
        return self._get("blocked")["lines"]  # type: ignore[no-any-return]

    def callbacks(self) -> dict[str, Any]:
        """Return the callbacks' counters: `status` and `receive` (sent, answered, …), `waiting`, `expected`."""
        return self._get("callbacks")  # type: ignore[no-any-return]

    def summary(self) -> dict[str, Any]:
        """Return the totals of the ledger: messages sent, requests, codes, other accounts."""
        answer: dict[str, Any] = self._admin.get(f"{self.url}/_sandbox/ledger/summary", timeout=60).json()
        return answer

    def _post(self, path: str, body: Any) -> Any:
        answer = self._admin.post(f"{self.url}/_sandbox/{path}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def _get(self, path: str) -> Any:
        answer = self._admin.get(f"{self.url}/_sandbox/{path}", timeout=60)
        assert answer.ok, answer.text
        return answer.json()


# The keys of the sandbox and of the scripted gateway are of one account.
ACCOUNTS = (ACCOUNT, *(Client(key).account for key in (Sandbox.api_key, "scripted")))


def numbers(count: int) -> list[str]:
    """Return `count` different mobile numbers."""
    return [f"0912{number:07d}" for number in range(1, count + 1)]


def running(engine: Engine, count: int, *, text: str = "سلام", **options: Any) -> int:
    """Create and start a campaign of `count` recipients. Returns its id."""
    recipients: Any = numbers(count)
    if "{" in text:
        recipients = [(number, {"name": f"نام {place}"}) for place, number in enumerate(recipients)]
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=recipients, text=text, sender=SENDER, **options)
        campaigns.start(connection, campaign)
    return campaign


def run_due_work(context: Context) -> dispatch.DueWork:
    """Run one tick of the dispatcher and then each task that it would enqueue, in this process, one after the other."""
    run_guards(context)
    due_work = dispatch.tick(context, now=context.now())
    for batch_id in due_work.send:
        submit.send_batch(context, batch_id)
    for batch_id in due_work.resolve:
        submit.resolve_batch(context, batch_id)
    for batch_id in due_work.withdraw:
        track.withdraw_batch(context, batch_id)
    for _ in range(due_work.polls):
        track.poll_statuses(context)
    for _ in range(due_work.callbacks):
        callbacks.process_callbacks(context)
    if due_work.account:
        account.recheck_hold(context)
    for otp_id in due_work.otp:
        run_otp(context, otp_id)
    if due_work.follow_otps:
        follow_otps(context)
    for line in due_work.lines:
        pull.pull_line(context, line)
    return due_work


def run_guards(context: Context) -> None:
    """Run the guards that precede a tick, and the tasks that they enqueue when a guard objects."""
    guards.check_clock(context)
    account.recognise_key(context)
    if guards.check_place(context, now=context.now()):
        guards.check_restart(context)


def at(context: Context, url: str, *, deadline_s: float = 15.0) -> Context:
    """Return the context with a client for another gateway."""
    client = Client(Sandbox.api_key, url, deadline_s=deadline_s, connect_timeout_s=5.0)
    return replace(context, gateway=PacedClient(client, context.pace))


def claimed(context: Context, batch_id: int, *, after: timedelta = timedelta(0)) -> Claim:
    """Claim a due batch as a worker does that is about to send it, `after` from now."""
    claim = batches.claim_ready(
        context.database,
        batch_id,
        account=context.account,
        call_id=uuid4(),
        now=context.now() + after,
        lease=context.policy.lease,
    )
    assert claim is not None
    return claim


def batch_ids(engine: Engine, campaign_id: int) -> list[int]:
    """Return the ids of the batches of a campaign, in order, without split ones."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id FROM sms.batches WHERE campaign_id = :id AND state <> 'split' ORDER BY first_id"),
            {"id": campaign_id},
        )
        return [row.id for row in rows]


def states(engine: Engine, campaign_id: int) -> dict[str, int]:
    """Count the messages of a campaign by state, from the rows of messages."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT state, count(*) AS messages FROM sms.messages WHERE campaign_id = :id GROUP BY state"),
            {"id": campaign_id},
        )
        return {row.state: row.messages for row in rows}


def counters(connection: Connection, campaign_id: int) -> dict[str, int]:
    """Return the counts of a campaign by state, from the counters of its batches."""
    progress = campaigns.progress(connection, campaign_id)
    return {state.value: count for state, count in progress.counts.items() if count}
