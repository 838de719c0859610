"""report, verify: what became of a campaign, and whether our record of it is true."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

import campaigns
from campaigns import BadInput, Kind, Report
from campaigns.rules.phone import mask
from campaigns.rules.suppression import told
from campaigns.verify import Verified
from campaigns.verify import verify as verified
from worker import wiring
from worker.cli import files, options, words
from worker.cli.exits import Exit

SAMPLE = 2000
"""Messages that verify asks the gateway about, where it is not told how many."""


@click.command()
@options.campaign_id
@files.out("Write a line for every row that was read")
@click.option("--rejects", type=click.Path(path_type=Path, allow_dash=True), callback=files.checked, metavar="FILE",
              help="Write the rows that made no message, with why and with their columns, to be mended.")  # fmt: skip
@options.as_json
def report(campaign_id: int, *, out: Path | None, rejects: Path | None, as_json: bool) -> None:
    """Tell what became of a campaign.

    Recipients' numbers are covered here; the file that --out writes has them in full, and a line for every row read.
    """
    if as_json + (str(out) == options.DASH) + (str(rejects) == options.DASH) > 1:
        raise BadInput("--json, --out - and --rejects - each write to standard output: name a file")
    with wiring.engine().connect() as connection:
        found = campaigns.report(connection, campaign_id)
    lines = export(campaign_id, out) if out is not None else None
    mended = None if rejects is None else _export_rejects(campaign_id, rejects)
    if as_json:
        words.tell({**report_answer(found), "file": None if out is None else str(out), "file_rows": lines})
    elif options.DASH not in {str(out), str(rejects)}:
        say_report(found)
        if lines is not None:
            words.say(f"{lines:,} rows written to {out}")
        if mended is not None:
            words.say(f"{mended:,} rejected rows written to {rejects}")


def _export_rejects(campaign_id: int, out: Path) -> int:
    return files.exported(
        out, lambda connection, file, form: campaigns.export_rejects(connection, campaign_id, file, form)
    )


def export(campaign_id: int, out: Path) -> int:
    """Write the report's file; how many rows. It reads in short transactions. Raises: BadInput, NotFound."""
    return files.exported(out, lambda connection, file, form: campaigns.export(connection, campaign_id, file, form))


def report_answer(found: Report) -> dict[str, object]:
    """A report for a program."""
    return {
        **words.campaign_answer(found.campaign),
        "counts": words.by_state(found.counts),
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


def say_report(found: Report) -> None:
    """A report for a person."""
    campaign = found.campaign
    words.facts([("campaign", f"{campaign.id} ({campaign.name}), {campaign.state}"), *_made_of(found), *_costs(found)])
    whole = campaign.messages
    words.table(
        ("state", "messages", "share"),
        [(state.value, count, words.share(count, whole)) for state, count in found.counts.items() if count],
        right=("messages", "share"),
    )
    if found.examples:
        words.table(
            ("row", "not used", "value", "why"),
            [(str(row), kind, mask(value), reason) for row, kind, value, reason in found.examples],
            right=("row",),
        )
        if more := sum(found.rejects.values()) - len(found.examples):
            words.say(f"and {more:,} more: --rejects FILE writes all of them, with their columns")


def _made_of(found: Report) -> list[tuple[str, object]]:
    campaign = found.campaign
    return [
        ("kind", words.along(campaign)),
        ("rows read", campaign.rows_read),
        ("calls" if campaign.kind is Kind.VOICE else "messages", campaign.messages),
        ("left out", _listed(found.rejects)),
        ("refused by code", _listed({str(code): messages for code, messages in found.refused.items()})),
        ("suppressed", _listed({told(reason) or "others": count for reason, count in found.suppressed.items()})),
    ]


def _costs(found: Report) -> list[tuple[str, object]]:
    sends, polls = found.requests.get("send", 0), found.requests.get("poll", 0)
    return [
        ("parts sent", found.parts),
        ("cost", f"{found.cost_rial:,} rial ({found.refunded_rial:,} refunded)"),
        ("estimated in it", _estimated(found)),
        ("withdrawn", words.withdrawn(found)),
        ("sends", f"{sends:,} requests of {found.mean_batch:.1f} messages" if sends else None),
        ("polls", f"{polls:,} requests of {found.mean_poll:.1f} messages" if polls else None),
        ("questions about the unanswered", found.requests.get("resolve")),
        (
            "speed",
            f"{found.messages_a_second:,.1f} messages a second over {found.seconds_sending:.1f} s" if sends else None,
        ),
        ("until the last verdict", f"{found.seconds_to_verdicts:.1f} s" if found.seconds_to_verdicts else None),
    ]


def _estimated(found: Report) -> str | None:
    """That some of the cost is no price of the gateway's."""
    if not found.unpriced:
        return None
    return f"{found.unpriced:,} messages whose price the gateway never told, at the average of the others"


def _listed(counts: dict[str, int] | object) -> str | None:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) if isinstance(counts, dict) else None


@click.command()
@options.campaign_id
@click.option("--sample", type=click.IntRange(1), help=f"Messages to ask the gateway about; {SAMPLE:,} if left out.")
@click.option("--all", "everything", is_flag=True, help="Ask the gateway about every message.")
@options.as_json
@click.pass_context
def verify(context: click.Context, campaign_id: int, sample: int | None, everything: bool, as_json: bool) -> None:
    """Check that the record of a campaign is true.

    It is held against itself, and against what the gateway says of the same messages while it still answers for them.
    Ends with 1 where anything is not true, and with 4 where nothing is, but not all could be checked: the gateway did
    not answer, or no longer tells of messages this old.
    """
    if everything and sample is not None:
        raise BadInput("--sample and --all contradict each other: use one of them")
    with wiring.engine().connect() as connection:
        campaign = campaigns.get(connection, campaign_id)
    found = verified(wiring.house(), campaign_id, sample=max(1, campaign.messages) if everything else sample or SAMPLE)
    if as_json:
        checks = [asdict(each) for each in found.checks]
        words.tell({"campaign_id": campaign_id, "true": found.true, "checked": found.checked, "checks": checks})
    else:
        say_verified(found)
    if not found.true:
        context.exit(Exit.NO)
    if not found.checked:
        context.exit(Exit.NOT_CHECKED)


MARKS: Final = {True: "true", False: "FALSE", None: "not checked"}


def say_verified(found: Verified) -> None:
    """The checks for a person."""
    words.table(("claim", "", "found"), [(each.name, MARKS[each.holds], each.says) for each in found.checks])
