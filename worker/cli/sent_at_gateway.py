"""number, outbox: show the messages of one person, and the messages that the gateway sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import click

from kavenegar_campaigns import BadInput
from kavenegar_campaigns.api import gateway
from kavenegar_campaigns.api.gateway import (
    LONGEST_LOOKBACK,
    MAX_LATEST,
    OutboxMessage,
    ReceptorStatus,
    SentByNumber,
    SentToNumber,
    Unlisted,
    status_meaning,
)
from kavenegar_campaigns.rules.dates import TEHRAN, day_start
from kavenegar_campaigns.rules.phone import mask_number, normalise_mobile
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.cli.output import print_json


@click.command(name="number")
@click.argument("number")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to show.")
@click.option("--ask", is_flag=True, help="Also ask the gateway for the messages that it sent to this number.")
@click.option(
    "--day",
    callback=options.parse_day,
    metavar="DAY",
    help="The day to ask about, as 2026-12-01 or 1405/09/10; by default today.",
)
@click.option("--texts", is_flag=True, help="Show the texts that they wrote.")
@options.as_json
def number_(*, number: str, limit: int, ask: bool, day: datetime | None, texts: bool, as_json: bool) -> None:
    """Show the messages to and from one number."""
    mobile = normalise_mobile(number)
    with wiring.engine().connect() as connection:
        received = gateway.messages_to_number(connection, mobile, limit=limit + 1)
        wrote = gateway.messages_from_number(connection, mobile, limit=limit + 1)
    most = max(len(received), len(wrote))
    received, wrote = received[:limit], wrote[:limit]
    since = day or day_start(wiring.database().now().astimezone(TEHRAN).date())
    statuses = gateway.sent_to_number(wiring.context(), mobile, start=since) if ask else None
    if as_json:
        print_json(
            {
                "number": mask_number(mobile),
                "received": [asdict(each) for each in received],
                "wrote": [_inbound_as_json(each, texts=texts) for each in wrote],
                "gateway": None if statuses is None else [_status_as_json(each) for each in statuses],
            }
        )
        output.warn_truncated(most, limit)
        return
    output.print_lines(f"{mask_number(mobile)}: {len(received):,} messages of ours, {len(wrote):,} of theirs")
    _print_received(received)
    _print_inbound(wrote, texts=texts)
    output.warn_truncated(most, limit)
    if statuses is not None:
        _print_statuses(statuses, since)


def _inbound_as_json(each: SentByNumber, *, texts: bool) -> dict[str, object]:
    answer = asdict(each)
    if not texts:
        del answer["text"]
    return answer


def _status_as_json(each: ReceptorStatus) -> dict[str, object]:
    return {"message_id": each.messageid, "status": each.status}


def _print_received(received: Sequence[SentToNumber]) -> None:
    if received:
        output.print_table(
            ("campaign", "", "kind", "state", "status", "left at", "settled at", "rial"),
            [
                (each.campaign_id, each.campaign, each.kind, each.state, each.status, each.accepted_at,
                 each.settled_at, each.cost_rial)
                for each in received
            ],
            right=("campaign", "status", "rial"),
        )  # fmt: skip


def _print_inbound(wrote: Sequence[SentByNumber], *, texts: bool) -> None:
    if wrote:
        output.print_table(
            ("received at", "line", "about campaign", "text"),
            [(each.received_at, each.line, each.campaign_id, each.text if texts else "(--texts)") for each in wrote],
        )


def _print_statuses(statuses: Sequence[ReceptorStatus], since: datetime) -> None:
    output.print_lines(
        f"the gateway names {len(statuses):,} messages of the day that began at {output.format_time(since)}"
    )
    if statuses:
        output.print_table(
            ("message id", "status", ""),
            [(str(each.messageid), each.status, status_meaning(each.status)) for each in statuses],
            right=("status",),
        )


@click.command(name="outbox")
@click.option("--latest", type=click.IntRange(1, MAX_LATEST), metavar="N", help="The newest N instead of a day.")
@click.option(
    "--day", callback=options.parse_day, metavar="DAY", help="A day, as 2026-12-01 or 1405/09/10; by default today."
)
@click.option("--sender", metavar="LINE", help="Only messages from this line.")
@click.option("--foreign", is_flag=True, help="Only messages that are not ours.")
@options.as_json
@click.pass_context
def outbox_(
    ctx: click.Context,
    *,
    latest: int | None,
    day: datetime | None,
    sender: str | None,
    foreign: bool,
    as_json: bool,
) -> None:
    """List the messages that the gateway sent for the account.

    Says which of them are ours. The gateway answers for the last three days, and only if our IP address is registered
    in the panel. It shows at most 500 messages of one second: if there were more, the command says how many are
    missing, and exits with 4. With --json it prints a line for each message.
    """
    if latest is not None and day is not None:
        raise BadInput("--latest and --day contradict each other: use one of them")
    context = wiring.context()
    span = None if latest is not None else _day_span(day)
    totals = _Totals()
    found: Iterable[OutboxMessage | Unlisted] = (
        gateway.sent_between(context, *span, sender=sender)
        if span
        else gateway.latest_sent(context, count=latest or 1, sender=sender)
    )
    for each in found:
        totals.add(each)
        if not (foreign and isinstance(each, OutboxMessage) and each.is_ours):
            output.print_json_line(_entry_as_json(each)) if as_json else _print_entry(each)
    if not as_json:
        output.print_lines(f"{totals.ours + totals.others:,} messages, {totals.others:,} of them not ours")
        if span is not None and sender is None and not totals.cut:
            _print_missing(gateway.count_sent(context, *span) - totals.ours - totals.others)
    if totals.cut:
        ctx.exit(Exit.NOT_CHECKED)


@dataclass(slots=True)
class _Totals:
    """Counts of the messages listed, and of the seconds of which the gateway showed only a part."""

    ours: int = 0
    others: int = 0
    cut: int = 0

    def add(self, each: OutboxMessage | Unlisted) -> None:
        """Count one message, or one incomplete second."""
        if isinstance(each, Unlisted):
            self.cut += 1
        elif each.is_ours:
            self.ours += 1
        else:
            self.others += 1


def _print_missing(messages: int) -> None:
    if messages > 0:
        output.print_lines(
            f"the gateway counts {messages:,} more, which it does not show: hidden ones, or a part is missing"
        )


def _day_span(day: datetime | None) -> tuple[datetime, datetime]:
    """Return the part of a day of Tehran that has passed and lies in the gateway's three days."""
    now = wiring.database().now()
    start = day or day_start(now.astimezone(TEHRAN).date())
    if start > now:
        raise BadInput(f"--day: {start:%Y-%m-%d} is still to come")
    if start < now - LONGEST_LOOKBACK:
        raise BadInput(f"--day: {start:%Y-%m-%d} is more than three days ago, which the gateway does not show")
    return start, min(start + timedelta(days=1) - timedelta(seconds=1), now)


