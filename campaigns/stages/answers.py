"""The gateway's answers about our messages: match rows, record facts, and ask which localids it knows.

Source: kavenegar-rest, sms/statuslocalmessageid: status 100 is an id that it does not know, or knows no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.errors import BadInput, Postpone, Refused
from kavenegar_campaigns.kavenegar.codes import known_status, message_state
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.kavenegar.sent_messages import LocalStatus, MessageStatus
from kavenegar_campaigns.rules.batches import Matched, match_answer
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.phone import normalise_mobile
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import batches, lookups, suppressions
from kavenegar_campaigns.store.records import Claim, Fact, MovedMessage

MAX_QUESTIONS: Final = 6
"""Questions about the same ids in a row. Answers that leave out a third of their rows leave one of 200 ids."""


@dataclass(frozen=True, slots=True)
class LocalIdAnswer:
    """An answer by localids: rows of ids that the gateway has, and ids that it never saw. It may omit others."""

    rows: Sequence[LocalStatus]
    unseen: AbstractSet[int]


def ask_by_localid(gateway: PacedClient, ids: Sequence[int]) -> LocalIdAnswer:
    """Query at most 200 localids. Omitted ids are queried again, as long as each answer brings more of them.

    Nothing may leave under these ids meanwhile, so that answers of several moments are true together. What waits for
    the answer is a send, so it is asked in the lane of sends.
    Raises: Postpone, Refused, where not even the first question is answered.
    """
    answered: list[LocalStatus] = []
    left = list(ids)
    for _ in range(MAX_QUESTIONS):
        try:
            rows = gateway.statuslocalmessageid(left, lane=Lane.SEND)
        except (Postpone, Refused):
            if not answered:
                raise
            break
        answered += rows
        answered_ids = {row.localid for row in rows}
        rest = [message_id for message_id in left if message_id not in answered_ids]
        if not rest or len(rest) == len(left):
            break
        left = rest
    return _sort_answers(set(ids), answered)


def _sort_answers(asked: AbstractSet[int], answered: Sequence[LocalStatus]) -> LocalIdAnswer:
    ours = [row for row in answered if row.localid in asked]
    known = [row for row in ours if row.is_known and row.messageid is not None]
    unseen = {row.localid for row in ours if not row.is_known and row.messageid is None}
    return LocalIdAnswer(known, unseen - {row.localid for row in known})


# ── facts of statuses ──


def fact_of_status(message_id: int, gateway_id: int, status: int, cost_rial: int | None = None) -> Fact:
    """Return the fact that the gateway has a message under `gateway_id`, with its status.

    Without a verdict in it, the message is accepted; so is one whose status the gateway no longer knows (100).
    """
    return Fact(message_id, message_state(status), gateway_id, known_status(status), cost_rial)


def facts_of_statuses(ids: Mapping[int, int], answered: Iterable[MessageStatus]) -> dict[int, Fact]:
    """Return facts by our message ids; `ids` maps the gateway's ids to these. Status 100 (not known) makes none."""
    return {
        message_id: fact_of_status(message_id, row.messageid, row.status)
        for row in answered
        if row.is_known and (message_id := ids.get(row.messageid)) is not None
    }


def suppress_by_verdicts(
    connection: Connection, policy: Policy, moved: Sequence[MovedMessage], *, now: datetime
) -> None:
    """Suppress the recipients that the verdicts of these messages tell not to write to, in the commit that moved them.

    Every stage that merges facts of the gateway calls this with what moved.
    """
    verdicts = [each for each in moved if each.state is not MessageState.ACCEPTED]
    if verdicts:
        suppressions.suppress_by_verdicts(connection, verdicts, after=policy.suppress_after, now=now)


# ── the answer to a claim's own request ──


def match_rows(claim: Claim, answered: Iterable[SentMessage]) -> Matched[SentMessage]:
    """Match answered rows with our numbers. Returns them by number, and the rows that are not ours."""
    texts = {message.number: message.text for message in claim.messages}
    numbered = ((row.receptor if row.receptor in texts else number_of(row.receptor), row) for row in answered)
    return match_answer(texts, claim.sender, numbered)


def number_of(receptor: str) -> str:
    """Return a receptor in our spelling of numbers; unchanged if it is no mobile number."""
    try:
        return normalise_mobile(receptor)
    except BadInput:
        return receptor


def record_facts(
    connection: Connection, context: Context, claim: Claim, facts: Sequence[Fact], *, now: datetime
) -> None:
    """Record facts about a claim's messages, and what follows from them, whether or not the claim still holds."""
    leaves_at = claim.send_at or now
    closes_at = leaves_at + context.policy.status_window
    poll_at = context.next_poll(leaves_at, now, closes_at)
    moved = batches.record_facts(
        connection, claim, facts, now=now, poll_at=poll_at, closes_at=closes_at, leaves_at=leaves_at
    )
    suppress_by_verdicts(connection, context.policy, moved, now=now)
    if context.policy.callbacks_expected:
        lookups.expect_callbacks(connection, facts, closes_at=closes_at)
