"""Print answers for people (aligned, in the time of Tehran) and for programs (JSON, numbers as numbers)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, NoReturn

import orjson
from rich.console import Console
from rich.table import Table

from kavenegar_campaigns import Campaign, CampaignKind, CampaignState, MessageState, Progress, Report
from kavenegar_campaigns.rules.dates import TEHRAN, persian_date
from kavenegar_campaigns.rules.message_options import MESSAGE_TYPES

WIDTH_WITHOUT_TERMINAL: Final = 160
_MAX_WIDTH: Final = 100_000


class StandardOutput(Console):
    """Standard output. When its reader goes away the command ends: see `main`."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
        super().__init__(width=width, markup=False, highlight=False, emoji=False)

    def on_broken_pipe(self) -> NoReturn:
        """Raise the error: rich would exit with a code of its own."""
        raise BrokenPipeError


def print_lines(*lines: str, style: str | None = None) -> None:
    """Print lines for a person, without characters that could control a terminal."""
    console = StandardOutput()
    for line in lines:
        console.print(printable(line), style=style, soft_wrap=True)


def printable(line: str) -> str:
    """Return `line` without control characters; the half-space and other joiners of Persian stay."""
    return "".join(letter for letter in line if letter >= " " and not "\x7f" <= letter <= "\x9f")


def print_json(answer: object) -> None:
    """Print one JSON document for a program: in UTF-8, whatever the locale is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(answer, default=str, option=orjson.OPT_INDENT_2) + b"\n")


def print_json_line(answer: object) -> None:
    """Print one JSON document on a line of its own, and flush it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(answer, default=str) + b"\n")
    sys.stdout.flush()


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print columns under headings; those named in `right` hold numbers. If they are wider than the terminal, print a
    block of lines for each row."""
    console, kept = StandardOutput(), [list(row) for row in rows]
    columns = build_table(headings, kept, right=right)
    unbounded = console.options.update(max_width=_MAX_WIDTH)
    if not console.is_terminal or console.measure(columns, options=unbounded).minimum <= console.width:
        console.print(columns)
        return
    for place, row in enumerate(kept):
        if place:
            print_lines("")
        print_facts(zip(headings, row, strict=True))


def warn_truncated(shown: int, limit: int, *, total: int | None = None) -> None:
    """Warn on standard error that a list shows only `limit` rows, of `total` rows or of an unknown number."""
    if total is not None and total > shown:
        cut = f"the newest {shown:,} of {total:,} are shown: --limit {total} shows all"
    elif total is None and shown > limit:
        cut = f"the newest {limit:,} are shown, and there are more: --limit {10 * limit} shows more of them"
    else:
        return
    sys.stdout.flush()
    sys.stderr.write(f"campaigns: {cut}\n")


def build_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> Table:
    """Return the table of `print_table` without printing it."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        found.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        found.add_row(*(printable(format_cell(cell)) for cell in row))
    return found


def print_facts(rows: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line; rows without a value are left out."""
    print_lines(*align_facts(rows))


def align_facts(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Return the lines of `print_facts` without printing them."""
    cells = [(name, format_cell(value)) for name, value in rows if value not in (None, "")]
    widest = max(len(name) for name, _ in cells)
    return [f"{name:<{widest}}  {value}" for name, value in cells]


def format_cell(value: object) -> str:
    """Format a value for a cell."""
    match value:
        case None:
            return ""
        case datetime():
            return format_time(value)
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
    return str(value)


def program_name() -> str:
    """Return the name by which this command was called, for command lines that can be copied."""
    called = Path(sys.argv[0])
    if called.name != "campaigns" or shutil.which("campaigns") == str(called):
        return "campaigns"
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)


def format_time(at: datetime) -> str:
    """Format a time as `2026-12-01 10:00:00 Tehran`."""
    return f"{at.astimezone(TEHRAN):%Y-%m-%d %H:%M:%S} Tehran"


def format_both_calendars(at: datetime) -> str:
    """Format a time as `2026-12-01 10:00:00 Tehran (1405-09-10 in the Persian calendar)`."""
    return f"{format_time(at)} ({persian_date(at)} in the Persian calendar)"


def format_duration(seconds: float) -> str:
    """Format a duration as `45 s`, `3 min`, `5 h` or `2 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def format_share(part: int, whole: int) -> str:
    """Format a share as `97.5%`; never as 100% while something is missing."""
    if not whole:
        return "0%"
    percent = 100 * part / whole
    return "100%" if part == whole else f"{min(percent, 99.9):.1f}%"


def describe_amount(campaign: Campaign) -> str:
    """Describe an amount as `300 messages in 600 parts` or `300 calls`."""
    if campaign.kind is CampaignKind.VOICE:
        return f"{campaign.messages:,} calls"
    return f"{campaign.messages:,} messages in {campaign.parts:,} parts"


def describe_options(campaign: Campaign) -> str:
    """Describe the options of a campaign, as `voice, tag spring`; `sms` where there are none."""
    types = {number: word for word, number in MESSAGE_TYPES.items()}
    options = [
        ("repeat", campaign.repeat),
        ("tag", campaign.tag),
        ("policy", campaign.policy),
        ("type", types.get(-1 if campaign.message_type is None else campaign.message_type)),
    ]
    hidden = ["numbers hidden"] if campaign.hide else []
    return ", ".join([campaign.kind, *(f"{name} {value}" for name, value in options if value is not None), *hidden])


def describe_held_by_gateway(progress: Progress, now: datetime) -> str | None:
    """Describe the messages that the gateway holds for their date; None where it holds none."""
    campaign, held = progress.campaign, progress.held_by_gateway(now)
    if not held or campaign.start_at is None:
        return None
    sentence = f"{held:,} messages are at the gateway already, which sends them at {format_time(campaign.start_at)}"
    if campaign.state is CampaignState.CANCELLED:
        return f"{sentence} unless they are withdrawn in time, which is under way"
    return f"{sentence}, paused or not; only `campaigns cancel {campaign.id}` withdraws them"


def describe_withdrawn(found: Report) -> str | None:
    """Describe the messages withdrawn at the gateway; None where there are none."""
    if not found.withdrawn:
        return None
    return f"{found.withdrawn:,} messages at the gateway, {found.withdrawn_rial:,} rial refunded"


def campaign_as_json(campaign: Campaign) -> dict[str, object]:
    """Return a campaign for a program, without its text."""
    answer = asdict(campaign)
    del answer["template"]
    return answer


def progress_as_json(progress: Progress, now: datetime) -> dict[str, object]:
    """Return a campaign with its counts by state, for a program."""
    return {
        **campaign_as_json(progress.campaign),
        "held_by_gateway": progress.held_by_gateway(now),
        "counts": counts_by_state(progress.counts),
        "batches": progress.batches,
        "unknown_batches": progress.unknown_batches,
        "next_due_at": progress.next_due_at,
        "next_poll_at": progress.next_poll_at,
    }


def counts_by_state(counts: Mapping[MessageState, int]) -> dict[str, int]:
    """Return the counts of all states, empty ones too, so that a program finds every key."""
    return {state.value: counts.get(state, 0) for state in MessageState}


# ── findings of the doctor ──


class Level(StrEnum):
    """How bad a finding is. Only `bad` makes `campaigns doctor` exit with 1."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `do` is the remedy, empty where all is well."""

    name: str
    level: Level
    says: str
    do: str = ""
