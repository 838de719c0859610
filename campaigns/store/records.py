"""What the store hands out: frozen facts, safe to carry across any border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from campaigns.rules.message_options import CampaignKind, MessageOptions
from campaigns.rules.states import CampaignState, MessageState


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as its row stands."""

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
    # What goes along with every message: see `rules.options`.
    kind: CampaignKind
    repeat: int | None
    tag: str | None
    policy: str | None
    hide: bool
    message_type: int | None

    @property
    def options(self) -> MessageOptions:
        """What goes along with every message."""
        return MessageOptions(self.kind, self.repeat, self.tag, self.policy, self.hide, self.message_type)

    def waits_at_gateway(self, now: datetime) -> bool:
        """Whether the gateway keeps what it has of this campaign for a date that is still to come."""
        return self.at_gateway and self.start_at is not None and self.start_at > now


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message that is to leave: `id` is the localid the gateway will know it by."""

    id: int
    number: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is ours until its lease ends. `(call_id, attempt)` is the fence for every decision about it.

    `of_another_account`: it left under a key of another account than ours, which cannot be asked about it.
    `ids_in_doubt`: the gateway has somebody else's messages under some of its ids.
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
    """Something the gateway said about one message, or a refusal of it. Facts are merged by whoever learns them."""

    message_id: int
    state: MessageState
    gateway_id: int | None = None
    status: int | None = None
    cost_rial: int | None = None
    refused_code: int | None = None


class MovedMessage(NamedTuple):
    """A message that a fact moved, and the state it stands in since."""

    id: int
    state: MessageState


@dataclass(frozen=True, slots=True)
class Witness:
    """A message that surely is ours: the answer to its own request told its number and its gateway id."""

    gateway_id: int
    number: str = field(repr=False)
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class PollShare:
    """One batch's share of a poll: `message_ids` by the gateway's id; `resume_id` where the round stopped half-way.

    `began_at`: when the first half of a round was asked about that stopped half-way and goes on here.
    `callbacks_active`: callbacks bring the verdicts, so that it need not be asked about as often.
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
        """Messages that the gateway keeps for their date. No pause reaches them; a cancellation takes them back."""
        return self.counts[MessageState.ACCEPTED] if self.campaign.waits_at_gateway(now) else 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing is sent for the whole account, since when, and when it is tried again."""

    code: int
    reason: str
    since: datetime
    hold_recheck_at: datetime
    released_credit_rial: int | None  # credit that was taken to be enough, and was not
