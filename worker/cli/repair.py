"""uncertain, restored, epoch: decisions that only a person can make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.api import admin
from kavenegar_campaigns.api.admin import COLLISION, MAY_HAVE_LEFT, UncertainBatch
from kavenegar_campaigns.rules.arguments import MAX_ID
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.exits import Exit

_NOT_KNOWN = (
    "Nobody can know any more whether these messages were sent: {why}. "
    "Look one of them up in Kavenegar's panel. If it is not there, `campaigns uncertain send ID` sends them; if it is, "
    "leave them: the report keeps them as uncertain."
)
_WINDOW_OVER = "the gateway answers for our ids for {window} only (LOCALID_WINDOW)"
_RESTORED = "a history of the database that is lost may have sent them, longer ago than the gateway answers for our ids"
_COLLIDED = (
    "With the trouble `{collision}` it is known that they were not sent: the gateway has messages of another database "
    "under their ids. `campaigns epoch renew` gives them new ids, and they leave."
)


def explain_uncertain(found: Sequence[UncertainBatch]) -> list[str]:
    """Explain why messages are uncertain and what to do, a line for each kind of trouble."""
    troubles = {batch.trouble for batch in found}
    lines = [_COLLIDED.format(collision=COLLISION)] if COLLISION in troubles else []
    if MAY_HAVE_LEFT in troubles:
        lines.append(_NOT_KNOWN.format(why=_RESTORED))
    if troubles - {COLLISION, MAY_HAVE_LEFT}:
        window = output.format_duration(wiring.settings().localid_window.total_seconds())
        lines.append(_NOT_KNOWN.format(why=_WINDOW_OVER.format(window=window)))
    return lines


@click.group("uncertain")
def uncertain_() -> None:
    """List uncertain messages, or send them again.

    Nobody knows whether these messages were sent.
    """


@uncertain_.command("list")
@click.option("--campaign", "campaign_id", type=click.IntRange(1, MAX_ID), help="Only of this campaign.")
@options.as_json
@click.pass_context
def list_(ctx: click.Context, campaign_id: int | None, as_json: bool) -> None:
    """List batches with uncertain messages. Exit code 1: there are some."""
    with wiring.engine().connect() as connection:
        found = admin.list_uncertain(connection, campaign_id=campaign_id)
    if as_json:
        output.print_json([asdict(batch) for batch in found])
    elif found:
        rows = [(each.campaign_id, each.batch_id, each.messages, each.first_sent_at, each.trouble) for each in found]
        output.print_table(
            ("campaign", "batch", "messages", "sent at", "trouble"), rows, right=("campaign", "batch", "messages")
        )
        output.print_lines("", *explain_uncertain(found))
    else:
        output.print_lines("nothing is uncertain")
    ctx.exit(Exit.NO if found else Exit.FINE)


@uncertain_.command()
@options.campaign_id
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def send(campaign_id: int, yes: bool) -> None:
    """Send the uncertain messages of a campaign again; recipients who got one already get a second."""
    options.confirm(yes, f"send the uncertain messages of campaign {campaign_id} again, perhaps a second time?")
    with wiring.engine().begin() as connection:
        count = campaigns.send_uncertain(connection, campaign_id)
    output.print_lines(f"{count:,} messages are ready to leave again")


@click.command()
@click.option("--copy", is_flag=True, help="The original database stays in use: this copy sends nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@options.as_json
def restored(copy: bool, yes: bool, as_json: bool) -> None:
    """Say that this database was restored from a backup, or copied.

    A restored database sends nothing before that. Messages that may have left since the backup are queried first, by
    their old ids: those that the gateway has are not sent again. New messages get ids of a new epoch.
    """
    database, policy = wiring.database(), wiring.settings().policy()
    live = admin.unfinished_campaigns(database)
    for campaign_id, name, state in [] if as_json else live:
        output.print_lines(f"campaign {campaign_id} ({output.printable(name)}) is {state} here")
    options.confirm(yes, _WARNING_COPY if copy else _WARNING_RESTORED)
    done = admin.accept_database(database, policy, copy=copy, now=database.now())
    if as_json:
        output.print_json(asdict(done))
        return
    output.print_lines(
        f"{done.batches:,} batches may have left since {output.format_time(done.lost_since)}: they are asked about "
        f"from {output.format_time(done.ask_at)} on, and nothing of them is sent before",
        f"{done.otps:,} one-time passwords that were waiting are not sent any more",
        f"{done.lines:,} lines of the inbox are " + ("not pulled here any more" if copy else "gone through again"),
        f"ids are of epoch {done.epoch} from now on",
    )
    if copy:
        output.print_lines(f"{len(done.campaigns):,} campaigns are cancelled here: the other database sends them")


_WARNING_RESTORED = (
    "What was paused or cancelled after the backup runs again here, and what was suppressed by hand since is lost: "
    "`campaigns cancel ID`, `campaigns suppress add` and `campaigns pause ID` put that right, now or later. "
    "Is the database that the backup was made of gone for good?"
)
_WARNING_COPY = (
    "Cancel every started campaign in this copy, pull no line from it, and leave both to the database that it was "
    "copied from?"
)


@click.group()
def epoch() -> None:
    """Show the epoch, which is a part of our message ids.

    It keeps them apart from the ids of other databases on the same account.
    """


@epoch.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def renew(yes: bool) -> None:
    """Begin a new epoch after a collision: another database used the same ids on this account.

    Messages that have not left get new ids; the others keep theirs. After a restore, run `campaigns restored` instead.
    """
    database = wiring.database()
    options.refuse_copied_database(database)
    options.confirm(yes, "give new ids to every message that has not left?")
    renewal = admin.renew_epoch(database)
    output.print_lines(
        f"epoch {renewal.epoch}: {renewal.batches:,} batches have new ids",
        "campaigns that a collision paused go on with `campaigns resume ID`",
    )
