"""The states of campaigns, batches and messages, and every move between them, in one table each.

The database repeats these tables as CHECK constraints and as the from-state of every UPDATE; people read them in
`MOVES`. A state without a move is final.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class CampaignState(StrEnum):
    """The state of a campaign."""

    DRAFT = "draft"  # loaded completely, not planned yet
    SCHEDULED = "scheduled"  # split into batches; starts by itself at `start_at`
    RUNNING = "running"  # its batches are sent as they become due
    PAUSED = "paused"  # by a person, or by a refusal that a person must mend: see `hold_reason`
    FINISHED = "finished"  # every message has its verdict
    CANCELLED = "cancelled"  # nothing more is sent; messages that were sent are still polled to their verdict


class BatchState(StrEnum):
    """The state of a batch of at most 200 messages."""

    READY = "ready"  # waits for `due_at`
    CLAIMED = "claimed"  # a worker holds it until `due_at`, the end of its lease
    UNKNOWN = "unknown"  # a request left and got no answer; the gateway is asked about it at `due_at`
    ACCEPTED = "accepted"  # the gateway has every message that was to be sent; verdicts are polled
    CLOSED = "closed"  # every message has its verdict, or its window closed
    REFUSED = "refused"  # the gateway refused every message
    SPLIT = "split"  # replaced by its two halves
    UNCERTAIN = "uncertain"  # unknown for longer than the gateway answers for localids: a person decides
    CANCELLED = "cancelled"  # never sent


class MessageState(StrEnum):
    """The state of one message to one number."""

    PENDING = "pending"  # not sent, or not known yet whether it was sent: the state of the batch says which
    ACCEPTED = "accepted"  # the gateway has it under `gateway_id`
    DELIVERED = "delivered"  # it reached the phone
    UNDELIVERED = "undelivered"  # may still become delivered: the gateway can resend by itself
    FAILED = "failed"  # failed at the sending line
    BLOCKED = "blocked"  # the recipient opted out at the gateway; refunded
    CANCELLED = "cancelled"  # withdrawn before it was sent, or status 13; refunded
    EXPIRED = "expired"  # the window closed without a verdict; `status` keeps the last one known
    REFUSED = "refused"  # the gateway refused this number or text; `refused_code` says why
    SUPPRESSED = "suppressed"  # on our suppression list; never sent
    UNCERTAIN = "uncertain"  # the gateway can no longer say whether it was sent: a person decides


REFUNDED: Final = frozenset({MessageState.BLOCKED, MessageState.CANCELLED})
"""The states in which the cost of a message comes back. Source: kavenegar-rest, table 2 (13 and 14)."""


class OtpState(StrEnum):
    """The state of a one-time password. It has no localid, so the gateway cannot be asked about an unknown one."""

    WAITING = "waiting"  # waits for `due_at`
    CLAIMED = "claimed"  # a worker holds it until `due_at`, the end of its lease
    ACCEPTED = "accepted"  # the gateway has it
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"  # status 13: a problem in sending, or the account's debug mode
    REFUSED = "refused"  # the gateway refused it; `code` says why
    UNKNOWN = "unknown"  # a request left and got no answer: it may have been sent, and is never sent again by itself
    EXPIRED = "expired"  # too old before it could be sent, or it got no verdict


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
"""The final states of an accepted message."""

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
"""A campaign with a batch in one of these states is not finished."""


def states_leading_to(target: MessageState) -> frozenset[MessageState]:
    """Return every state from which `target` can be reached, by any number of moves, without `target` itself.

    One answer can report two moves at once: a pending message may come back as delivered.
    """
    found: set[MessageState] = set()
    frontier = {target}
    while frontier:
        frontier = {state for state, moves in MESSAGE_MOVES.items() if moves & frontier} - found
        found |= frontier
    return frozenset(found - {target})
