"""What must hold before anything is sent or resolved, as conditions that every claim repeats.

    the account is not on hold              a refusal of the account stops all sending: `installation.hold`
    the database's clock is trusted         it has not leapt a moment ago: `clock`
    the database is where it was            nothing that was committed is missing: `identity`

A condition of a claim bites at once and cannot be forgotten: no task, no process and no restart goes around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store.identity import COMPARED, IS_HOME, IS_NO_COPY, Place, place_of

CLOCK_IS_TRUSTED: Final = "NOT EXISTS (SELECT FROM sms.installation WHERE clock_leapt_at IS NOT NULL)"
"""Leases and due times mean what they say."""

MAY_SEND: Final = f"""
    NOT EXISTS (SELECT FROM sms.installation WHERE hold_code IS NOT NULL OR clock_leapt_at IS NOT NULL) AND {IS_HOME}
"""
"""Nothing that concerns the whole installation forbids to send."""

MAY_END: Final = IS_HOME
"""Nothing is missing that would have to be asked about first, before messages end here as not sent, or as uncertain."""

MAY_ACT: Final = IS_NO_COPY
"""This database may do what shows outside of it: read an inbox, withdraw, block, hand over. In a copy it may not."""

LEFT_FROM_HERE: Final = """
    NOT EXISTS (SELECT FROM sms.epochs AS other
                 WHERE other.cause = 'copied' AND other.began_at >= coalesce(batch.first_sent_at, batch.accepted_at))
"""
"""Of a batch: it is not of the database that this one is a copy of, which goes on and wants it sent."""


@dataclass(frozen=True, slots=True)
class Leap:
    """The database's clock has leapt by `by`, seen at `at`, on the clock as it was trusted before."""

    at: datetime
    by: timedelta


@dataclass(frozen=True, slots=True)
class Gate:
    """What keeps the installation from sending, beside a hold of the account."""

    place: Place
    alive_at: datetime
    leap: Leap | None

    @property
    def is_open(self) -> bool:
        """Whether neither the database's place nor its clock forbids to send."""
        return self.place is Place.HOME and self.leap is None


# What keeps the installation from sending?
_READ: Final = text(COMPARED)


def read(connection: Connection) -> Gate:
    """How the gate stands now."""
    row = connection.execute(_READ).one()
    leap = None if row.clock_leapt_at is None else Leap(row.clock_leapt_at, row.clock_leapt_by)
    return Gate(place_of(row), row.alive_at, leap)


def may_end(connection: Connection) -> bool:
    """Whether messages may end here as cancelled, refused, suppressed or uncertain: see `MAY_END`."""
    return bool(connection.execute(text(f"SELECT {MAY_END}")).scalar_one())


# Is it time to ask the gateway about our place and our key? Then put the next time off at once, so that one asks.
_CHECK: Final = text("""
    UPDATE sms.installation SET check_at = :next WHERE check_at IS NULL OR check_at <= :now RETURNING 1
""")


def claim_check(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Whether the caller is the one to ask."""
    return connection.execute(_CHECK, {"now": now, "next": next_at}).one_or_none() is not None
