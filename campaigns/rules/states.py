"""The states of campaigns, batches and messages, and every move between them, in one table each.

The database repeats these tables as CHECK constraints and as the from-state of every UPDATE; `MOVES` is where a
person reads them. A state without a row to the right is final.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"  # loaded whole, nothing planned
    SCHEDULED = "scheduled"  # batches cut; starts by itself at `start_at`
    RUNNING = "running"
    PAUSED = "paused"  # by a person, or by a refusal that a person must mend: see `hold_reason`
    FINISHED = "finished"  # every message has its verdict
    CANCELLED = "cancelled"  # nothing more is sent; what had left is still followed to its verdict


class BatchState(StrEnum):
    """Where a batch of at most 200 messages stands."""

    READY = "ready"  # waits for `due_at`
    CLAIMED = "claimed"  # a worker holds it until `due_at`, the end of its lease
    UNKNOWN = "unknown"  # a request left without an answer; asked about at `due_at`
    ACCEPTED = "accepted"  # the gateway has every message that was to go; verdicts are being polled
    CLOSED = "closed"  # every message has its verdict, or its window closed
    REFUSED = "refused"  # the gateway wants none of it
    SPLIT = "split"  # replaced by its two halves
    UNCERTAIN = "uncertain"  # unknown for longer than the gateway can answer for: a person decides
    CANCELLED = "cancelled"  # never sent


class MessageState(StrEnum):
    """Where one message to one number stands."""

    PENDING = "pending"  # nothing has left, or nobody knows yet: the batch says which
    ACCEPTED = "accepted"  # the gateway has it under `gateway_id`
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"  # may still become delivered: the gateway can resend by itself
    FAILED = "failed"
    BLOCKED = "blocked"  # the recipient opted out at the gateway; refunded
    CANCELLED = "cancelled"  # withdrawn before it was sent, or status 13; refunded
    EXPIRED = "expired"  # the window closed without a verdict; `status` keeps the last one known
    REFUSED = "refused"  # the gateway refused this number or text; `refused_code` says why
    SUPPRESSED = "suppressed"  # on our suppression list; never sent
    UNCERTAIN = "uncertain"  # nobody can know any more whether it was sent: a person decides


class OtpState(StrEnum):
    """Where a one-time password stands. There is no localid for it: what is unknown stays so."""

    WAITING = "waiting"  # waits for `due_at`
    CLAIMED = "claimed"  # a worker holds it until `due_at`, the end of its lease
    ACCEPTED = "accepted"  # the gateway has it
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"  # status 13: a problem in sending, or the account's debug mode
    REFUSED = "refused"  # the gateway wanted none of it; `code` says why
    UNKNOWN = "unknown"  # a request left without an answer: it may have been sent, and is never sent again by itself
    EXPIRED = "expired"  # too old to be of use before it could be sent, or no verdict came


_C, _B, _M, _O = CampaignState, BatchState, MessageState, OtpState

CAMPAIGN_MOVES: Final[dict[CampaignState, frozenset[CampaignState]]] = {
    _C.DRAFT: frozenset({_C.SCHEDULED, _C.RUNNING, _C.CANCELLED}),
    _C.SCHEDULED: frozenset({_C.RUNNING, _C.PAUSED, _C.CANCELLED}),
    _C.RUNNING: frozenset({_C.PAUSED, _C.FINISHED, _C.CANCELLED}),
    _C.PAUSED: frozenset({_C.SCHEDULED, _C.RUNNING, _C.FINISHED, _C.CANCELLED}),
    _C.FINISHED: frozenset({_C.RUNNING}),  # only by a person who sends uncertain messages again
    _C.CANCELLED: frozenset(),
}

BATCH_MOVES: Final[dict[BatchState, frozenset[BatchState]]] = {
    # Accepted by a late answer; closed if all are suppressed; unknown if it may have left before a restore.
    _B.READY: frozenset({_B.CLAIMED, _B.UNKNOWN, _B.CANCELLED, _B.ACCEPTED, _B.CLOSED}),
    _B.CLAIMED: frozenset({_B.READY, _B.UNKNOWN, _B.ACCEPTED, _B.CLOSED, _B.REFUSED, _B.SPLIT, _B.UNCERTAIN}),
    _B.UNKNOWN: frozenset({_B.READY, _B.ACCEPTED, _B.CLOSED, _B.UNCERTAIN, _B.CANCELLED, _B.REFUSED}),
    _B.ACCEPTED: frozenset({_B.CLOSED, _B.UNCERTAIN, _B.SPLIT, _B.READY}),  # the last three: some are uncertain
    _B.UNCERTAIN: frozenset({_B.READY, _B.ACCEPTED, _B.CLOSED, _B.SPLIT}),  # by a person, or by a late fact
    _B.CLOSED: frozenset(),
    _B.REFUSED: frozenset(),
    _B.SPLIT: frozenset(),
    _B.CANCELLED: frozenset(),
}

VERDICTS: Final[frozenset[MessageState]] = frozenset(
    {_M.DELIVERED, _M.UNDELIVERED, _M.FAILED, _M.BLOCKED, _M.CANCELLED, _M.EXPIRED}
)
"""What an accepted message can end in."""

MESSAGE_MOVES: Final[dict[MessageState, frozenset[MessageState]]] = {
    _M.PENDING: frozenset({_M.ACCEPTED, _M.REFUSED, _M.SUPPRESSED, _M.CANCELLED, _M.UNCERTAIN}),
    _M.ACCEPTED: VERDICTS,
    _M.UNDELIVERED: frozenset({_M.DELIVERED}),
    _M.UNCERTAIN: frozenset({_M.PENDING, _M.ACCEPTED}),  # only by a person, or by a late fact
    _M.DELIVERED: frozenset(),
    _M.FAILED: frozenset(),
    _M.BLOCKED: frozenset(),
    _M.CANCELLED: frozenset(),
    _M.EXPIRED: frozenset(),
    _M.REFUSED: frozenset(),
    _M.SUPPRESSED: frozenset(),
}

_OTP_VERDICTS: Final = frozenset({_O.DELIVERED, _O.UNDELIVERED, _O.FAILED, _O.BLOCKED, _O.CANCELLED, _O.EXPIRED})

OTP_MOVES: Final[dict[OtpState, frozenset[OtpState]]] = {
    _O.WAITING: frozenset({_O.CLAIMED, _O.UNKNOWN, _O.EXPIRED}),  # unknown if it may have left before a restore
    _O.CLAIMED: frozenset({_O.WAITING, _O.ACCEPTED, _O.REFUSED, _O.UNKNOWN, *_OTP_VERDICTS}),
    _O.ACCEPTED: _OTP_VERDICTS,
    _O.UNDELIVERED: frozenset({_O.DELIVERED}),
    _O.DELIVERED: frozenset(),
    _O.FAILED: frozenset(),
    _O.BLOCKED: frozenset(),
    _O.CANCELLED: frozenset(),
    _O.REFUSED: frozenset(),
    _O.UNKNOWN: frozenset({_O.ACCEPTED, _O.REFUSED, *_OTP_VERDICTS}),  # only by an answer that came late
    _O.EXPIRED: frozenset(),
}

OPEN_BATCH_STATES: Final[tuple[BatchState, ...]] = (_B.READY, _B.CLAIMED, _B.UNKNOWN, _B.ACCEPTED)
"""A campaign with a batch in one of these is not finished."""


def sources(target: MessageState) -> frozenset[MessageState]:
    """Every state from which `target` can be reached, over however many moves, `target` itself left out.

    An answer can tell two moves at once: a message that was pending may come back as delivered.
    """
    found: set[MessageState] = set()
    frontier = {target}
    while frontier:
        frontier = {state for state, moves in MESSAGE_MOVES.items() if moves & frontier} - found
        found |= frontier
    return frozenset(found - {target})
