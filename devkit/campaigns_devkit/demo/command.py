"""demo: the whole system on this machine, taking one campaign from a file to a verdict for every recipient."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

import kavenegar_campaigns as campaigns
from campaigns_devkit.demo import control, demo_run, sample
from campaigns_devkit.demo.demo_run import DemoCampaign
from campaigns_devkit.demo.environment import SENDER, DemoEndpoints
from campaigns_devkit.files import make_private_folder
from kavenegar_campaigns import BadInput
from kavenegar_campaigns.stages.intake.row_validator import first_reasons
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.create import print_hidden_rows
from kavenegar_worker.cli.exits import Exit

if TYPE_CHECKING:  # importing pydantic takes a tenth of a second
    from kavenegar_worker.settings.model import Settings

PLAIN_TEXT = "سلام! این یک پیام آزمایشی است و به هیچ‌کس نمی‌رسد."


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--text", help="The text; {name} stands for the column called name.")
@click.option("--column", help="The column of FILE with the numbers, where it cannot be told.")
@options.sheet
@options.include_hidden
@options.header_row
@click.option("--sender", default=SENDER, show_default=True, help="The line that sends; the sandbox knows two.")
@click.option(
    "--recipients", type=click.IntRange(20, 1_000_000), default=5000, show_default=True, help="Rows of the sample."
)
@options.out_option("Where the report goes (into the demo's folder if left out)", to_standard_output=False)
@click.option("--keep", is_flag=True, help="Leave it all running in the background afterwards.")
@click.option("--stop", is_flag=True, help="Stop what --keep has left running.")
@click.pass_context
def demo(
    ctx: click.Context,
    *,
    file: Path | None,
    text: str | None,
    column: str | None,
    sheet: str | None,
    include_hidden: bool,
    header_row: int | None,
    sender: str,
    recipients: int,
    out: Path | None,
    keep: bool,
    stop: bool,
) -> None:
    """See the whole system at work on this machine.

    FILE, or a sample of 5,000 recipients, goes through a real PostgreSQL, Valkey and Celery to the sandbox gateway.
    Nothing is sent to anybody, whatever keys are set. Ctrl-C stops all of it; run again, it goes on where it stopped.
    """
    began = time.monotonic()
    chosen = wiring.settings()
    home = (chosen.campaigns_home / "demo").expanduser().resolve()
    if stop:
        output.print_lines("the demo is stopped" if control.stop_demo(home) else "no demo was running")
        return
    _print_ignored_settings(chosen)
    given = (
        None
        if file is None
        else DemoCampaign(file, text or PLAIN_TEXT, sender, column, sheet, include_hidden, header_row)
    )
    campaign = _check_recipients(given or _sample_campaign(home, text=text, sender=sender, recipients=recipients))
    with control.start_or_join(home, print_line=output.print_lines) as handle:
        if handle.stays:
            output.print_lines(f"the demo in {home} is running already: using it")
        true = demo_run.run_campaign(handle, campaign, out=out or home / "report.csv")
        if keep:
            handle.let_stay()
    if handle.stays:
        _print_kept_running(handle.endpoints)
    output.print_lines(
        f"{'everything is true' if true else 'NOT everything is true'}; {time.monotonic() - began:.0f} s"
    )
    if not true:
        ctx.exit(Exit.NO)


def _print_ignored_settings(chosen: Settings) -> None:
    ours = {
        "DATABASE_URL": chosen.database_url,
        "CAMPAIGNS_BROKER_URL": chosen.campaigns_broker_url,
        "KAVENEGAR_API_KEY": chosen.kavenegar_api_key,
    }
    if left_alone := [name for name, value in ours.items() if value]:
        output.print_lines(f"{', '.join(left_alone)}: set, and left alone; a demo never touches a real account")
    output.print_lines("the sandbox gateway answers for Kavenegar: nothing is sent to anybody")


def _sample_campaign(home: Path, *, text: str | None, sender: str, recipients: int) -> DemoCampaign:
    """Write the demo's own recipients into its folder, and return the campaign."""
    make_private_folder(home)
    file = home / "recipients.csv"
    sample.write(file, recipients)
    return DemoCampaign(file, text or sample.TEXT, sender)


def _check_recipients(campaign: DemoCampaign) -> DemoCampaign:
    """Check that the campaign has at least one message to send, and return it. Raises: BadInput."""
    found = campaigns.estimate(
        campaign.recipients,
        campaign.text,
        number_column=campaign.column,
        sheet=campaign.sheet,
        include_hidden=campaign.include_hidden,
        header_row=campaign.header_row,
    )
    made_of = f"{found.messages:,} messages, {found.duplicates:,} duplicates, {found.rejects:,} rejects"
    output.print_lines(
        f"recipients: {campaign.recipients} ({found.rows_read:,} rows: {made_of})", f"text: {campaign.text}"
    )
    print_hidden_rows(found.hidden)
    if not found.messages:
        raise BadInput(
            f"not one of {found.rows_read:,} rows can be used. {first_reasons(found.reasons, found.rejects)}"
        )
    return campaign


def _print_kept_running(endpoints: DemoEndpoints) -> None:
    program = output.program_name()
    output.print_lines("", "it goes on running in the background:")
    output.print_facts(
        [
            ("  Flower", demo_run.flower_sentence(endpoints)),
            ("  metrics", f"{endpoints.metrics_url} (the same user and password)"),
            ("  the command", f"CAMPAIGNS_HOME={endpoints.home} {program} list"),
            ("  once more", f"{program} demo"),
            ("  stop it all", f"{program} demo --stop"),
        ]
    )