def _entry_as_json(each: OutboxMessage | Unlisted) -> dict[str, object]:
    if isinstance(each, Unlisted):
        return {"at": each.at, "not_shown": each.messages}
    message = each.message
    return {
        "message_id": message.messageid,
        "campaign_id": each.campaign_id,
        "otp_id": each.otp_id,
        "number": mask_number(message.receptor),
        "sender": message.sender,
        "status": message.status,
        "cost_rial": message.cost,
        "at": datetime.fromtimestamp(message.date, UTC),
    }


def _print_entry(each: OutboxMessage | Unlisted) -> None:
    if isinstance(each, Unlisted):
        more = "more" if each.messages is None else f"{each.messages:,} more"
        output.print_lines(
            f"{output.format_time(each.at)}  {more} messages left in this second: the gateway shows "
            f"{gateway.PAGE_SIZE} of a second, so it cannot be seen whose they are"
        )
        return
    message = each.message
    at, number = output.format_time(datetime.fromtimestamp(message.date, UTC)), mask_number(message.receptor)
    output.print_lines(f"{at}  {number:<11}  {message.sender:<10}  {status_meaning(message.status)}, {_origin(each)}")


def _origin(each: OutboxMessage) -> str:
    if each.otp_id is not None:
        return f"one-time password {each.otp_id}"
    return "not ours" if each.campaign_id is None else f"campaign {each.campaign_id}"
