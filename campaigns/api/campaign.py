"""Create a campaign out of recipients and a text, and steer it: start, pause, resume, cancel, send uncertain messages.

`estimate` takes the same recipients through the same rules as `create`, and needs no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Unpack

from kavenegar_campaigns.api import Bind, reading_connection, writing_connection
from kavenegar_campaigns.api.boundary import public
from kavenegar_campaigns.rules.arguments import checked
from kavenegar_campaigns.rules.message_options import MessageOptionArgs, parse_message_options
from kavenegar_campaigns.rules.text import MAX_CHARACTERS
from kavenegar_campaigns.stages import intake, plan
from kavenegar_campaigns.stages.intake import Estimate, Recipients
from kavenegar_campaigns.stages.intake.row_validator import REASONS_SHOWN
from kavenegar_campaigns.store import campaigns as store
from kavenegar_campaigns.store import database_now
from kavenegar_campaigns.store.records import Campaign

__all__ = [
    "Campaign",
    "CreatedRejects",
    "Estimate",
    "Recipients",
    "cancel",
    "create",
    "created_rejects",
    "estimate",
    "pause",
    "resume",
    "send_uncertain",
    "start",
]

# ── create ──

estimate: Final = public(intake.estimate)


@public
@checked
def create(
    bind: Bind,
    *,
    recipients: Recipients,
    text: str,
    sender: str | None = None,
    name: str | None = None,
    key: str | None = None,
    number_column: str | None = None,
    sheet: str | None = None,
    include_hidden: bool = False,
    header_row: int | None = None,
    start_at: datetime | None = None,
    max_characters: int = MAX_CHARACTERS,
    **message_options: Unpack[MessageOptionArgs],
) -> int:
    """Load a campaign as a draft and return its id. Nothing is sent before `start`.

    `recipients` is a CSV or a workbook (XLSX; ODS, XLS, XLSB), as a path or an open file, or any iterable of numbers,
    mappings, pairs of both, or rows of a database: rows of SQLAlchemy, a queryset of Django's `values` or `values_list`
    (read in chunks, not cached). Texts may be lazy translations; numbers also ints and `PhoneNumber`s. `text` may hold
    `{placeholders}`, filled from the columns or mappings. Wrong rows, and those whose text would have more than
    `max_characters`, are kept with their reasons and never stop the good ones.
    With `key`, creating the same campaign again returns the same id.

    Cells of an XLSX or ODS are taken as the spreadsheet shows them. Rows that it hides (by a filter, or by hand) become
    rejects of the kind "hidden", unless `include_hidden`; `sheet` is needed where several sheets have rows.
    The header is looked for below a title, or is in `header_row`; rows above it become rejects of the kind "above".

    The options of the messages are keyword arguments, all of them optional. `kind` is "sms", which needs a `sender`, or
    "voice": the text is read out on the phone, and no line is named. A `tag` was made in the panel. SMS take `policy`
    (a sending flow), `hide` (no numbers in the panel's lists) and `message_type` ("flash", "normal", "sim", "app"; on
    lines that begin with 3000); calls take `repeat` (0 to 5).

    Raises: BadInput when nothing can be sent at all, or the text, the sender or an option is wrong; KeyConflict when
    `key` was used for other content; LockTimeout when another transaction has held `key` for some seconds. The caller's
    transaction then holds nothing of it.
    """
    with writing_connection(bind) as connection:
        return intake.create(
            connection,
            recipients=recipients,
            text=text,
            sender=sender,
            name=name,
            key=key,
            number_column=number_column,
            sheet=sheet,
            include_hidden=include_hidden,
            header_row=header_row,
            start_at=start_at,
            max_characters=max_characters,
            options=parse_message_options(**message_options),
        )


class CreatedRejects(NamedTuple):
    """Of a campaign's rejects: how many rows the sheet hides, and the first few reasons, duplicates left out."""

    hidden: int
    reasons: Sequence[str]


@public
def created_rejects(bind: Bind, campaign_id: int) -> CreatedRejects:
    """Read why rows of a campaign's recipients could not be used. `campaigns.export_rejects` writes all of them."""
    with reading_connection(bind) as connection:
        found = store.rejects(connection, campaign_id, limit=REASONS_SHOWN, duplicates=False)
        return CreatedRejects(
            hidden=store.rejects_by_kind(connection, campaign_id).get("hidden", 0),
            reasons=[f"row {row}: {reason}" for row, _, _, reason in found],
        )


# ── steer ──


@public
@checked
def start(bind: Bind, campaign_id: int, *, at: datetime | None = None, at_gateway: bool = False) -> Campaign:
    """Approve a draft and let it run, now or at `at` (with a time zone).

    Until then our database holds it, and starting it again with another `at` changes the time. With `at_gateway` it is
    handed to the gateway at once with its date, and from there only `cancel` takes it back. Returns the campaign.

    Raises: NotFound; BadInput for a time without a zone, of another calendar or long past, and for `at_gateway` without
    a time; IllegalMove for a campaign that is paused or over, and for another time for one that runs.
    """
    with writing_connection(bind) as connection:
        return plan.start(connection, campaign_id, now=database_now(connection), at=at, at_gateway=at_gateway)


@public
@checked
def pause(bind: Bind, campaign_id: int, *, reason: str = "paused by hand") -> Campaign:
    """Pause a campaign: from the next batch on nothing is sent until `resume`. Raises: NotFound, IllegalMove.

    It does not stop what the gateway holds for its date: `progress(…).held_by_gateway(now)` tells how much that is.
    """
    with writing_connection(bind) as connection:
        return plan.pause(connection, campaign_id, now=database_now(connection), reason=reason)


@public
@checked
def resume(bind: Bind, campaign_id: int, *, sender: str | None = None) -> Campaign:
    """Let a paused campaign go on where it stopped; with `sender`, from another line.

    A new line holds for messages that have not left. Messages that left, or may have left, keep the line they have.
    Raises: NotFound, IllegalMove, BadInput.
    """
    with writing_connection(bind) as connection:
        return plan.resume(connection, campaign_id, now=database_now(connection), sender=sender)


@public
@checked
def cancel(bind: Bind, campaign_id: int) -> Campaign:
    """Cancel a campaign for good; messages that left are followed to their verdict. Raises: NotFound, IllegalMove.

    Messages that the gateway holds for their date are withdrawn; the report tells how many, and the refund in rial.
    """
    with writing_connection(bind) as connection:
        return plan.cancel(connection, campaign_id, now=database_now(connection))


@public
@checked
def send_uncertain(bind: Bind, campaign_id: int) -> int:
    """Send a campaign's uncertain messages again, perhaps a second time; only a person can decide that.

    Returns how many messages. Raises: NotFound, IllegalMove.
    """
    with writing_connection(bind) as connection:
        return plan.send_uncertain(connection, campaign_id, now=database_now(connection))
