"""create, estimate: create a campaign from a file of numbers and a text, or only count what it would send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Unpack

import click

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, Campaign, CampaignKind, CampaignState, Estimate, Preview
from kavenegar_campaigns.api.campaign import CreatedRejects, created_rejects
from kavenegar_campaigns.rules.message_options import MessageOptionArgs
from kavenegar_campaigns.rules.text import measure_text, non_latin_characters
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output


@click.command()
@options.recipients
@options.text
@click.option("--name", help="The name of the campaign; by default the name of the file.")
@click.option("--sender", help="The line that sends; by default KAVENEGAR_SENDER.")
@options.message_options
@options.start_at_option
@click.option("--key", help="Your own name for this campaign: creating it again under the same key changes nothing.")
@click.option("--start", is_flag=True, help="Start the campaign in the same transaction.")
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
    **message_options: Unpack[MessageOptionArgs],
) -> None:
    """Create a campaign from a file of recipients.

    FILE is CSV or a workbook (XLSX; ODS, XLS, XLSB), - is standard input. Nothing is sent before the campaign is
    started. It is loaded whole or not at all. Rows that cannot be used are kept with their reasons; the others are
    loaded.
    """
    if at_gateway and not start:
        raise BadInput("--at-gateway says how to start: use it with --start, or with `campaigns start`")
    wording, line = options.read_text(text, text_file), sender if voice else options.sender_line(sender)
    message_options["kind"] = _kind(voice)
    with wiring.engine().begin() as connection:
        campaign_id = campaigns.create(
            connection,
            recipients=options.path_or_stdin(file),
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
            **message_options,
        )
        campaign = campaigns.get(connection, campaign_id)
        preview, rejects = campaigns.preview(connection, campaign_id), created_rejects(connection, campaign_id)
        if start and campaign.state is CampaignState.DRAFT:
            campaign = campaigns.start(connection, campaign_id, at_gateway=at_gateway)
    if as_json:
        output.print_json({**output.campaign_as_json(campaign), "hidden": rejects.hidden, **asdict(preview)})
    else:
        _print_created(campaign, preview, rejects)


def _kind(voice: bool) -> CampaignKind:
    return CampaignKind.VOICE if voice else CampaignKind.SMS


def _print_created(campaign: Campaign, preview: Preview, rejects: CreatedRejects) -> None:
    begins = f", begins at {output.format_both_calendars(campaign.start_at)}" if campaign.start_at else ""
    output.print_lines(
        f"campaign {campaign.id} ({campaign.name}): {output.describe_amount(campaign)} out of "
        f"{campaign.rows_read:,} rows; {campaign.duplicates:,} duplicates and {campaign.rejects:,} rejects left out"
    )
    _print_rejects(rejects.reasons, campaign.rejects, rejects.hidden)
    _print_texts(preview.first_text, preview.longest_text, campaign.kind)
    output.print_lines(f"it is {campaign.state}{begins}")
    if campaign.repeat:
        output.print_lines("the gateway's documentation says that it ignores --repeat at present")
    if campaign.state is CampaignState.DRAFT:
        output.print_lines(f"`campaigns start {campaign.id}` starts it")
    else:
        output.print_lines(f"`campaigns watch {campaign.id}` follows it")


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
    """Count what a campaign would send, without creating it.

    Counts messages, parts, duplicates and rejects of FILE by the same rules as `create`. Needs no server.
    """
    found = campaigns.estimate(
        options.path_or_stdin(file),
        options.read_text(text, text_file),
        number_column=column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
        max_characters=wiring.settings().max_characters,
        kind=_kind(voice),
    )
    output.print_json(asdict(found)) if as_json else print_estimate(found)


def print_hidden_rows(rows: int) -> None:
    """Print how many of the rejects are rows that the sheet hides."""
    if rows:
        output.print_lines(
            f"{rows:,} of the rejects are rows that the sheet hides: --include-hidden sends to them as well"
        )


def print_estimate(found: Estimate) -> None:
    """Print an estimate for a person."""
    output.print_facts(
        [
            ("header", f"row {found.header_row}" if found.header_row else "none was recognised: columns are 1, 2, 3 …"),
            ("rows", found.rows_read),
            ("calls" if found.kind is CampaignKind.VOICE else "messages", found.messages),
            ("duplicates", found.duplicates),
            ("rejects", found.rejects),
            ("to pay", _billing(found)),
            ("longest text", f"{found.longest:,} characters"),
        ]
    )
    _print_rejects(found.reasons, found.rejects, found.hidden)
    if found.messages:
        _print_texts(found.first_text, found.longest_text, found.kind)


def _print_rejects(reasons: Sequence[str], rejects: int, hidden: int) -> None:
    """Print the first rejects, how many more there are, and how many of them the sheet hides."""
    output.print_lines(*(f"  {reason}" for reason in reasons))
    if more := rejects - len(reasons):
        output.print_lines(f"  and {more:,} more")
    print_hidden_rows(hidden)


def _print_texts(first: str, longest: str, kind: CampaignKind) -> None:
    _print_text("the first text", first, kind)
    if longest != first:
        _print_text("the longest text", longest, kind)


def _print_text(which: str, text: str, kind: CampaignKind) -> None:
    """Print a text as it would be sent, with its parts and the reason for many parts."""
    calls = kind is CampaignKind.VOICE
    parts = "" if calls else f", {measure_text(text).parts:,} parts"
    output.print_lines(f"{which}{parts}:", *(f"  {line}" for line in text.splitlines()))
    if not calls and (odd := non_latin_characters(text)):
        without = measure_text(text.translate(dict.fromkeys(map(ord, odd), "x"))).parts
        output.print_lines(
            f"  {' '.join(odd)} stands in no Latin SMS, so the whole text is billed like a Persian one: without it, it "
            f"would be {without:,} parts"
        )


def _billing(found: Estimate) -> str:
    if found.kind is CampaignKind.VOICE:
        return f"{found.parts:,} calls; what one costs, the documentation does not say"
    return f"{found.parts:,} parts ({found.parts_persian:,} Persian, {found.parts_latin:,} Latin)"
