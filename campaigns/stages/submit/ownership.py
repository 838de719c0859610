"""Ask the gateway about the messages of a claim by our own ids, and find out whose messages they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import Postpone, Refused, RequestRefused
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.kavenegar.sent_messages import LocalStatus
from kavenegar_campaigns.rules.batches import MAX_CLOCK_SKEW, same_sender, same_text
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import answers
from kavenegar_campaigns.stages.answers import fact_of_status, number_of, record_facts
from kavenegar_campaigns.store import batches, campaigns, lookups, outcomes
from kavenegar_campaigns.store.records import Claim, Fact, Outgoing

# ── outcomes ──


class Outcome(StrEnum):
    """The outcome of one batch in one task, shown in Flower and stored in `attempts`."""

    NOT_DUE = "not due"
    PUT_OFF = "put off"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    HALVED = "halved"
    REFUSED = "refused"
    COLLIDED = "collided"
    CAMPAIGN_PAUSED = "campaign paused"
    ACCOUNT_HELD = "account on hold"
    RESOLVED = "resolved"
    IDS_IN_DOUBT = "ids in doubt"
    SENT_AGAIN = "ready again"
    UNCERTAIN = "uncertain"
    FENCED = "another worker decided"


log = logging.getLogger(__name__)


def facts_of_rows(rows: Sequence[LocalStatus], shown: Mapping[int, SentMessage]) -> list[Fact]:
    """Return the facts that the gateway has these messages, from its answer by localids.

    `shown` are whole messages by the gateway's ids: they tell the price, and how a message stands a moment later. A
    price of 0 is none: the field was missing.
    """
    return [_fact_of_row(row, row.messageid, shown.get(row.messageid)) for row in rows if row.messageid is not None]


def _fact_of_row(row: LocalStatus, gateway_id: int, whole: SentMessage | None) -> Fact:
    if whole is None:
        return fact_of_status(row.localid, gateway_id, row.status)
    return fact_of_status(row.localid, gateway_id, whole.status, whole.cost or None)


def handle_id_collision(
    connection: Connection, context: Context, claim: Claim, facts: Sequence[Fact], foreign: int, *, now: datetime
) -> Outcome:
    """Handle foreign messages under our ids: another database uses the same ids on this account.

    What is ours counts. Of everything else it is known that it was not sent, and under these ids it never can be: it is
    set apart as uncertain, which nothing resolves by itself, and the campaign waits for `campaigns epoch renew`.
    """
    known = {fact.message_id for fact in facts}
    others = [Fact(message.id, MessageState.UNCERTAIN) for message in claim.messages if message.id not in known]
    record_facts(connection, context, claim, [*facts, *others], now=now)
    batches.quarantine(connection, claim, now=now)
    reason = (
        f"under the ids of batch {claim.batch_id} the gateway has {foreign} messages that are not ours: another "
        "database uses the same message ids on this account; `campaigns epoch renew` mends it"
    )
    campaigns.pause_for_person(connection, claim.campaign_id, code=None, reason=reason)
    return Outcome.COLLIDED


# ── whose messages are they? ──
#
# The answer by our ids tells ids and a status, and no number. If another database has used the same ids on this
# account, the message behind an id is not ours, and our recipient got nothing. So it is checked: as whole messages,
# where our address may read them (sms/select); else by what went to a number (sms/statusbyreceptor), of the first and
# the last message, and of each one if these do not agree with the ids.
#
# Ids collide in ranges: another database fills batches from their beginning, as we do. A message that a listing lacks
# proves little, for answers come short: only a message that is missing round after round is taken for foreign.

LISTING_TRIES: Final = 2
"""How often in a round a listing is asked for a message that it lacks."""

LISTING_ROUNDS: Final = 6
"""After so many rounds in which the listings lacked a message, it is somebody else's. Between two, batches settle."""


