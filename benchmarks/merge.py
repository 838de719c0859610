"""Writing down what the gateway said: acceptances of 200 and verdicts of 500, beside a bare UPDATE of the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Final
from uuid import uuid4

import psycopg
from sqlalchemy import Connection, Engine, text

import kavenegar_campaigns as campaigns
from benchmarks.bench import Bench, Unfinished
from benchmarks.figures import Row, Table, ratio
from benchmarks.recipients import SENDER, TEXTS, Kind, people
from benchmarks.stored import store
from kavenegar_campaigns.context import Policy
from kavenegar_campaigns.rules.batches import BATCH_SIZE, POLL_SIZE
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages.answers import suppress_by_verdicts
from kavenegar_campaigns.store import batches, identity, in_one_commit, polls
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.records import Claim, Fact, PollShare

ACCOUNT: Final = "benchmarks"
LEASE: Final = timedelta(minutes=10)
WINDOW: Final = timedelta(hours=48)

_NOTE: Final = (
    "The median commit of one writer. Ours takes the batch's lock, lets only forward moves through, "
    "recounts the batch from its messages and appends an attempt; the bare UPDATE does none of that."
)

_BARE_ACCEPT: Final = """
    UPDATE sms.messages AS message
       SET state = 'accepted', gateway_id = fact.gateway_id, status = 1, cost_rial = 120
      FROM unnest(%b::bigint[], %b::bigint[]) AS fact (id, gateway_id) WHERE message.id = fact.id
"""
_BARE_SETTLE: Final = """
    UPDATE sms.messages AS message SET state = 'delivered', status = 10, settled_at = now()
      FROM unnest(%b::bigint[], %b::bigint[]) AS fact (id, gateway_id)
     WHERE message.id = fact.id AND message.gateway_id = fact.gateway_id
"""

Commit = Callable[[], object]


def measure(bench: Bench, messages: int, stored: int) -> list[Table]:
    """Ours and the bare UPDATE take turns, each on a database of its own."""
    with bench.database() as plain, bench.database() as engine, _connected(plain) as bare:
        for each in (plain, engine):
            store(each, stored)
            _load(each, messages)
        ids = [row[0] for row in bare.execute("SELECT id FROM sms.messages WHERE state = 'pending' ORDER BY id")]
        accepted = _milliseconds(_bare(bare, _BARE_ACCEPT, ids, BATCH_SIZE), _acceptances(Database(engine)))
        settled = _milliseconds(_bare(bare, _BARE_SETTLE, ids, POLL_SIZE), _settlements(Database(engine)))
    rows = [*_rows(f"{BATCH_SIZE} accepted", BATCH_SIZE, accepted), *_rows(f"{POLL_SIZE} settled", POLL_SIZE, settled)]
    return [Table(f"merge: {messages:,} rows written back, beside {stored:,} stored", rows, _NOTE)]


def _rows(what: str, size: int, milliseconds: tuple[float, float]) -> list[Row]:
    bare, _ = milliseconds
    return [
        {"way": f"{way}, {what}", "ms a commit": ms, "rows/s": size / ms * 1000, "× bare": ratio(bare, ms)}
        for way, ms in zip(("bare UPDATE", "ours"), milliseconds, strict=True)
    ]


def _milliseconds(bare: Iterable[Commit], ours: Iterable[Commit]) -> tuple[float, float]:
    """The median commit of each, as long as both have any."""
    took = [(_took_ms(theirs), _took_ms(our)) for theirs, our in zip(bare, ours, strict=False)]
    return median(ms for ms, _ in took), median(ms for _, ms in took)


def _took_ms(commit: Commit) -> float:
    began = time.perf_counter()
    commit()
    return (time.perf_counter() - began) * 1000


def _load(engine: Engine, messages: int) -> None:
    """A campaign that runs."""
    numbers = (number for number, *_ in people(messages))
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers, text=TEXTS[Kind.UNIFORM], sender=SENDER)
        campaigns.start(connection, campaign)


def _connected(engine: Engine) -> psycopg.Connection[Any]:
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)


def _bare(connection: psycopg.Connection[Any], statement: str, ids: list[int], size: int) -> list[Commit]:
    slices = [ids[start : start + size] for start in range(0, len(ids), size)]
    return [partial(connection.execute, statement, [some, some]) for some in slices]


def _acceptances(database: Database) -> list[Commit]:
    """One for each batch; the claims are made before, and not timed."""
    now = database.now()
    identity.recognise_key(database, ACCOUNT, account=None, contradicted=False, now=now)
    claims = [_claimed(database, batch_id, now) for batch_id in _batch_ids(database)]
    return [partial(database, _accept, claim, now=now) for claim in claims]


def _settlements(database: Database) -> list[Commit]:
    """One for each poll of all that was accepted; the claims are made before, and not timed."""
    now = database.now()
    asked = iter(partial(database, polls.claim, now=now, lease=LEASE), [])
    return [partial(database, _settle, some, now=now) for some in list(asked)]


@in_one_commit
def _batch_ids(connection: Connection) -> list[int]:
    return list(
        connection.execute(text("SELECT id FROM sms.batches WHERE state = 'ready' ORDER BY first_id")).scalars()
    )


def _claimed(database: Database, batch_id: int, now: datetime) -> Claim:
    claim = batches.claim_ready(database, batch_id, account=ACCOUNT, call_id=uuid4(), now=now, lease=LEASE)
    if claim is None:
        raise Unfinished(f"batch {batch_id} could not be claimed")
    return claim


def _accept(connection: Connection, claim: Claim, *, now: datetime) -> None:
    """Record the acceptance of a whole batch, as a send does."""
    facts = [Fact(message.id, MessageState.ACCEPTED, message.id, 1, 120) for message in claim.messages]
    moved = batches.record_facts(connection, claim, facts, now=now, poll_at=now, closes_at=now + WINDOW)
    suppress_by_verdicts(connection, Policy(), moved, now=now)
    batches.record_attempt(connection, claim, kind="send", event="accepted", now=now)


def _settle(connection: Connection, asked: Sequence[PollShare], *, now: datetime) -> None:
    """Record the verdicts of a whole poll, as a poll does."""
    facts = [
        Fact(message_id, MessageState.DELIVERED, gateway_id, 10)
        for batch in asked
        for gateway_id, message_id in batch.message_ids.items()
    ]
    nexts = [now if batch.resume_id is not None else now + WINDOW for batch in asked]
    moved = polls.record_poll(connection, asked, facts, next_polls=nexts, call_id=uuid4(), now=now)
    suppress_by_verdicts(connection, Policy(), moved, now=now)
