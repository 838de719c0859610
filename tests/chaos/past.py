"""What a database has forgotten, remembered beside it: lost commits, a promotion, a restored backup.

The history of a database that loses commits falls into eras. Within one, what is on record only grows, and ids do not
come back; from one to the next they may. The checker counts what was ever on record, whichever era it was in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from campaigns.store.database import Database

PATIENCE_S: Final = 120.0
"""How long a database may take to answer again after it was hurt."""

# Whoever claims waits for this lock, so that what is read under it is the last that was committed.
_LOCK: Final = text("LOCK TABLE sms.attempts IN SHARE MODE")
_ATTEMPTS: Final = text("""
    SELECT attempt.id, attempt.batch_id, batch.campaign_id, attempt.call_id, attempt.kind, attempt.event,
           attempt.attempt
      FROM sms.attempts AS attempt JOIN sms.batches AS batch ON batch.id = attempt.batch_id
""")
_BACKWARD: Final = text("SELECT message_id, was, became, at FROM chaos.backward")
_ACCEPTED: Final = text("SELECT count(gateway_id) FROM sms.messages")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `sms.attempts`, as one that comes back after a loss is told from one that takes its id."""

    id: int
    batch_id: int
    campaign_id: int
    call_id: Any
    kind: str
    event: str
    attempt: int

    @property
    def may_have_sent(self) -> bool:
        return (self.kind, self.event) == ("send", "began")


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in a database at one moment."""

    attempts: frozenset[Attempt]
    backward: frozenset[tuple[Any, ...]]
    accepted: int

    @classmethod
    def read(cls, connection: Connection) -> Record:
        return cls(
            frozenset(Attempt(*row) for row in connection.execute(_ATTEMPTS)),
            frozenset(tuple(row) for row in connection.execute(_BACKWARD)),
            int(connection.execute(_ACCEPTED).scalar_one()),
        )


class Past:
    """The eras that are over, and what was lost with them."""

    def __init__(self) -> None:
        self.over: list[Record] = []
        self.lost: set[Attempt] = set()
        self._backward: set[tuple[Any, ...]] = set()
        self._changing = False

    @property
    def era(self) -> int | None:
        """The number of this era, from 0; None while one gives way to the next."""
        return None if self._changing else len(self.over)

    @contextmanager
    def loss(self, engine: Engine) -> Iterator[Counter[str]]:
        """Hurt a database in this block, and bring it back; what it has lost is counted when the block is over.

        From the start of the block until the database is hurt nobody claims anything.
        """
        counts: Counter[str] = Counter()
        holder = engine.connect()
        before = self._close_era(holder)
        try:
            yield counts
        finally:
            holder.invalidate()
            holder.close()
            after = Database(engine, patience_s=PATIENCE_S)(Record.read)
            gone = before.attempts - after.attempts
            self.lost |= gone
            self._backward |= before.backward
            counts["attempts"] = len(gone)
            counts["sends"] = sum(each.may_have_sent for each in gone)
            counts["accepted"] = max(0, before.accepted - after.accepted)
            self._changing = False

    def _close_era(self, holder: Connection) -> Record:
        """The last that stands on record: nobody adds to it while the holder's session lives."""
        holder.execute(_LOCK)
        record = Record.read(holder)
        self._changing = True
        self.over.append(record)
        return record

    def attempts(self, era: int, connection: Connection) -> frozenset[Attempt]:
        """What stood on record at the end of an era; of this one, what stands there now."""
        return self.over[era].attempts if era < len(self.over) else Record.read(connection).attempts

    def put_back(self, connection: Connection) -> None:
        """Lay what was lost beside what is left, for the checker."""
        lost = [
            {name: getattr(each, name) for name in ("batch_id", "call_id", "kind", "event", "attempt")}
            for each in self.lost
        ]
        if lost:
            connection.execute(
                text("""
                    INSERT INTO chaos.lost_attempts (batch_id, call_id, kind, event, attempt)
                    VALUES (:batch_id, :call_id, :kind, :event, :attempt)
                """),
                lost,
            )
        here = {tuple(row) for row in connection.execute(_BACKWARD)}
        for row in self._backward - here:
            connection.execute(
                text("INSERT INTO chaos.backward (message_id, was, became, at) VALUES (:id, :was, :became, :at)"),
                dict(zip(("id", "was", "became", "at"), row, strict=True)),
            )
