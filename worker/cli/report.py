"""report, verify: show the result of a campaign, and check that our record of it is true."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, CampaignKind, Report
from kavenegar_campaigns.api import gateway
from kavenegar_campaigns.api.gateway import Verified
from kavenegar_campaigns.rules.phone import mask_number
from kavenegar_campaigns.rules.suppression import reason_text
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.exits import Exit

DEFAULT_SAMPLE = 2000
"""Messages that verify asks the gateway about, where no option gives a number."""


@click.command()
@options.campaign_id
@options.out_option("Write a line for every row that was read")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, allow_dash=True),
    callback=options.check_format,
    metavar="FILE",
    help="Write the rows that made no message, with the reasons and their columns, to correct them.",
)
@options.as_json
def report(campaign_id: int, *, out: Path | None, rejects: Path | None, as_json: bool) -> None:
    """Show the report of a campaign.

    Recipients' numbers are masked here; the file of --out has full numbers, and a line for every row read.
    """
    if as_json + (str(out) == options.DASH) + (str(rejects) == options.DASH) > 1:
        raise BadInput("--json, --out - and --rejects - each write to standard output: name a file")
    with wiring.engine().connect() as connection:
        found = campaigns.build_report(connection, campaign_id)
    lines = write_report(campaign_id, out) if out is not None else None
    mended = None if rejects is None else _export_rejects(campaign_id, rejects)
    if as_json:
        output.print_json({**report_as_json(found), "file": None if out is None else str(out), "file_rows": lines})
    elif options.DASH not in {str(out), str(rejects)}:
        print_report(found)
        if lines is not None:
            output.print_lines(f"{lines:,} rows written to {out}")
        if mended is not None:
            output.print_lines(f"{mended:,} rejected rows written to {rejects}")


def _export_rejects(campaign_id: int, out: Path) -> int:
    return options.write_export(
        out, lambda connection, file, form: campaigns.export_rejects(connection, campaign_id, file, form)
    )


def write_report(campaign_id: int, out: Path) -> int:
    """Write the report's file, in short transactions. Returns how many rows. Raises: BadInput, NotFound."""
    return options.write_export(
        out, lambda connection, file, form: campaigns.export(connection, campaign_id, file, form)
    )


def report_as_json(found: Report) -> dict[str, object]:
    """Return a report for a program."""
    return {
        **output.campaign_as_json(found.campaign),
        "counts": output.counts_by_state(found.counts),
        "accepted": found.accepted,
        "rejects_by_kind": dict(found.rejects),
        "refused_by_code": {str(code): messages for code, messages in found.refused.items()},
        "suppressed_by_reason": dict(found.suppressed),
        "parts_sent": found.parts,
        "cost_rial": found.cost_rial,
        "unpriced": found.unpriced,
        "refunded_rial": found.refunded_rial,
        "withdrawn": found.withdrawn,
        "withdrawn_rial": found.withdrawn_rial,
        "requests": dict(found.requests),
        "mean_batch": found.mean_batch,
        "mean_poll": found.mean_poll,
        "seconds_sending": found.seconds_sending,
        "seconds_to_verdicts": found.seconds_to_verdicts,
        "messages_a_second": found.messages_a_second,
    }


def print_report(found: Report) -> None:
    """Print a report for a person."""
    campaign = found.campaign
    output.print_facts(
        [
            ("campaign", f"{campaign.id} ({campaign.name}), {campaign.state}"),
            *_message_facts(found),
            *_cost_facts(found),
        ]
    )
    whole = campaign.messages
    output.print_table(
        ("state", "messages", "share"),
        [(state.value, count, output.format_share(count, whole)) for state, count in found.counts.items() if count],
        right=("messages", "share"),
    )
    if found.examples:
        output.print_table(
            ("row", "not used", "value", "why"),
            [(str(row), kind, mask_number(value), reason) for row, kind, value, reason in found.examples],
            right=("row",),
        )
        if more := sum(found.rejects.values()) - len(found.examples):
            output.print_lines(f"and {more:,} more: --rejects FILE writes all of them, with their columns")


def _message_facts(found: Report) -> list[tuple[str, object]]:
    campaign = found.campaign
    return [
        ("kind", output.describe_options(campaign)),
        ("rows read", campaign.rows_read),
        ("calls" if campaign.kind is CampaignKind.VOICE else "messages", campaign.messages),
        ("left out", _join_counts(found.rejects)),
        ("refused by code", _join_counts({str(code): messages for code, messages in found.refused.items()})),
        (
            "suppressed",
            _join_counts({reason_text(reason) or "others": count for reason, count in found.suppressed.items()}),
        ),
    ]


def _cost_facts(found: Report) -> list[tuple[str, object]]:
    sends, polls = found.requests.get("send", 0), found.requests.get("poll", 0)
    return [
        ("parts sent", found.parts),
        ("cost", f"{found.cost_rial:,} rial ({found.refunded_rial:,} refunded)"),
        ("estimated in it", _estimated_sentence(found)),
        ("withdrawn", output.describe_withdrawn(found)),
        ("sends", f"{sends:,} requests of {found.mean_batch:.1f} messages" if sends else None),
        ("polls", f"{polls:,} requests of {found.mean_poll:.1f} messages" if polls else None),
        ("questions about the unanswered", found.requests.get("resolve")),
        (
            "speed",
            f"{found.messages_a_second:,.1f} messages a second over {found.seconds_sending:.1f} s" if sends else None,
        ),
        ("until the last verdict", f"{found.seconds_to_verdicts:.1f} s" if found.seconds_to_verdicts else None),
    ]


def _estimated_sentence(found: Report) -> str | None:
    """Return a sentence that says how many prices are estimated; None where none is."""
    if not found.unpriced:
        return None
    return f"{found.unpriced:,} messages whose price the gateway never told, at the average of the others"


def _join_counts(counts: dict[str, int] | object) -> str | None:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) if isinstance(counts, dict) else None


@click.command()
@options.campaign_id
@click.option(
    "--sample", type=click.IntRange(1), help=f"Messages to ask the gateway about; by default {DEFAULT_SAMPLE:,}."
)
@click.option("--all", "everything", is_flag=True, help="Ask the gateway about every message.")
@options.as_json
@click.pass_context
def verify(ctx: click.Context, campaign_id: int, sample: int | None, everything: bool, as_json: bool) -> None:
    """Check that our record of a campaign is true.

    Compares the record with itself, and with the gateway's answers about the same messages while it still gives them.
    Exit code 1: something is not true. Exit code 4: all that could be checked is true, but the gateway did not answer,
    or gives no more answers about messages this old.
    """
    if everything and sample is not None:
        raise BadInput("--sample and --all contradict each other: use one of them")
    with wiring.engine().connect() as connection:
        campaign = campaigns.get(connection, campaign_id)
    found = gateway.verify_campaign(
        wiring.context(), campaign_id, sample=max(1, campaign.messages) if everything else sample or DEFAULT_SAMPLE
    )
    if as_json:
        checks = [asdict(each) for each in found.checks]
        output.print_json({"campaign_id": campaign_id, "true": found.true, "checked": found.checked, "checks": checks})
    else:
        print_checks(found)
    if not found.true:
        ctx.exit(Exit.NO)
    if not found.checked:
        ctx.exit(Exit.NOT_CHECKED)


CHECK_MARKS: Final = {True: "true", False: "FALSE", None: "not checked"}


def print_checks(found: Verified) -> None:
    """Print the checks for a person."""
    output.print_table(
        ("claim", "", "found"), [(each.name, CHECK_MARKS[each.holds], each.says) for each in found.checks]
    )
