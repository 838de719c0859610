"""list, show, watch; start, pause, resume, cancel: show campaigns and steer them."""

from __future__ import annotations

from datetime import datetime

import click
from sqlalchemy import Connection

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, Campaign, CampaignState, Progress, Report, Waiting
from kavenegar_campaigns.api import admin
from kavenegar_campaigns.api import watch as watching
from kavenegar_campaigns.context import Database
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output, progress
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.cli.progress import CampaignStatus, PaceReader, read_status, waiting_sentence


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--key", help="Only the campaign that was created with this key.")
@options.as_json
def list_(limit: int, key: str | None, as_json: bool) -> None:
    """List campaigns, newest first, and why each one waits."""
    with wiring.engine().connect() as connection:
        if key is None:
            found, total = campaigns.newest(connection, limit=limit), watching.count_campaigns(connection)
        else:
            found = [each for each in [campaigns.by_key(connection, key)] if each]
            total = len(found)
        waiting = _waiting_reasons(connection, found)
    if as_json:
        output.print_json([{**output.campaign_as_json(each), "waiting": waiting[each.id]} for each in found])
    elif found:
        output.print_table(
            ("id", "name", "kind", "state", "messages", "parts", "created", "finished", "key", "waits because"),
            [
                (str(each.id), each.name, each.kind, each.state, each.messages, each.parts,
                 each.created_at, each.finished_at, each.client_key,
                 because.sentence if (because := waiting[each.id]) else each.hold_reason)
                for each in found
            ],
            right=("id", "messages", "parts"),
        )  # fmt: skip
    elif key is not None:
        output.print_lines("no campaign was created with this key: it can be created again with it")
    else:
        output.print_lines("there are no campaigns yet: `campaigns create --help` tells how to make one")
    output.warn_truncated(len(found), limit, total=total)


def _waiting_reasons(connection: Connection, found: list[Campaign]) -> dict[int, Waiting | None]:
    live = any(campaign.finished_at is None for campaign in found)
    pace = PaceReader().read() if live else None
    return watching.why_each_waits(connection, found, pace=pace, now=wiring.database().now())


@click.command()
@options.campaign_id
@options.as_json
def show(campaign_id: int, as_json: bool) -> None:
    """Show the state of a campaign, and why it waits.

    With --json: its row, counts by state, `held_by_gateway` (messages that wait there for their date), `withdrawn` and
    `withdrawn_rial` if a cancellation withdrew some, and `waiting`: null for a finished campaign, else an object of
    `reason` (a word), `sentence`, and `until` (a time, or null if it is not known).
    """
    pace_reader = PaceReader()
    now = _read_status(Database(wiring.engine(), patience_s=0), campaign_id, pace_reader)
    found = _withdrawn_figures(now.campaign)
    if as_json:
        taken_back = {"withdrawn": found.withdrawn, "withdrawn_rial": found.withdrawn_rial} if found else {}
        output.print_json({**output.progress_as_json(now.progress, now.at), **taken_back, "waiting": now.waiting})
    else:
        _print_status(now, found, pace_trouble=pace_reader.trouble)


def _withdrawn_figures(campaign: Campaign) -> Report | None:
    """Return the report of a cancelled campaign that the gateway held; None, without a query, of any other."""
    if not campaign.at_gateway or campaign.state is not CampaignState.CANCELLED:
        return None
    with wiring.engine().connect() as connection:
        return campaigns.build_report(connection, campaign.id)


def _read_status(database: Database, campaign_id: int, pace_reader: PaceReader) -> CampaignStatus:
    return read_status(database, campaign_id, now=database.now(), pace=pace_reader.read())


def _print_status(now: CampaignStatus, found: Report | None, *, pace_trouble: str | None) -> None:
    campaign = now.campaign
    own = "personal" if campaign.personal else "the same for all"
    output.print_facts(
        [
            ("campaign", f"{campaign.id} ({campaign.name})"),
            ("state", campaign.state.value),
            ("waits because", waiting_sentence(now)),
            ("pace", f"not known: {pace_trouble}" if pace_trouble and now.waiting else None),
            ("at the gateway", output.describe_held_by_gateway(now.progress, now.at)),
            ("withdrawn", output.describe_withdrawn(found) if found else None),
            ("kind", output.describe_options(campaign)),
            ("text", f"{campaign.template} ({own})"),
            ("sender", campaign.sender),
            ("other senders", _other_senders(campaign)),
            ("key", campaign.client_key),
            ("rows read", campaign.rows_read),
            ("to send", output.describe_amount(campaign)),
            ("left out", f"{campaign.duplicates:,} duplicates, {campaign.rejects:,} rejects"),
            ("created", campaign.created_at),
            ("to begin", campaign.start_at),
            ("started", campaign.started_at),
            ("finished", campaign.finished_at),
            *_state_counts(now.progress),
        ]
    )


