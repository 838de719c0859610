"""Ask about a batch whose outcome is unknown, by our own ids, before anything of it may leave again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection

from campaigns.errors import AccountBlocked, Postpone, Refused, RequestRefused
from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN
from campaigns.kavenegar.records import LocalStatus
from campaigns.rules.states import BatchState, MessageState
from campaigns.rules.windows import may_resend
from campaigns.store import attempts, batches, campaigns, installation
from campaigns.store.records import Claim, Fact
from campaigns.submit.learning import collided, fact, learn, matched
from campaigns.submit.outcome import Outcome
from campaigns.submit.send import admitted

log = logging.getLogger(__name__)

MOST_QUESTIONS = 6
"""Questions about one batch in a row. Of 200 ids, answers that leave out a third of the rows leave one in a batch."""

HOPELESS = 8
"""A batch that left this often and never arrived pauses its campaign: somebody has to look."""


def resolve(house: House, batch_id: int) -> Outcome:
    """Find out what became of an unknown batch. Ringing twice is harmless: the claim decides."""
    vain = admitted(house, batch_id, BatchState.UNKNOWN)
    if vain is not None:
        return vain
    now = house.now()
    claim = house.database(
        batches.claim_unknown, batch_id, owner=house.owner, call_id=uuid4(), now=now, lease=house.policy.lease
    )
    if claim is None:
        return Outcome.NOT_DUE
    try:
        answered = _asked(house, claim)
        facts = _found(claim, answered)
        strangers = _strangers(house, claim, facts)
    except Postpone as why:
        return house.database(_ask_later, claim, str(why), now=house.now(), wait_s=why.retry_after_s, code=why.code)
    except Refused as why:
        return house.database(_cannot_ask, house, claim, why, now=house.now())
    unseen = {row.localid for row in answered if row.status == NO_LONGER_KNOWN and row.messageid is None}
    return house.database(_answered, house, claim, facts, unseen, strangers=strangers, now=house.now())


def _asked(house: House, claim: Claim) -> list[LocalStatus]:
    """What the gateway says of every id. What an answer leaves out is asked about again, while each tells of more.

    Nothing leaves under these ids while the claim holds, so that answers of several moments are true together.
    Raises: Postpone, Refused, where not even the first question is answered.
    """
    told: list[LocalStatus] = []
    left = [message.id for message in claim.messages]
    for _ in range(MOST_QUESTIONS):
        try:
            answered = house.gateway.statuslocalmessageid(left)
        except (Postpone, Refused):
            if not told:
                raise
            break
        told += answered
        heard = {row.localid for row in answered}
        rest = [message_id for message_id in left if message_id not in heard]
        if not rest or len(rest) == len(left):
            break
        left = rest
    return told


def _found(claim: Claim, answered: Sequence[LocalStatus]) -> list[Fact]:
    """Our messages that the gateway has. Status 100 within the window: it never saw that id."""
    ours = {message.id for message in claim.messages}
    return [
        fact(row.localid, row.messageid, row.status)
        for row in answered
        if row.localid in ours and row.status != NO_LONGER_KNOWN and row.messageid is not None
    ]


def _strangers(house: House, claim: Claim, facts: Sequence[Fact]) -> int:
    """How many of these are somebody else's messages. That answer tells ids only; sms/select tells more, if allowed."""
    if not facts or not house.policy.may_select:
        return 0
    try:
        answered = house.gateway.select([fact.gateway_id for fact in facts if fact.gateway_id is not None])
    except RequestRefused as why:
        log.warning("sms/select not allowed", extra={"code": why.code})
        return 0
    return matched(claim, [row for row in answered if row.status != NO_LONGER_KNOWN]).strangers


def _answered(
    connection: Connection,
    house: House,
    claim: Claim,
    facts: Sequence[Fact],
    unseen: AbstractSet[int],
    *,
    strangers: int,
    now: datetime,
) -> Outcome:
    """What the gateway has is accepted; what it never saw may leave again; whatever else it says leaves it unknown."""
    if strangers:
        return collided(connection, house, claim, [], strangers, now=now)
    learn(connection, house, claim, facts, now=now)
    found = {fact.message_id for fact in facts}
    missing = [message.id for message in claim.messages if message.id not in found]
    if missing and not batches.holds(connection, claim):
        outcome = Outcome.FENCED  # somebody else has asked since, or what is missing has been accepted meanwhile
    elif not missing:
        outcome = Outcome.RESOLVED
    elif not may_resend(claim.first_sent_at, claim.claimed_at, window=house.policy.localid_window):
        outcome = _give_up(connection, house, claim, missing, now=now)
    elif not unseen >= set(missing):
        wait_s = house.policy.settle.total_seconds()
        return _ask_later(connection, claim, "rows missing from the answer", now=now, wait_s=wait_s)
    else:
        outcome = _never_arrived(connection, house, claim, missing, now=now)
    attempts.record(connection, claim, kind="resolve", event=outcome, now=now)
    return outcome


def _never_arrived(
    connection: Connection, house: House, claim: Claim, missing: Sequence[int], *, now: datetime
) -> Outcome:
    """Only what the gateway never saw, and only under the same ids; of a cancelled campaign, nothing."""
    if claim.cancelled:
        unsent = [Fact(message_id, MessageState.CANCELLED) for message_id in missing]
        learn(connection, house, claim, unsent, now=now)
        return Outcome.RESOLVED
    sends = attempts.count_events(connection, claim.batch_id, event=Outcome.UNKNOWN)
    if sends >= HOPELESS:
        reason = f"batch {claim.batch_id} left {sends} times without an answer and never arrived"
        campaigns.hold(connection, claim.campaign_id, code=None, reason=reason)
    again = batches.send_again(connection, claim, due_at=now, trouble="never seen by the gateway")
    return Outcome.SENT_AGAIN if again else Outcome.FENCED


def _give_up(connection: Connection, house: House, claim: Claim, missing: Sequence[int], *, now: datetime) -> Outcome:
    """The gateway no longer knows ids this old: whether these were sent is for a person to find out."""
    learn(connection, house, claim, [Fact(message_id, MessageState.UNCERTAIN) for message_id in missing], now=now)
    log.error("messages left uncertain", extra={"batch_id": claim.batch_id, "messages": len(missing)})
    return Outcome.UNCERTAIN


def _ask_later(
    connection: Connection, claim: Claim, trouble: str, *, now: datetime, wait_s: float, code: int | None = None
) -> Outcome:
    batches.doubt(connection, claim, due_at=now + timedelta(seconds=wait_s), trouble=trouble)
    attempts.record(connection, claim, kind="resolve", event=Outcome.PUT_OFF, now=now, code=code)
    return Outcome.PUT_OFF


def _cannot_ask(connection: Connection, house: House, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    """Even asking is refused: the batch stays unknown, and what is wrong with the account is said."""
    if isinstance(why, AccountBlocked):
        installation.hold(connection, code=why.code, reason=str(why), probe_at=now, now=now)
    log.error("question refused", extra={"batch_id": claim.batch_id, "code": why.code})
    wait_s = house.policy.probe.total_seconds()
    return _ask_later(connection, claim, f"code {why.code}", now=now, wait_s=wait_s, code=why.code)
