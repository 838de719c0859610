"""The gateway said no and created nothing: the guilty stand alone in the end, and the others leave."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from campaigns.errors import AccountBlocked, RecipientRefused, Refused, TextRefused
from campaigns.house import House
from campaigns.rules.states import MessageState
from campaigns.store import attempts, batches, campaigns, installation
from campaigns.store.records import Claim, Fact
from campaigns.submit.learning import learn
from campaigns.submit.outcome import Outcome

log = logging.getLogger(__name__)

TOO_MUCH: Final = frozenset({414, 419})
"""Refusals of a request as a whole that a smaller one may overcome. Of one message alone, they are a defect of ours."""

DATE_REFUSED: Final = 417
"""The date has passed on the way, or by the gateway's clock, or lies further ahead than it wants to keep messages."""


def refused(connection: Connection, house: House, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    """Write down a refusal by its kind: halve the batch, refuse its last message, or stop the campaign or account."""
    outcome = _ending(claim, why) if batches.holds(connection, claim) else Outcome.FENCED
    attempts.record(connection, claim, kind="send", event=outcome, now=now, code=why.code)
    if outcome is Outcome.HALVED:
        batches.halve(connection, claim, now=now, trouble=f"code {why.code}")
    elif outcome is Outcome.REFUSED:
        guilty = [Fact(message.id, MessageState.REFUSED, refused_code=why.code) for message in claim.messages]
        learn(connection, house, claim, guilty, now=now)
    elif outcome is Outcome.PUT_OFF:
        _wait_here(connection, claim, why, now=now)
    elif outcome is not Outcome.FENCED:
        _stop(connection, claim, why, outcome, now=now)
        batches.release(connection, claim, due_at=now, trouble=f"code {why.code}")
    return outcome


def _ending(claim: Claim, why: Refused) -> Outcome:
    if isinstance(why, AccountBlocked):
        return Outcome.ACCOUNT_HELD
    if why.code == DATE_REFUSED and claim.send_at is not None:
        return Outcome.PUT_OFF
    if isinstance(why, TextRefused) and not claim.personal:
        return Outcome.CAMPAIGN_PAUSED  # one text for all: a smaller batch has the same
    if isinstance(why, TextRefused) and claim.manner.calls:
        return Outcome.REFUSED  # one text for all of the batch
    guilty = isinstance(why, (RecipientRefused, TextRefused))
    if len(claim.messages) > 1 and (guilty or why.code in TOO_MUCH):
        return Outcome.HALVED
    return Outcome.REFUSED if guilty else Outcome.CAMPAIGN_PAUSED


def _wait_here(connection: Connection, claim: Claim, why: Refused, *, now: datetime) -> None:
    """The gateway does not hold it until its date: we do, and then it leaves without one, which nothing refuses.

    Nobody gets it early, and by the gateway's clock or ours, nobody much later. The rest of the campaign waits too,
    instead of asking for the same refusal batch by batch.
    """
    due_at = max(claim.send_at or now, now)
    batches.release(connection, claim, due_at=due_at, trouble=f"code {why.code}")
    if due_at > now:
        campaigns.wait_for_date(connection, claim.campaign_id, until=due_at)
    log.warning("date refused", extra={"batch_id": claim.batch_id, "code": why.code, "due_at": due_at.isoformat()})


def _stop(connection: Connection, claim: Claim, why: Refused, outcome: Outcome, *, now: datetime) -> None:
    """Nothing more leaves until a person, or a look at the account, says go on. The look comes at once."""
    if outcome is Outcome.ACCOUNT_HELD:
        installation.hold(connection, code=why.code, reason=str(why), probe_at=now, now=now)
    else:
        campaigns.hold(connection, claim.campaign_id, code=why.code, reason=str(why))
    log.error("sending stopped", extra={"batch_id": claim.batch_id, "code": why.code, "outcome": outcome.value})