@dataclass(frozen=True, slots=True)
class _Owned:
    """`rows` belong to our messages; `foreign` are our ids of other people's messages; `undetermined` may be either."""

    rows: Sequence[LocalStatus]
    foreign: AbstractSet[int] = frozenset()
    undetermined: AbstractSet[int] = frozenset()
    shown: Mapping[int, SentMessage] = field(default_factory=dict)  # whole messages, by the gateway's ids


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The answer about a claim's messages: facts about ours, ids never seen, ids of foreign messages.

    `undetermined` ids have a message at the gateway, and it could not be told yet whose. Of a message in none of these
    nothing is known yet.
    """

    facts: Sequence[Fact] = ()
    unseen: AbstractSet[int] = frozenset()
    foreign: AbstractSet[int] = frozenset()
    undetermined: AbstractSet[int] = frozenset()


def ask_about_claim(context: Context, claim: Claim) -> ClaimAnswer:
    """Ask the gateway about the messages of a claim. None of them is sent while the claim holds.

    Raises: Postpone, Refused, where the gateway cannot be asked.
    """
    known = answers.ask_by_localid(context.gateway, [message.id for message in claim.messages])
    owned = _check_owners(context, claim, known.rows)
    if owned.foreign:
        log.error("localid collision found", extra={"batch_id": claim.batch_id, "messages": len(owned.foreign)})
    return ClaimAnswer(facts_of_rows(owned.rows, owned.shown), known.unseen, owned.foreign, owned.undetermined)


def _check_owners(context: Context, claim: Claim, rows: Sequence[LocalStatus]) -> _Owned:
    if not rows:
        return _Owned([])
    owned = _by_select(context, claim, rows) if context.policy.select_allowed else None
    return _by_receptor(context, claim, rows) if owned is None else owned


def _by_select(context: Context, claim: Claim, rows: Sequence[LocalStatus]) -> _Owned | None:
    """Compare number, sender and text of each message; None if sms/select is not allowed. Hidden ones count as ours.

    What is shown tells the price as well, which an answer by our ids does not.
    """
    ids = [row.messageid for row in rows if row.messageid is not None]
    try:
        found = {row.messageid: row for row in context.gateway.select(ids, lane=Lane.SEND) if row.is_known}
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


def _by_receptor(context: Context, claim: Claim, rows: Sequence[LocalStatus]) -> _Owned:
    """Compare the listings of the first and the last number; if they contradict the ids, those of each number."""
    listing = _Listing(context, claim)
    ends = [listing.lists_message(row) for row in (rows[0], rows[-1])]
    if all(ends) and not claim.ids_in_doubt:
        return _Owned(rows)
    if claim.ids_in_doubt or any(ends) or listing.is_reliable():
        return _by_each_receptor(context, claim, rows, listing)
    log.warning("localid check skipped", extra={"batch_id": claim.batch_id, "messages": len(rows)})
    return _Owned(rows)


def _by_each_receptor(context: Context, claim: Claim, rows: Sequence[LocalStatus], listing: _Listing) -> _Owned:
    """Compare the listing of one number after the other while the lease lasts; the others stay doubtful."""
    asked: list[LocalStatus] = []
    for row in rows:
        if context.now() + context.policy.deadline > claim.lease_ends:
            break
        try:
            listing.lists_message(row)
        except (Postpone, Refused):
            break
        asked.append(row)
    mine = [row for row in asked if listing.lists_message(row)]
    lacking = {row.localid for row in asked} - {row.localid for row in mine}
    rounds = outcomes.count_attempts(context.database, claim.batch_id, event=Outcome.IDS_IN_DOUBT)
    decided = lacking if rounds >= LISTING_ROUNDS and listing.is_reliable() else frozenset()
    return _Owned(
        mine, foreign=decided, undetermined={row.localid for row in rows} - {row.localid for row in mine} - decided
    )


class _Listing:
    """The gateway's listings by number, each asked for once."""

    def __init__(self, context: Context, claim: Claim) -> None:
        self._context = context
        self._claim = claim
        self._start = claim.send_at or claim.first_sent_at
        self._numbers = {message.id: message.number for message in claim.messages}
        self._seen: dict[int, bool] = {}

    def lists_message(self, row: LocalStatus) -> bool:
        """Return whether a message is in the listing of its number. Raises: Postpone, Refused."""
        if row.localid not in self._seen:
            self._seen[row.localid] = self._lists(self._numbers[row.localid], row.messageid, self._start)
        return self._seen[row.localid]

    def is_reliable(self) -> bool:
        """Return whether listings show a message that is surely ours: of this claim, or of another batch."""
        if any(self._seen.values()):
            return True
        witness = lookups.find_witness(self._context.database, self._claim.campaign_id, self._claim.batch_id)
        return witness is not None and self._lists(witness.number, witness.gateway_id, witness.sent_at)

    def _lists(self, number: str, gateway_id: int | None, start: datetime) -> bool:
        begin = int((start - MAX_CLOCK_SKEW).timestamp())
        tries = (self._context.gateway.statusbyreceptor(number, begin, lane=Lane.SEND) for _ in range(LISTING_TRIES))
        return any(gateway_id in {row.messageid for row in listed} for listed in tries)
