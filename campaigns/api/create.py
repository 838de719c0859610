"""Create a campaign: load recipients and a text as a draft, and read which rows could not be used.

`estimate` takes the same recipients through the same rules, and needs no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Unpack

from campaigns.api import Bind, connection_of, writing_connection
from campaigns.rules.message_options import MessageOptionArgs, parse_message_options
from campaigns.rules.text import MAX_CHARACTERS
from campaigns.stages import intake
from campaigns.stages.intake import Estimate, Recipients, estimate
from campaigns.stages.intake.row_validator import REASONS_SHOWN
from campaigns.store import campaigns as store

__all__ = ["CreatedRejects", "Estimate", "Recipients", "create", "created_rejects", "estimate"]


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
    mappings, or pairs of both. `text` may hold `{placeholders}`, filled from the columns or mappings. Wrong rows, and
    those whose text would have more than `max_characters`, are kept with their reasons and never stop the good ones.
    With `key`, creating the same campaign again returns the same id.

    Cells of an XLSX or ODS are taken as the spreadsheet shows them. Rows that it hides (by a filter, or by hand) become
    rejects of the kind "hidden", unless `include_hidden`; `sheet` is needed where several sheets have rows.
    The header is looked for below a title, or is in `header_row`; rows above it become rejects of the kind "above".

    The options of the messages are keyword arguments, all of them optional. `kind` is "sms", which needs a `sender`, or
    "voice": the text is read out on the phone, and no line is named. A `tag` was made in the panel. SMS take `policy`
    (a sending flow), `hide` (no numbers in the panel's lists) and `message_type` ("flash", "normal", "sim", "app"; on
    lines that begin with 3000); calls take `repeat` (0 to 5).

    Raises: BadInput when nothing can be sent at all, or the text, the sender or an option is wrong; KeyConflict when
    `key` was used for other content. The caller's transaction then holds nothing of it.
    """
    return intake.create(
        writing_connection(bind),
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


def created_rejects(bind: Bind, campaign_id: int) -> CreatedRejects:
    """Read why rows of a campaign's recipients could not be used. `campaigns.export_rejects` writes all of them."""
    connection = connection_of(bind)
    found = store.rejects(connection, campaign_id, limit=REASONS_SHOWN, duplicates=False)
    return CreatedRejects(
        hidden=store.rejects_by_kind(connection, campaign_id).get("hidden", 0),
        reasons=[f"row {row}: {reason}" for row, _, _, reason in found],
    )
