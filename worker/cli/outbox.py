"""number, outbox: what one person got, and what the gateway itself says was sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta

import click

from campaigns import BadInput, outbox
from campaigns.kavenegar.codes import STATUSES
from campaigns.kavenegar.records.messages import ReceptorStatus
from campaigns.ledger import DEEPEST
from campaigns.outbox import Left, NotShown
from campaigns.rules.calendar import TEHRAN, begins
from campaigns.rules.phone import mask, normalise
from campaigns.store import people
from campaigns.store.people import Received, Wrote
from worker import wiring
from worker.cli import options, words
from worker.cli.exits import Exit
from worker.cli.words import tell


def _day(_: click.Context, parameter: click.Parameter, typed: str | None) -> datetime | None:
    """The first moment of a day of Tehran."""
    if typed is None:
        return None
    right = "day such as 2026-12-01 or 1405/09/10"
    at = options.typed_time(f"--{parameter.name}", typed, right=right).astimezone(TEHRAN)
    if at.time() != time.min:
        raise BadInput(f"--{parameter.name}: {typed!r} is no {right}")
    return at


@click.command(name="number")
@click.argument("number")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many.")
@click.option("--ask", is_flag=True, help="Ask the gateway, too, what it sent to this number.")
@click.option(
    "--day", callback=_day, metavar="DAY", help="The day to ask about, as 2026-12-01 or 1405/09/10; today if left out."
)
@click.option("--texts", is_flag=True, help="Show what they wrote.")
@options.as_json
def number_(*, number: str, limit: int, ask: bool, day: datetime | None, texts: bool, as_json: bool) -> None:
    """Tell what one person got from us, and what they wrote."""
    mobile = normalise(number)
    with wiring.engine().connect() as connection:
        received = people.received(connection, mobile, limit=limit + 1)
        wrote = people.wrote(connection, mobile, limit=limit + 1)
    most = max(len(received), len(wrote))
    received, wrote = received[:limit], wrote[:limit]
    since = day or begins(wiring.database().now().astimezone(TEHRAN).date())
    told = outbox.asked_about(wiring.house(), mobile, start=since) if ask else None
    if as_json:
        tell(
            {
                "number": mask(mobile),
                "received": [asdict(each) for each in received],
                "wrote": [_wrote_answer(each, texts=texts) for each in wrote],
                "gateway": None if told is None else [_told_answer(each) for each in told],
            }
        )
        words.say_cut(most, limit)
        return
    words.say(f"{mask(mobile)}: {len(received):,} messages of ours, {len(wrote):,} of theirs")
    _say_received(received)
    _say_wrote(wrote, texts=texts)
    words.say_cut(most, limit)
    if told is not None:
        _say_told(told, since)


def _wrote_answer(each: Wrote, *, texts: bool) -> dict[str, object]:
    answer = asdict(each)
    if not texts:
        del answer["text"]
    return answer


def _told_answer(each: ReceptorStatus) -> dict[str, object]:
    return {"message_id": each.messageid, "status": each.status}


def _say_received(received: Sequence[Received]) -> None:
    if received:
        words.table(
            ("campaign", "", "kind", "state", "status", "left at", "settled at", "rial"),
            [
                (each.campaign_id, each.campaign, each.kind, each.state, each.status, each.accepted_at,
                 each.settled_at, each.cost_rial)
                for each in received
            ],
            right=("campaign", "status", "rial"),
        )  # fmt: skip


def _say_wrote(wrote: Sequence[Wrote], *, texts: bool) -> None:
    if wrote:
        words.table(
            ("received at", "line", "about campaign", "text"),
            [(each.received_at, each.line, each.campaign_id, each.text if texts else "(--texts)") for each in wrote],
        )


def _say_told(told: Sequence[ReceptorStatus], since: datetime) -> None:
    words.say(f"the gateway names {len(told):,} messages of the day that began at {words.moment(since)}")
    if told:
        words.table(
            ("message id", "status", ""),
            [(str(each.messageid), each.status, _meaning(each.status)) for each in told],
            right=("status",),
        )


def _meaning(status: int) -> str:
    return STATUSES[status].meaning if status in STATUSES else "undocumented"


@click.command(name="outbox")
@click.option("--latest", type=click.IntRange(1, 200), metavar="N", help="The newest N instead of a day.")
@click.option("--day", callback=_day, metavar="DAY", help="A day, as 2026-12-01 or 1405/09/10; today if left out.")
@click.option("--sender", metavar="LINE", help="Only what this line sent.")
@click.option("--foreign", is_flag=True, help="Only what is not ours.")
@options.as_json
@click.pass_context
def outbox_(
    context: click.Context,
    *,
    latest: int | None,
    day: datetime | None,
    sender: str | None,
    foreign: bool,
    as_json: bool,
) -> None:
    """Tell what the gateway says has left the account, and which of it is ours.

    It looks three days back, and answers only where our IP address is registered in the panel. Of one second it shows
    500 messages: where more left, it is said how many could not be seen, and the exit code is 4. With --json a line for
    each message.
    """
    if latest is not None and day is not None:
        raise BadInput("--latest and --day contradict each other: use one of them")
    house = wiring.house()
    span = None if latest is not None else _span(day)
    seen = _Seen()
    found: Iterable[Left | NotShown] = (
        outbox.between(house, *span, sender=sender) if span else outbox.latest(house, count=latest or 1, sender=sender)
    )
    for each in found:
        seen.note(each)
        if not (foreign and isinstance(each, Left) and each.is_ours):
            words.tell_line(_answer(each)) if as_json else _say(each)
    if not as_json:
        words.say(f"{seen.ours + seen.others:,} messages, {seen.others:,} of them not ours")
        if span is not None and sender is None and not seen.cut:
            _say_missing(outbox.counted(house, *span) - seen.ours - seen.others)
    if seen.cut:
        context.exit(Exit.NOT_CHECKED)


@dataclass(slots=True)
class _Seen:
    """How many messages were told, and in how many seconds the gateway showed a part only."""

    ours: int = 0
    others: int = 0
    cut: int = 0

    def note(self, each: Left | NotShown) -> None:
        """Count it."""
        if isinstance(each, NotShown):
            self.cut += 1
        elif each.is_ours:
            self.ours += 1
        else:
            self.others += 1


def _say_missing(messages: int) -> None:
    if messages > 0:
        words.say(f"the gateway counts {messages:,} more, which it does not show: hidden ones, or a part is missing")


def _span(day: datetime | None) -> tuple[datetime, datetime]:
    """A day of Tehran, as far as it and the gateway's three days go."""
    now = wiring.database().now()
    start = day or begins(now.astimezone(TEHRAN).date())
    if start > now:
        raise BadInput(f"--day: {start:%Y-%m-%d} is still to come")
    if start < now - DEEPEST:
        raise BadInput(f"--day: {start:%Y-%m-%d} is more than three days ago, which the gateway does not show")
    return start, min(start + timedelta(days=1) - timedelta(seconds=1), now)


def _answer(each: Left | NotShown) -> dict[str, object]:
    if isinstance(each, NotShown):
        return {"at": each.at, "not_shown": each.messages}
    message = each.message
    return {
        "message_id": message.messageid,
        "campaign_id": each.campaign_id,
        "otp_id": each.otp_id,
        "number": mask(message.receptor),
        "sender": message.sender,
        "status": message.status,
        "cost_rial": message.cost,
        "at": datetime.fromtimestamp(message.date, UTC),
    }


def _say(each: Left | NotShown) -> None:
    if isinstance(each, NotShown):
        more = "more" if each.messages is None else f"{each.messages:,} more"
        words.say(
            f"{words.moment(each.at)}  {more} messages left in this second: the gateway shows {outbox.FULL} of a "
            "second, so it cannot be seen whose they are"
        )
        return
    message = each.message
    at = words.moment(datetime.fromtimestamp(message.date, UTC))
    words.say(f"{at}  {mask(message.receptor):<11}  {message.sender:<10}  {_meaning(message.status)}, {_whose(each)}")


def _whose(each: Left) -> str:
    if each.otp_id is not None:
        return f"one-time password {each.otp_id}"
    return "not ours" if each.campaign_id is None else f"campaign {each.campaign_id}"
