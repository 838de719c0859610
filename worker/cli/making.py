"""create, estimate: from a file of numbers and a text to a campaign, or to what one would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Unpack

import click

import campaigns
from campaigns import BadInput, Campaign, CampaignState, Estimate, Kind, Preview
from campaigns.intake.sieve import REASONS_SHOWN
from campaigns.rules.manner import Along
from campaigns.rules.text import beyond_latin, measure
from campaigns.store import campaigns as stored
from worker import wiring
from worker.cli import options, words


@click.command()
@options.recipients
@options.text
@click.option("--name", help="What people call the campaign; the file's name if left out.")
@click.option("--sender", help="The line that sends; KAVENEGAR_SENDER if left out.")
@options.manner
@options.starts_at
@click.option("--key", help="Your own name for this campaign: creating it again under the same key changes nothing.")
@click.option("--start", is_flag=True, help="Start it in the same breath.")
@options.at_gateway
@options.as_json
def create(
    *,
    file: str,
    text: str | None,
    text_file: Path | None,
    name: str | None,
    sender: str | None,
    at: datetime | None,
    key: str | None,
    column: str | None,
    sheet: str | None,
    include_hidden: bool,
    header_row: int | None,
    start: bool,
    at_gateway: bool,
    voice: bool,
    as_json: bool,
    **along: Unpack[Along],
) -> None:
    """Load a file of recipients as a campaign.

    FILE is CSV or a workbook (XLSX; ODS, XLS, XLSB), - is standard input. Nothing is sent before the campaign is
    started. It is loaded whole or not at all; rows that cannot be used are kept with their reasons, and stop no others.
    """
    if at_gateway and not start:
        raise BadInput("--at-gateway says how to start: use it with --start, or with `campaigns start`")
    wording, line = options.read_text(text, text_file), sender if voice else options.line(sender)
    along["kind"] = _kind(voice)
    with wiring.engine().begin() as connection:
        campaign_id = campaigns.create(
            connection,
            recipients=options.source(file),
            text=wording,
            sender=line,
            name=name,
            key=key,
            number_column=column,
            sheet=sheet,
            include_hidden=include_hidden,
            header_row=header_row,
            start_at=at,
            max_characters=wiring.settings().max_characters,
            **along,
        )
        campaign = campaigns.get(connection, campaign_id)
        made = _Made(
            campaigns.preview(connection, campaign_id),
            hidden=stored.rejects_by_kind(connection, campaign_id).get("hidden", 0),
            reasons=[
                f"row {row}: {reason}"
                for row, _, _, reason in stored.rejects(connection, campaign_id, limit=REASONS_SHOWN, duplicates=False)
            ],
        )
        if start and campaign.state is CampaignState.DRAFT:
            campaign = campaigns.start(connection, campaign_id, at_gateway=at_gateway)
    if as_json:
        words.tell({**words.campaign_answer(campaign), "hidden": made.hidden, **asdict(made.preview)})
    else:
        _say_created(campaign, made)


class _Made(NamedTuple):
    """What is told of a campaign that was created: its texts, rows that the sheet hides, and the first rejects."""

    preview: Preview
    hidden: int
    reasons: Sequence[str]


def _kind(voice: bool) -> Kind:
    return Kind.VOICE if voice else Kind.SMS


def _say_created(campaign: Campaign, made: _Made) -> None:
    begins = f", begins at {words.both_calendars(campaign.start_at)}" if campaign.start_at else ""
    words.say(
        f"campaign {campaign.id} ({campaign.name}): {words.amount(campaign)} out of {campaign.rows_read:,} rows; "
        f"{campaign.duplicates:,} duplicates and {campaign.rejects:,} rejects left out"
    )
    _say_rejects(made.reasons, campaign.rejects, made.hidden)
    _say_texts(made.preview.first_text, made.preview.longest_text, campaign.kind)
    words.say(f"it is {campaign.state}{begins}")
    if campaign.repeat:
        words.say("the gateway's documentation says that it ignores --repeat at present")
    if campaign.state is CampaignState.DRAFT:
        words.say(f"`campaigns start {campaign.id}` starts it")
    else:
        words.say(f"`campaigns watch {campaign.id}` follows it")


@click.command()
@options.recipients
@options.text
@options.voice
@options.as_json
def estimate(
    *,
    file: str,
    text: str | None,
    text_file: Path | None,
    column: str | None,
    sheet: str | None,
    include_hidden: bool,
    header_row: int | None,
    voice: bool,
    as_json: bool,
) -> None:
    """Tell what a campaign would be.

    Messages, parts, duplicates and rejects of FILE, by the same rules as `create`. Needs no server, writes nothing.
    """
    found = campaigns.estimate(
        options.source(file),
        options.read_text(text, text_file),
        number_column=column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
        max_characters=wiring.settings().max_characters,
        kind=_kind(voice),
    )
    words.tell(asdict(found)) if as_json else say_estimate(found)


def say_hidden(rows: int) -> None:
    """How many of the rejects are rows that the sheet hides."""
    if rows:
        words.say(f"{rows:,} of the rejects are rows that the sheet hides: --include-hidden sends to them as well")


def say_estimate(found: Estimate) -> None:
    """An estimate for a person."""
    words.facts(
        [
            ("header", f"row {found.header_row}" if found.header_row else "none was recognised: columns are 1, 2, 3 …"),
            ("rows", found.rows_read),
            ("calls" if found.kind is Kind.VOICE else "messages", found.messages),
            ("duplicates", found.duplicates),
            ("rejects", found.rejects),
            ("to pay", _to_pay(found)),
            ("longest text", f"{found.longest:,} characters"),
        ]
    )
    _say_rejects(found.reasons, found.rejects, found.hidden)
    if found.messages:
        _say_texts(found.first_text, found.longest_text, found.kind)


def _say_rejects(reasons: Sequence[str], rejects: int, hidden: int) -> None:
    """The first rejects, how many more there are, and how many of them the sheet hides."""
    words.say(*(f"  {reason}" for reason in reasons))
    if more := rejects - len(reasons):
        words.say(f"  and {more:,} more")
    say_hidden(hidden)


def _say_texts(first: str, longest: str, kind: Kind) -> None:
    _say_text("the first text", first, kind)
    if longest != first:
        _say_text("the longest text", longest, kind)


def _say_text(which: str, text: str, kind: Kind) -> None:
    """A text as it would be sent, with its parts and what makes them many."""
    calls = kind is Kind.VOICE
    parts = "" if calls else f", {measure(text).parts:,} parts"
    words.say(f"{which}{parts}:", *(f"  {line}" for line in text.splitlines()))
    if not calls and (odd := beyond_latin(text)):
        without = measure(text.translate(dict.fromkeys(map(ord, odd), "x"))).parts
        words.say(
            f"  {' '.join(odd)} stands in no Latin SMS, so the whole text is billed like a Persian one: without it, it "
            f"would be {without:,} parts"
        )


def _to_pay(found: Estimate) -> str:
    if found.kind is Kind.VOICE:
        return f"{found.parts:,} calls; what one costs, the documentation does not say"
    return f"{found.parts:,} parts ({found.parts_persian:,} Persian, {found.parts_latin:,} Latin)"