def _other_senders(campaign: Campaign) -> str | None:
    """Return the other lines that sent messages of a campaign that was resumed with another line."""
    with wiring.engine().connect() as connection:
        kept = watching.kept_senders(connection, campaign.id)
    others = [f"{line} ({count:,} messages)" for line, count in kept.items() if line != campaign.sender]
    return ", ".join(others) or None


def _state_counts(progress: Progress) -> list[tuple[str, object]]:
    whole = progress.campaign.messages
    return [
        (state.value, f"{count:,} ({output.format_share(count, whole)})")
        for state, count in progress.counts.items()
        if count
    ]


@click.command()
@options.campaign_id
@click.pass_context
def watch(ctx: click.Context, campaign_id: int) -> None:
    """Show the progress of a campaign until it has finished.

    Exit code 1: it waits for a person, or was cancelled. Ctrl-C ends the command, not the campaign.
    """
    database, pace_reader = wiring.database(), PaceReader()
    with wiring.engine().connect() as connection:  # a wrong address fails at once; a later restart does not
        campaigns.get(connection, campaign_id)
    for now in progress.follow(lambda: _read_status(database, campaign_id, pace_reader)):
        if now.campaign.finished_at is not None or now.needs_a_person:
            break
    if now.needs_a_person or now.campaign.state is CampaignState.CANCELLED:
        ctx.exit(Exit.NO)


# ── the moves ──


@click.command()
@options.campaign_id
@options.start_at_option
@click.option("--now", "at_once", is_flag=True, help="Start at once, even if it is scheduled for later.")
@options.at_gateway
@options.as_json
def start(campaign_id: int, *, at: datetime | None, at_once: bool, at_gateway: bool, as_json: bool) -> None:
    """Start a draft, now or at a time.

    --at sets or changes the time of a campaign; --now starts a scheduled one at once. Until then the database holds it,
    and it can be paused and changed; with --at-gateway the gateway holds it.
    """
    if at_once and (at is not None or at_gateway):
        raise BadInput("--now contradicts --at and --at-gateway: use one of them")
    with wiring.engine().begin() as connection:
        campaigns.start(
            connection, campaign_id, at=admin.transaction_time(connection) if at_once else at, at_gateway=at_gateway
        )
        _print_new_state(connection, campaign_id, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--reason", default="paused by hand", show_default=True, help="The reason, shown to other people.")
@options.as_json
def pause(campaign_id: int, reason: str, as_json: bool) -> None:
    """Pause a campaign: send nothing more until `campaigns resume`.

    Takes effect before the next batch. Messages that have left are still polled until their verdict. Messages that
    the gateway holds for their date are sent on that date all the same.
    """
    with wiring.engine().begin() as connection:
        campaigns.pause(connection, campaign_id, reason=reason)
        _print_new_state(connection, campaign_id, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--sender", metavar="LINE", help="Another line, for the messages that have not left.")
@options.as_json
def resume(campaign_id: int, sender: str | None, as_json: bool) -> None:
    """Resume a paused campaign, with --sender from another line.

    Messages that left, or may have left, keep their line: `campaigns show` counts them.
    """
    with wiring.engine().begin() as connection:
        campaigns.resume(connection, campaign_id, sender=sender)
        _print_new_state(connection, campaign_id, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@options.as_json
def cancel(campaign_id: int, yes: bool, as_json: bool) -> None:
    """Cancel a campaign: send nothing more, for good.

    Messages that have left are still polled until their verdict. Messages that the gateway holds for their date are
    withdrawn there: `campaigns show` and `campaigns report` show how many, and the refund.
    """
    with wiring.engine().connect() as connection:
        progress = campaigns.progress(connection, campaign_id)
        held = progress.held_by_gateway(admin.transaction_time(connection))
    campaign = progress.campaign
    also = f" {held:,} messages at the gateway are withdrawn." if held else ""
    options.confirm(yes, f"cancel campaign {campaign.id} ({campaign.name}, {campaign.state}) for good?{also}")
    with wiring.engine().begin() as connection:
        campaigns.cancel(connection, campaign_id)
        _print_new_state(connection, campaign_id, as_json=as_json)


def _print_new_state(connection: Connection, campaign_id: int, *, as_json: bool) -> None:
    progress, now = campaigns.progress(connection, campaign_id), admin.transaction_time(connection)
    if as_json:
        held = progress.held_by_gateway(now)
        output.print_json({**output.campaign_as_json(progress.campaign), "held_by_gateway": held})
    else:
        output.print_lines(*_new_state_lines(progress, now))


def _new_state_lines(progress: Progress, now: datetime) -> list[str]:
    campaign, held = progress.campaign, output.describe_held_by_gateway(progress, now)
    begins = ""
    if campaign.start_at and campaign.state is CampaignState.SCHEDULED:
        begins = f", begins at {output.format_both_calendars(campaign.start_at)}"
    elif campaign.state is CampaignState.RUNNING and campaign.start_at and campaign.waits_at_gateway(now):
        begins = f", handed to the gateway, which sends it at {output.format_time(campaign.start_at)}"
    return [f"campaign {campaign.id} is {campaign.state}{begins}", *([held] if held else [])]
