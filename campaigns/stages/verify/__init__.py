"""Verify our record of a campaign: compare the database with itself, and with the gateway's answers.

`checks` holds the record against itself, and its ids, verdicts, count and cost against the gateway. Here, recipients,
texts and prices: where our address may read whole messages (sms/select, SELECT_ALLOWED), each message of the sample is
compared. Else the gateway is asked what went to a number (sms/statusbyreceptor), of some messages only: one number is
one request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput, GatewayError, RequestRefused
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.rules.batches import MAX_CLOCK_SKEW, POLL_SIZE, same_sender, same_text
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.phone import normalise_mobile
from kavenegar_campaigns.stages.verify.checks import (
    Check,
    Verified,
    check_ids,
    check_outbox,
    check_record,
    check_statuses,
    in_pages,
    still_answered,
)
from kavenegar_campaigns.store import campaigns, report
from kavenegar_campaigns.store.lookups import Sampled, sample_messages
from kavenegar_campaigns.store.records import Campaign, Progress

__all__ = ["Check", "Verified", "verify_campaign"]


def verify_campaign(context: Context, campaign_id: int, *, sample: int = 2000) -> Verified:
    """Check a campaign's record, and about `sample` messages of it, spread over the campaign, at the gateway.

    Raises: NotFound.
    """
    progress = campaigns.progress(context.database, campaign_id)
    census = report.count_by_state(context.database, campaign_id)
    known = sum(row.known for row in census)
    return Verified(
        [*check_record(context.database, progress, census), *_at_the_gateway(context, progress, known, sample)]
    )


def _at_the_gateway(context: Context, progress: Progress, known: int, sample: int) -> list[Check]:
    """Check a sample at the gateway, within the windows in which it still answers."""
    campaign = progress.campaign
    if campaign.started_at is None:
        return [Check("gateway", None, "nothing was sent yet")]
    asked = sample_messages(context.database, campaign.id, step=max(1, campaign.messages // sample))
    now, found = context.now(), list[Check]()
    try:
        found.append(check_ids(context, asked, campaign.started_at, now))
        found.append(check_statuses(context, asked, campaign.started_at, now))
        found += check_contents(context, campaign, asked, campaign.started_at, now)
        found += check_outbox(context, campaign, known, now)
    except GatewayError as why:
        found.append(Check("gateway", None, f"the gateway could not be asked: {why}", missed=True))
    return found


# ── recipients, texts and prices ──

RECIPIENTS: Final = "recipients at the gateway"
PRICES: Final = "prices at the gateway"

NUMBERS_ASKED: Final = 10
"""Numbers that the gateway is asked about where it shows no whole messages."""
LISTING_TRIES: Final = 3
"""How often a listing is asked for a message that it lacks: answers come short."""


def check_contents(
    context: Context, campaign: Campaign, asked: Sequence[Sampled], started_at: datetime, now: datetime
) -> list[Check]:
    """Check that our messages went to our numbers with our texts, at the recorded cost. Raises: Postpone, Refused."""
    known = [message for message in asked if message.gateway_id is not None]
    if not known:
        return []
    if not still_answered(context, started_at, now):
        return [Check(RECIPIENTS, None, "the gateway no longer tells of messages this old", missed=True)]
    if context.policy.select_allowed:
        try:
            return _by_select(context, campaign, known)
        except RequestRefused as why:
            refused = Check(PRICES, None, f"sms/select is not allowed after all: {why}", missed=True)
            return [_by_number(context, known), refused]
    only_select = Check(PRICES, None, "only sms/select tells what each message cost (SELECT_ALLOWED)")
    return [_by_number(context, known), only_select]


@dataclass(slots=True)
class _Compared:
    """Counts of the messages shown, and of those that differ from our record."""

    shown: int = 0
    astray: int = 0
    priced: int = 0
    dearer: int = 0


def _by_select(context: Context, campaign: Campaign, known: Sequence[Sampled]) -> list[Check]:
    compared, ours = _Compared(), {message.gateway_id: message for message in known}
    for page in in_pages(list(ours), POLL_SIZE):
        context.gateway.acquire_slot(Lane.HOUSEKEEPING)
        for row in context.gateway.select([id_ for id_ in page if id_ is not None]):
            if row.is_known and (message := ours.get(row.messageid)) is not None:
                _compare(compared, campaign, message, row)
    return [
        Check(
            RECIPIENTS,
            compared.astray == 0 if compared.shown else None,
            f"{compared.shown:,} of {len(known):,} messages compared: {compared.astray:,} have another number, sender "
            "or text at the gateway",
            missed=not compared.shown,
        ),
        Check(
            PRICES,
            compared.dearer == 0 if compared.priced else None,
            f"{compared.priced:,} of {len(known):,} prices compared: {compared.dearer:,} are others at the gateway",
            missed=not compared.priced,
        ),
    ]


def _compare(compared: _Compared, campaign: Campaign, message: Sampled, row: SentMessage) -> None:
    compared.shown += 1
    compared.astray += not _is_the_same(campaign, message, row)
    if message.cost_rial is not None:
        compared.priced += 1
        compared.dearer += message.cost_rial != row.cost


def _is_the_same(campaign: Campaign, message: Sampled, row: SentMessage) -> bool:
    ours = campaign.template if message.text is None else message.text
    line = message.sender or ""
    return _same_number(message, row) and same_sender(line, row.sender) and same_text(ours, row.message)


def _same_number(message: Sampled, row: SentMessage) -> bool:
    """Return whether a row has our number. The gateway masks the number of hidden messages, which counts as ours."""
    try:
        return normalise_mobile(row.receptor) == message.number
    except BadInput:
        return "*" in row.receptor


def _by_number(context: Context, known: Sequence[Sampled]) -> Check:
    """Check the listings of some numbers. If they show none of our messages at all, they prove nothing."""
    chosen = known[:: max(1, len(known) // NUMBERS_ASKED)][:NUMBERS_ASKED]
    listed = sum(_is_listed(context, message) for message in chosen)
    return Check(
        RECIPIENTS,
        listed == len(chosen) if listed else None,
        f"asked what went to {len(chosen):,} numbers: {listed:,} of the messages are listed"
        + ("" if listed else ", which proves nothing"),
        missed=not listed,
    )


def _is_listed(context: Context, message: Sampled) -> bool:
    """Return whether the gateway lists a message under its number, within a day after it left."""
    if message.accepted_at is None:
        return False
    start = int((message.accepted_at - MAX_CLOCK_SKEW * 2).timestamp())
    for _ in range(LISTING_TRIES):
        context.gateway.acquire_slot(Lane.HOUSEKEEPING)
        rows = context.gateway.statusbyreceptor(message.number, start)
        if message.gateway_id in {row.messageid for row in rows}:
            return True
    return False
