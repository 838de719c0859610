"""Remembers the attempts that a database has lost: by lost commits, a promotion, or a restored backup.

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

from kavenegar_campaigns.store.database import Database

PATIENCE_S: Final = 120.0
"""How long a database may take to answer again after it was damaged."""

# A claim waits for this lock, so that a read under it sees the last commit.
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
    """A row of `sms.attempts`, with the columns that tell it from a later row with its id."""

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
    """The attempts, backward moves and accepted messages of a database at one moment."""

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
    """The eras that are over, and the attempts that were lost with them."""

    def __init__(self) -> None:
        self.over: list[Record] = []
        self.lost: set[Attempt] = set()
        self._backward: set[tuple[Any, ...]] = set()
        self._changing = False

    @property
    def era(self) -> int | None:
        """The number of this era, from 0; None while a loss is going on."""
        return None if self._changing else len(self.over)

    @contextmanager
    def loss(self, engine: Engine) -> Iterator[Counter[str]]:
        """Damage a database in this block and restore it. At the end of the block the lost attempts are counted.

        From the start of the block until the damage no process can claim.
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
        """Read the attempts for the last time; the holder's session keeps others from adding to them."""
        holder.execute(_LOCK)
        record = Record.read(holder)
        self._changing = True
        self.over.append(record)
        return record

    def attempts(self, era: int, connection: Connection) -> frozenset[Attempt]:
        """Return the attempts at the end of an era; for the present era, the attempts now."""
        return self.over[era].attempts if era < len(self.over) else Record.read(connection).attempts

    def put_back(self, connection: Connection) -> None:
        """Write the lost attempts and the lost backward moves into the checker's tables."""
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
