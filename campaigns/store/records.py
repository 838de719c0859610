"""What the store hands out: frozen facts, safe to carry across any border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from campaigns.rules.states import CampaignState, MessageState


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as its row stands."""

    id: int
    name: str
    client_key: str | None
    sender: str
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


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message that is to leave: `id` is the localid the gateway will know it by."""

    id: int
    number: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is ours until its lease ends. `(owner, attempt)` is the fence for every decision about it."""

    batch_id: int
    campaign_id: int
    owner: UUID
    attempt: int
    call_id: UUID
    claimed_at: datetime
    lease_ends: datetime
    first_sent_at: datetime
    sender: str
    personal: bool
    cancelled: bool
    send_at: datetime | None  # scheduled at the gateway for then
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


@dataclass(frozen=True, slots=True)
class Asked:
    """One batch's share of a poll: `message_ids` by the gateway's id; `resume_at` where the round stopped half-way."""

    batch_id: int
    poll_no: int
    accepted_at: datetime
    closes_at: datetime
    message_ids: dict[int, int] = field(repr=False)
    resume_at: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A campaign's messages by state; the states always add up to `messages`."""

    campaign: Campaign
    counts: dict[MessageState, int]
    batches: int
    unknown_batches: int
    next_due_at: datetime | None
    next_poll_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing is sent for the whole account, since when, and when it is tried again."""

    code: int
    reason: str
    since: datetime
    probe_at: datetime
    let_go_credit_rial: int | None  # credit that was taken to be enough, and was not
