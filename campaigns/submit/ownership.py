"""Ask about the messages of a claim by our ids, and tell ours from somebody else's.

The answer tells ids and a status, and no number. Where another database has used the same ids on this account, the
message behind an id is somebody else's, and nobody of ours got anything. So it is looked at: whole, where our address
may read whole messages (sms/select); else by asking what went to a number (sms/statusbyreceptor), of the first and the
last, and of each one where these do not agree with the ids.

Ids collide in ranges: another database fills batches from their beginning, as we do. That a listing lacks a message
proves little, for answers come short: only what it lacks again and again, round after round, is somebody else's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from campaigns import asking
from campaigns.errors import Postpone, Refused, RequestRefused
from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import LocalStatus, SentMessage
from campaigns.rules.matching import same_sender, same_text
from campaigns.rules.windows import CLOCKS_DIFFER
from campaigns.store import attempts, messages
from campaigns.store.records import Claim, Fact, Outgoing
from campaigns.submit.learning import facts_of, number_of
from campaigns.submit.outcome import Outcome

log = logging.getLogger(__name__)

TRIES: Final = 2
"""How often in a round a listing is asked for a message that it lacks."""

ROUNDS: Final = 6
"""After so many rounds in which the listings lacked a message, it is somebody else's. Between two, batches settle."""


@dataclass(frozen=True, slots=True)
class _Owned:
    """`rows` are of messages that are ours; `foreign` are our ids of somebody else's; `doubtful` may be either."""

    rows: Sequence[LocalStatus]
    foreign: AbstractSet[int] = frozenset()
    doubtful: AbstractSet[int] = frozenset()
    shown: Mapping[int, SentMessage] = field(default_factory=dict)  # whole messages, by the gateway's ids


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a claim's messages: facts about ours, ids never seen, ids of somebody else's messages.

    `doubtful` ids have a message at the gateway, and it could not be told yet whose. Of a message in none of these
    nothing is known yet.
    """

    facts: Sequence[Fact] = ()
    unseen: AbstractSet[int] = frozenset()
    foreign: AbstractSet[int] = frozenset()
    doubtful: AbstractSet[int] = frozenset()


def ask(house: House, claim: Claim) -> Answer:
    """What the gateway says of the messages of a claim. Nothing leaves under their ids while the claim holds.

    Raises: Postpone, Refused, where the gateway cannot be asked.
    """
    known = asking.by_localid(house.gateway, [message.id for message in claim.messages])
    owned = _sort_out(house, claim, known.rows)
    if owned.foreign:
        log.error("localid collision found", extra={"batch_id": claim.batch_id, "messages": len(owned.foreign)})
    return Answer(facts_of(owned.rows, owned.shown), known.unseen, owned.foreign, owned.doubtful)


def _sort_out(house: House, claim: Claim, rows: Sequence[LocalStatus]) -> _Owned:
    if not rows:
        return _Owned([])
    owned = _by_select(house, claim, rows) if house.policy.select_allowed else None
    return _by_receptor(house, claim, rows) if owned is None else owned


def _by_select(house: House, claim: Claim, rows: Sequence[LocalStatus]) -> _Owned | None:
    """By number, sender and text of each; None where our address may not look. What is not shown counts as ours.

    What is shown tells the price as well, which an answer by our ids does not.
    """
    ids = [row.messageid for row in rows if row.messageid is not None]
    try:
        found = {
            row.messageid: row for row in house.gateway.select(ids, lane=Lane.SEND) if row.status != NO_LONGER_KNOWN
        }
    except RequestRefused as why:
        log.warning("sms/select found not allowed", extra={"code": why.code})
        return None
    ours = {message.id: message for message in claim.messages}
    owned = _split(
        rows,
        lambda row: row.messageid not in found or _is_ours(claim, ours[row.localid], found[row.messageid]),
    )
    return replace(owned, shown=found)


def _is_ours(claim: Claim, message: Outgoing, row: SentMessage) -> bool:
    return (
        message.number == number_of(row.receptor)
        and same_sender(claim.sender, row.sender)
        and same_text(message.text, row.message)
    )


def _split(rows: Sequence[LocalStatus], ours: Callable[[LocalStatus], bool]) -> _Owned:
    mine = [row for row in rows if ours(row)]
    return _Owned(mine, foreign={row.localid for row in rows} - {row.localid for row in mine})


def _by_receptor(house: House, claim: Claim, rows: Sequence[LocalStatus]) -> _Owned:
    """By what went to the number of the first and the last; where that speaks against the ids, of each."""
    listing = _Listing(house, claim)
    ends = [listing.holds(row) for row in (rows[0], rows[-1])]
    if all(ends) and not claim.ids_in_doubt:
        return _Owned(rows)
    if claim.ids_in_doubt or any(ends) or listing.works():
        return _each(house, claim, rows, listing)
    log.warning("localid check skipped", extra={"batch_id": claim.batch_id, "messages": len(rows)})
    return _Owned(rows)


def _each(house: House, claim: Claim, rows: Sequence[LocalStatus], listing: _Listing) -> _Owned:
    """Ask of one number after the other, as long as the lease lasts; the rest is told apart another time."""
    asked: list[LocalStatus] = []
    for row in rows:
        if house.now() + house.policy.deadline > claim.lease_ends:
            break
        try:
            listing.holds(row)
        except (Postpone, Refused):
            break
        asked.append(row)
    mine = [row for row in asked if listing.holds(row)]
    lacking = {row.localid for row in asked} - {row.localid for row in mine}
    rounds = house.database(attempts.count_events, claim.batch_id, event=Outcome.IDS_IN_DOUBT)
    decided = lacking if rounds >= ROUNDS and listing.works() else frozenset()
    return _Owned(
        mine, foreign=decided, doubtful={row.localid for row in rows} - {row.localid for row in mine} - decided
    )


class _Listing:
    """What the gateway lists for a number, asked once."""

    def __init__(self, house: House, claim: Claim) -> None:
        self._house = house
        self._claim = claim
        self._start = claim.send_at or claim.first_sent_at
        self._numbers = {message.id: message.number for message in claim.messages}
        self._seen: dict[int, bool] = {}

    def holds(self, row: LocalStatus) -> bool:
        """Whether a message stands in the listing of the number that it was to go to. Raises: Postpone, Refused."""
        if row.localid not in self._seen:
            self._seen[row.localid] = self._lists(self._numbers[row.localid], row.messageid, self._start)
        return self._seen[row.localid]

    def works(self) -> bool:
        """Whether listings show what surely is ours: another message of this claim, or one of another batch."""
        if any(self._seen.values()):
            return True
        witness = self._house.database(messages.witness, self._claim.campaign_id, self._claim.batch_id)
        return witness is not None and self._lists(witness.number, witness.gateway_id, witness.sent_at)

    def _lists(self, number: str, gateway_id: int | None, start: datetime) -> bool:
        begin = int((start - CLOCKS_DIFFER).timestamp())
        tries = (self._house.gateway.statusbyreceptor(number, begin, lane=Lane.SEND) for _ in range(TRIES))
        return any(gateway_id in {row.messageid for row in listed} for listed in tries)
