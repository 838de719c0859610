"""Is our record true? The database is held against itself, and against what the gateway says of the same messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection, text

from campaigns.errors import GatewayError
from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN, verdict
from campaigns.kavenegar.pace import Lane
from campaigns.rules.manner import Kind
from campaigns.rules.splitting import BATCH, POLL
from campaigns.rules.states import MessageState
from campaigns.rules.windows import may_resend
from campaigns.store import campaigns, ledger, messages
from campaigns.store.records import Campaign, Progress

T = TypeVar("T")

OPEN: Final = frozenset({MessageState.PENDING, MessageState.UNCERTAIN})
"""Of these we claim nothing that the gateway could contradict."""

OUTBOX_SPAN: Final = timedelta(hours=23)
OUTBOX_REACH: Final = timedelta(hours=71)
"""sms/countoutbox: a day at most, begun at most three days ago. Source: kavenegar-rest, sms/countoutbox."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about a campaign's record. `holds` is None where it could not be checked; `says` is a sentence."""

    name: str
    holds: bool | None
    says: str


@dataclass(frozen=True, slots=True)
class Verified:
    """All checks of a campaign. It is true when nothing that could be checked was found wrong."""

    checks: Sequence[Check]

    @property
    def true(self) -> bool:
        """Whether nothing was found wrong."""
        return all(check.holds is not False for check in self.checks)


def verify(house: House, campaign_id: int, *, sample: int = 2000) -> Verified:
    """Check a campaign's record; at most about `sample` messages are asked about, spread over the whole campaign.

    Raises: NotFound.
    """
    progress = house.database(campaigns.progress, campaign_id)
    census = house.database(messages.census, campaign_id)
    known = sum(row.known for row in census)
    return Verified([*house.database(_within, progress, census), *_at_the_gateway(house, progress, known, sample)])


def _within(connection: Connection, progress: Progress, census: Sequence[messages.Counted]) -> list[Check]:
    """What the database says of itself."""
    campaign = progress.campaign
    wrong = messages.miscounted(connection, campaign.id)
    counted = {row.state: row.messages for row in census}
    total = sum(counted.values())
    known = sum(row.known for row in census)
    distinct = messages.gateway_ids(connection, campaign.id)
    stored = {state: count for state, count in progress.counts.items() if count}
    verdicts = total - sum(counted.get(state, 0) for state in (MessageState.PENDING, MessageState.ACCEPTED))
    return [
        Check(
            "rows",
            total == campaign.messages and total + campaign.duplicates + campaign.rejects == campaign.rows_read,
            f"{campaign.rows_read:,} rows read: {total:,} messages, {campaign.duplicates:,} duplicates, "
            f"{campaign.rejects:,} rejects",
        ),
        Check(
            "counters",
            (counted == stored and not wrong) or not progress.batches,
            f"{progress.batches:,} batches held against their messages one by one: {wrong:,} are miscounted",
        ),
        Check(
            "gateway ids",
            known == distinct,
            f"{known:,} messages were accepted, under {distinct:,} different gateway ids",
        ),
        Check(
            "verdicts",
            verdicts == total if campaign.finished_at else None,
            f"{verdicts:,} of {total:,} messages have their verdict",
        ),
    ]


# Which messages, spread evenly over the campaign, are asked about?
_SAMPLE: Final = text("""
    SELECT id, gateway_id, state, status FROM (
        SELECT message.id, message.gateway_id, message.state, message.status,
               row_number() OVER (ORDER BY message.id) AS place
          FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
          JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
         WHERE campaign.id = :id AND message.state <> 'refused') AS spread
     WHERE place % :step = 0
""")


@dataclass(frozen=True, slots=True)
class _Sampled:
    id: int
    gateway_id: int | None
    state: MessageState
    status: int | None


def _sampled(connection: Connection, campaign_id: int, step: int) -> list[_Sampled]:
    rows = connection.execute(_SAMPLE, {"id": campaign_id, "step": step})
    return [_Sampled(row.id, row.gateway_id, MessageState(row.state), row.status) for row in rows]


