"""Is this still the database that it was? If commits may be missing, whatever may have left is asked about first.

what is found                what is done
────────────────────────────────────────────────────────────────────────────────────────────────────────
a restart of the server      the requests that would leave next are asked about, one message of each; if the
                             gateway knows one of them, commits were lost
a failover, lost commits     everything that may have left is asked about, by itself
a copy: restored or cloned   nothing is sent until a person says whether the original is gone: `accept`
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from campaigns import asking
from campaigns.asking import Known
from campaigns.errors import GatewayError
from campaigns.house import House, Policy
from campaigns.kavenegar.pace import Lane
from campaigns.store import gate, identity, restores
from campaigns.store.database import Database
from campaigns.store.gate import Gate
from campaigns.store.identity import Place
from campaigns.store.restores import Cause, Restored

log = logging.getLogger(__name__)

CHECK_EVERY: Final = timedelta(seconds=10)
"""Between two questions to the gateway whether commits were lost in a restart."""


def look(house: House, *, now: datetime) -> bool:
    """See where the database is, once a tick. True: `check` is to be run, which asks the gateway."""
    found = house.database(gate.read)
    if found.place is Place.HOME:
        return False
    if found.place is Place.FAILED_OVER:
        house.database(_lost, house.policy, Cause.FAILED_OVER, now=now)
        return False
    if found.place is Place.RESTARTED and not house.database(restores.sample, most=1):
        house.database(_settle)
        return False
    due = house.database(gate.claim_check, now=now, next_at=now + CHECK_EVERY)
    if due and found.place is Place.COPIED:
        log.error("database is a copy: nothing is sent before `campaigns restored`")
    return due and found.place is Place.RESTARTED


def check(house: House) -> str:
    """Ask the gateway whether it knows anything of what would leave next; what was found, in a few words.

    Nothing is sent meanwhile, and it may be run twice.
    """
    if house.database(identity.read) is not Place.RESTARTED:
        return "nothing to check"
    sampled = house.database(restores.sample)
    try:
        known = _asked(house, sampled)
    except GatewayError as why:
        log.warning("restart check failed", extra={"code": why.code, "error": type(why).__name__})
        return f"cannot be asked: {why}"
    if known.rows:
        log.error("commits lost in a restart", extra={"messages": len(known.rows)})
        house.database(_lost, house.policy, Cause.LOST_COMMITS, now=house.now())
        return "commits were lost: everything is asked about"
    if not known.unseen >= set(sampled):
        return "not all were answered for"
    house.database(_settle)
    return f"nothing was lost: {len(sampled)} messages were never seen"


def _asked(house: House, sampled: Sequence[int]) -> Known:
    if not sampled:
        return Known([], frozenset())
    house.gateway.admit(Lane.SEND)
    return asking.by_localid(house.gateway, sampled)


def accept(database: Database, policy: Policy, *, copy: bool, now: datetime) -> Restored:
    """A person says that this database replaces the one it came from, or, of a `copy`, that the other goes on.

    Whatever may have left since then is asked about first, by its old ids; of a copy, what was started is cancelled.
    Works as well where the database does not know that it was restored: from a backup of before it could tell, or from
    a snapshot of its disk.
    """
    cause = Cause.COPIED if copy else Cause.RESTORED
    return database(_decide, policy, cause, now=now)


def _lost(connection: Connection, policy: Policy, cause: Cause, *, now: datetime) -> Restored | None:
    """Unless somebody else has done it meanwhile."""
    restores.lock(connection)
    found = gate.read(connection)
    if found.place is Place.HOME:
        return None
    return _ask(connection, found, policy, cause, now=now)


def _decide(connection: Connection, policy: Policy, cause: Cause, *, now: datetime) -> Restored:
    restores.lock(connection)
    return _ask(connection, gate.read(connection), policy, cause, now=now)


def _ask(connection: Connection, found: Gate, policy: Policy, cause: Cause, *, now: datetime) -> Restored:
    done = restores.ask_about_everything(
        connection,
        cause,
        lost_since=min(found.alive_at, now),
        ask_at=now + policy.quiet,
        call_id=uuid4(),
        now=now,
    )
    facts = {
        "cause": cause.value,
        "batches": done.batches,
        "otps": done.otps,
        "lost_since": done.lost_since.isoformat(),
    }
    log.error("open work marked unknown", extra=facts)
    return done


def _settle(connection: Connection) -> None:
    """A restart without a loss: the place is the same, under a server started anew."""
    restores.lock(connection)
    if identity.read(connection) is Place.RESTARTED:
        identity.settle(connection)
        log.info("database restarted without a loss")
