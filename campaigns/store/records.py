"""The records that the store returns: frozen dataclasses, safe to pass to any thread or layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from kavenegar_campaigns.deprecation import old_attributes
from kavenegar_campaigns.rules.message_options import CampaignKind, MessageOptions
from kavenegar_campaigns.rules.states import CampaignState, MessageState


@old_attributes(manner="options")
@dataclass(frozen=True, slots=True)
class Campaign:
    """A row of `sms.campaigns`."""

    id: int
    name: str
    client_key: str | None
    sender: str  # of calls, the empty text
    template: str = field(repr=False)
    personal: bool
    state: CampaignState
    hold_code: int | None
    hold_reason: str | None
    paused_at: datetime | None
    rows_read: int
    messages: int
    duplicates: int
    rejects: int
    parts: int
    created_at: datetime
    start_at: datetime | None
    at_gateway: bool
    started_at: datetime | None
    finished_at: datetime | None
    # The options of every message: see `rules.message_options`.
    kind: CampaignKind
    repeat: int | None
    tag: str | None
    policy: str | None
    hide: bool
    message_type: int | None

    @property
    def options(self) -> MessageOptions:
        """Return the options that every message of the campaign carries."""
        return MessageOptions(self.kind, self.repeat, self.tag, self.policy, self.hide, self.message_type)

    def waits_at_gateway(self, now: datetime) -> bool:
        """Return whether the gateway keeps this campaign's messages for a date that is still to come."""
        return self.at_gateway and self.start_at is not None and self.start_at > now


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to send; `id` is its localid at the gateway."""

    id: int
    number: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is ours until its lease ends. `(call_id, attempt)` is the fence for every decision about it.

    `of_another_account`: it left under a key of another account, so our key cannot resolve it.
    `ids_in_doubt`: the gateway has foreign messages under some of its ids.
    """

    batch_id: int
    campaign_id: int
    attempt: int
    call_id: UUID
    claimed_at: datetime
    lease_ends: datetime
    first_sent_at: datetime
    sender: str
    personal: bool
    options: MessageOptions
    cancelled: bool
    send_at: datetime | None  # scheduled at the gateway for then
    of_another_account: bool
    ids_in_doubt: bool
    messages: Sequence[Outgoing] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement of the gateway about one message, or a refusal of it. Every worker merges the facts it gets."""

    message_id: int
    state: MessageState
    gateway_id: int | None = None
    status: int | None = None
    cost_rial: int | None = None
    refused_code: int | None = None


class MovedMessage(NamedTuple):
    """A message that a fact changed, and its new state."""

    id: int
    state: MessageState


@dataclass(frozen=True, slots=True)
class Witness:
    """A message that is certainly ours: the answer to its own request had its number and its gateway id."""

    gateway_id: int
    number: str = field(repr=False)
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class PollShare:
    """One batch's share of a poll: `message_ids` by gateway id; `resume_id` is set where the poll stops half-way.

    `began_at`: when the first part of a poll was made that stopped half-way and continues here.
    `callbacks_active`: callbacks bring the verdicts, so the reduced polling schedule applies.
    """

    batch_id: int
    poll_no: int
    accepted_at: datetime
    closes_at: datetime
    message_ids: dict[int, int] = field(repr=False)
    resume_id: int | None
    callbacks_active: bool = False
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A campaign's messages by state; the states always add up to `messages`."""

    campaign: Campaign
    counts: dict[MessageState, int]
    batches: int
    unknown_batches: int
    next_due_at: datetime | None
    next_poll_at: datetime | None

    def held_by_gateway(self, now: datetime) -> int:
        """Return how many messages the gateway keeps for their date. A pause does not stop them; a cancellation
        withdraws them.
        """
        return self.counts[MessageState.ACCEPTED] if self.campaign.waits_at_gateway(now) else 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold of the whole account: the reason, its beginning, and the time of the next check."""

    code: int
    reason: str
    since: datetime
    hold_recheck_at: datetime
    released_credit_rial: int | None  # the credit at the last release, which was not enough
