"""Sending workers of an older version: their statements, at these tables, from several threads, until they are stopped.

The sessions are those of real workers: their lock timeout, their pool, and statements that psycopg prepares once they
have run a few times. Their claims ask for `batch.*`: where `batches` gets a column, PostgreSQL refuses a claim that was
prepared before, once in each session, and nothing of it is done. The task fails and is enqueued again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from uuid import uuid4

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from kavenegar_campaigns.store.engine import make_engine
from tests.store.upgrades import old_statements as sql
from tests.waiting import until

NAME: Final = "old worker"
LEASE: Final = timedelta(minutes=2)
AT_ONCE: Final = timedelta(0)
STALE_PLAN: Final = "cached plan must not change result type"
FIRST_DRAFT_ID: Final = (9 << 33) + 1
KINDS: Final = ("accepted", "resolved", "ticked", "created")


class OldWorkers:
    """Threads that send, each its own batches, and one that ticks and creates. `errors` is what went wrong in them.

    `stale` counts, by thread, the claims that were refused because of a new column.
    """

    def __init__(self, url: str, batches: Sequence[int], *, threads: int = 3) -> None:
        self.errors: list[str] = []
        self.stale: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._url = url
        self._over = threading.Event()
        lanes = [batches[lane::threads] for lane in range(threads)]
        self._threads = [threading.Thread(target=self._send, args=(lane,), daemon=True) for lane in lanes]
        self._threads.append(threading.Thread(target=self._tick, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.until_more(3)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def until_more(self, rounds: int) -> None:
        """Until every kind of work was done so many times more, or something went wrong."""
        goal = {kind: self.done[kind] + rounds for kind in KINDS}
        until(
            lambda: bool(self.errors) or all(self.done[kind] >= count for kind, count in goal.items()),
            "work of the old workers",
        )

    def _repeat(self, work: Callable[[Engine, int], None]) -> None:
        engine = make_engine(self._url)
        event.listen(engine, "connect", _name)
        round_ = 0
        while not self._over.is_set():
            round_ += 1
            try:
                work(engine, round_)
            except SQLAlchemyError as error:
                self._note(str(error).partition("\n")[0])
        engine.dispose()

    def _note(self, error: str) -> None:
        if STALE_PLAN in error:
            self.stale[threading.current_thread().name] += 1
        else:
            self.errors.append(error)
            self._over.wait(0.2)

    def _send(self, batches: Sequence[int]) -> None:
        def one(engine: Engine, round_: int) -> None:
            batch_id = batches[round_ % len(batches)]
            if round_ % 5:
                self._deliver(engine, batch_id)
            else:
                self._die_and_resolve(engine, batch_id)

        self._repeat(one)

    def _deliver(self, engine: Engine, batch_id: int) -> None:
        claim = self._claim(engine, sql.CLAIM_READY, batch_id, lease=LEASE)
        if claim is None:
            with engine.begin() as connection:  # a round before this one went wrong half-way
                _afresh(connection, batch_id)
            return
        for state, kind in (("accepted", "send"), ("delivered", "poll")):
            with engine.begin() as connection:
                _learn(connection, claim, state, kind)
        with engine.begin() as connection:
            _afresh(connection, batch_id)
        self.done["accepted"] += 1

    def _die_and_resolve(self, engine: Engine, batch_id: int) -> None:
        if self._claim(engine, sql.CLAIM_READY, batch_id, lease=AT_ONCE) is None:
            return
        claim = None
        while claim is None and not self._over.wait(0.01):
            claim = self._claim(engine, sql.CLAIM_UNKNOWN, batch_id, lease=LEASE)
        if claim is None:
            return
        with engine.begin() as connection:
            connection.execute(sql.SEND_AGAIN, {**claim, "now": _now()})
            connection.execute(sql.RECORD, {**claim, "kind": "resolve", "event": "never seen", "now": _now()})
        self.done["resolved"] += 1

    def _claim(self, engine: Engine, statement: Any, batch_id: int, *, lease: timedelta) -> dict[str, Any] | None:
        now = _now()
        values = {"batch_id": batch_id, "owner": uuid4(), "call_id": uuid4(), "now": now, "lease_ends": now + lease}
        with engine.begin() as connection:
            row = connection.execute(statement, values).mappings().one_or_none()
            if row is None:
                return None
            span = {"first_id": row["first_id"], "last_id": row["last_id"]}
            ids = [message.id for message in connection.execute(sql.PENDING, span)]
        return {**values, "attempt": row["attempt"], "ids": ids, "asked": len(ids)}

    def _tick(self) -> None:
        def one(engine: Engine, round_: int) -> None:
            for statements in ((sql.LAPSE, sql.FINISH, sql.TICKED), (sql.ENQUEUE,)):
                with engine.begin() as connection:
                    connection.execute(sql.ALONE)
                    for statement in statements:
                        connection.execute(statement, {"now": _now()})
            self.done["ticked"] += 1
            with engine.begin() as connection:
                connection.execute(sql.DRAFT, {"first_id": FIRST_DRAFT_ID + 200 * round_, "now": _now()})
            self.done["created"] += 1
            self._over.wait(0.02)

        self._repeat(one)


def _name(connection: Any, _: object) -> None:
    """Sessions of old workers are known by their name to whoever looks at their waits."""
    connection.execute(f"SET application_name = '{NAME}'")
    connection.commit()


def _learn(connection: Connection, claim: dict[str, Any], state: str, kind: str) -> None:
    ids = claim["ids"]
    values = {**claim, "kind": kind, "event": state, "now": _now(), "closes_at": _now() + timedelta(days=2)}
    facts = {
        "states": [state] * len(ids),
        "gateway_ids": [each + 1000 for each in ids],
        "statuses": [10 if state == "delivered" else 1] * len(ids),
    }
    connection.execute(sql.LOCK, values)
    connection.execute(sql.MERGE, {**values, **facts})
    connection.execute(sql.RECOUNT, values)
    connection.execute(sql.RECORD, values)


def _afresh(connection: Connection, batch_id: int) -> None:
    span = text("SELECT id, first_id, last_id FROM sms.batches WHERE id = :batch_id FOR UPDATE")
    row = connection.execute(span, {"batch_id": batch_id}).one()
    for statement in sql.AFRESH:
        connection.execute(
            statement, {"batch_id": batch_id, "first_id": row.first_id, "last_id": row.last_id, "now": _now()}
        )


def _now() -> datetime:
    return datetime.now(UTC)