def _at_the_gateway(house: House, progress: Progress, known: int, sample: int) -> list[Check]:
    """What the gateway says of a sample, inside the windows in which it still answers."""
    started_at = progress.campaign.started_at
    now = house.now()
    if started_at is None:
        return [Check("gateway", None, "nothing was sent yet")]
    step = max(1, progress.campaign.messages // sample)
    sampled = house.database(_sampled, progress.campaign.id, step)
    try:
        return [
            _ids(house, sampled, started_at, now),
            _statuses(house, sampled, started_at, now),
            _outbox(house, progress.campaign, known, now),
        ]
    except GatewayError as why:
        return [Check("gateway", None, f"the gateway could not be asked: {why}")]


def _ids(house: House, sampled: Sequence[_Sampled], started_at: datetime, now: datetime) -> Check:
    """Law two, seen from outside: the gateway knows each localid under the id that we hold, or not at all."""
    if not may_resend(started_at, now, window=house.policy.localid_window):
        return Check("ids at the gateway", None, "the gateway can no longer be asked by our own ids")
    wrong = told = 0
    for page in _pages(sampled, BATCH):
        house.gateway.admit(Lane.HOUSEKEEPING)
        answered = house.gateway.statuslocalmessageid([message.id for message in page])
        theirs = {row.localid: None if row.status == NO_LONGER_KNOWN else row.messageid for row in answered}
        settled = [message for message in page if message.id in theirs and message.state not in OPEN]
        wrong += sum(theirs[message.id] != message.gateway_id for message in settled)
        told += len(theirs)
    return Check(
        "ids at the gateway",
        wrong == 0 if told else None,
        f"{told:,} of {len(sampled):,} messages told of by our own ids: {wrong:,} stand otherwise at the gateway",
    )


def _statuses(house: House, sampled: Sequence[_Sampled], started_at: datetime, now: datetime) -> Check:
    """No message has a verdict here that the gateway contradicts."""
    if now >= started_at + house.policy.status_window - timedelta(minutes=10):
        return Check("verdicts at the gateway", None, "the gateway no longer tells statuses this old")
    known = {message.gateway_id: message for message in sampled if message.gateway_id is not None}
    wrong = told = 0
    for page in _pages(list(known), POLL):
        house.gateway.admit(Lane.HOUSEKEEPING)
        for row in house.gateway.status(page):
            message = known.get(row.messageid)
            told += message is not None
            wrong += message is not None and _contradicts(message, row.status)
    return Check(
        "verdicts at the gateway",
        wrong == 0 if told or not known else None,
        f"{told:,} of {len(known):,} statuses compared: {wrong:,} contradict ours",
    )


# When did a campaign's messages reach the gateway first, by our own record?
_FIRST: Final = text("""
    SELECT min(coalesce(first_sent_at, accepted_at)) FROM sms.batches
     WHERE campaign_id = :id AND state <> 'split' AND accepted_at IS NOT NULL
""")


def _outbox(house: House, campaign: Campaign, ours: int, now: datetime) -> Check:
    """The gateway's own count of the account's outbox holds our messages, and none but ours.

    More of them were sent by others, or twice, under whatever ids, or in a history that this database has lost: so all
    of the time since the campaign was created is counted, and not only when its messages left by our own record.
    """
    if campaign.kind is Kind.VOICE:
        return Check("outbox at the gateway", None, "the gateway does not say whether its outbox counts calls")
    first_at = house.database(_first, campaign.id)
    if first_at is None or campaign.at_gateway:
        return Check("outbox at the gateway", None, "the outbox cannot be counted for messages that wait for a date")
    reach = now - OUTBOX_REACH
    if first_at < reach:
        return Check("outbox at the gateway", None, "the gateway counts the outbox of the last three days only")
    start = max(campaign.created_at, reach)
    theirs = sum(_counted(house, begins, ends) for begins, ends in _pieces(start, now))
    most = house.database(ledger.most, account=house.account, start=start, end=now)
    says = (
        f"the gateway counts {theirs:,} messages of this account since the campaign was created, {ours:,} of them are "
        "this campaign's"
    )
    if theirs <= most or house.policy.account_shared:
        return Check("outbox at the gateway", theirs >= ours, says)
    return Check(
        "outbox at the gateway",
        False,
        f"{says}; at least {theirs - most:,} cannot be explained: they were sent twice, in a history that this "
        "database has lost, or by other software (then set ACCOUNT_SHARED=yes)",
    )


def _counted(house: House, start: int, end: int) -> int:
    house.gateway.admit(Lane.HOUSEKEEPING)
    return house.gateway.countoutbox(start, end).sumcount


def _pieces(first_at: datetime, last_at: datetime) -> Iterator[tuple[int, int]]:
    """Spans of unix seconds, both ends counted, that the gateway counts in one answer each."""
    start, last = int(first_at.timestamp()) - 1, int(last_at.timestamp()) + 2
    step = int(OUTBOX_SPAN.total_seconds())
    while start <= last:
        yield start, min(start + step, last)
        start += step + 1


def _first(connection: Connection, campaign_id: int) -> datetime | None:
    found: datetime | None = connection.execute(_FIRST, {"id": campaign_id}).scalar_one()
    return found


def _contradicts(message: _Sampled, status: int) -> bool:
    """Whether the gateway's status cannot be true together with our state; it must at least know the id."""
    theirs = verdict(status)
    if status == NO_LONGER_KNOWN:
        return True
    if message.state in (MessageState.ACCEPTED, MessageState.EXPIRED):
        return False
    if message.state is MessageState.UNDELIVERED and theirs in (None, MessageState.DELIVERED):
        return False  # the gateway resends by itself
    return theirs != message.state


def _pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
