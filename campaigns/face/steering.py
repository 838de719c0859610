"""A campaign is made and steered."""

from __future__ import annotations

from datetime import datetime

from campaigns import intake, plan
from campaigns.face.bind import Bind, now, writing
from campaigns.intake import Recipients
from campaigns.rules.manner import Kind, manner
from campaigns.rules.text import MAX_CHARACTERS
from campaigns.store.records import Campaign


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
    kind: str = Kind.SMS,
    repeat: int | None = None,
    tag: str | None = None,
    policy: str | None = None,
    hide: bool = False,
    message_type: str | int | None = None,
) -> int:
    """Load a campaign as a draft and return its id. Nothing is sent before `start`.

    `recipients` is a CSV or a workbook (XLSX; ODS, XLS, XLSB), as a path or an open file, or any iterable of numbers,
    mappings, or pairs of both. `text` may hold `{placeholders}`, filled from the columns or mappings. Wrong rows, and
    those whose text would have more than `max_characters`, are kept with their reasons and never stop the good ones.
    With `key`, creating the same campaign again returns the same id.

    Cells of an XLSX or ODS are taken as the spreadsheet shows them. Rows that it hides (by a filter, or by hand) become
    rejects of the kind "hidden", unless `include_hidden`; `sheet` is needed where several sheets have rows.
    The header is looked for below a title, or is in `header_row`; rows above it become rejects of the kind "above".

    `kind` is "sms", which needs a `sender`, or "voice": the text is read out on the phone, and no line is named.
    A `tag` was made in the panel. SMS take `policy` (a sending flow), `hide` (no numbers in the panel's lists) and
    `message_type` ("flash", "normal", "sim", "app"; on lines that begin with 3000); calls take `repeat` (0 to 5).

    Raises: BadInput when nothing can be sent at all, or the text, the sender or an option is wrong; KeyConflict when
    `key` was used for other content. The caller's transaction then holds nothing of it.
    """
    return intake.create(
        writing(bind),
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
        manner=manner(kind, repeat=repeat, tag=tag, policy=policy, hide=hide, message_type=message_type),
    )


def start(bind: Bind, campaign_id: int, *, at: datetime | None = None, at_gateway: bool = False) -> Campaign:
    """Approve a draft and let it run, now or at `at` (with a time zone).

    Until then we hold it, and starting it again with another `at` changes the time; `at_gateway` hands it over at once
    with its date, and from there only `cancel` takes it back. Raises: NotFound, IllegalMove, BadInput.
    """
    connection = writing(bind)
    return plan.start(connection, campaign_id, now=now(connection), at=at, at_gateway=at_gateway)


def pause(bind: Bind, campaign_id: int, *, reason: str = "paused by hand") -> Campaign:
    """Send nothing more until `resume`; bites before the next batch. Raises: NotFound, IllegalMove.

    Not on what the gateway holds for its date: `progress(…).held_by_gateway(now)` tells how much that is.
    """
    connection = writing(bind)
    return plan.pause(connection, campaign_id, now=now(connection), reason=reason)


def resume(bind: Bind, campaign_id: int, *, sender: str | None = None) -> Campaign:
    """Go on where it stopped, with `sender` from another line. Raises: NotFound, IllegalMove, BadInput.

    The new line holds for whatever has not left. What left, or may have left, keeps the line it has.
    """
    connection = writing(bind)
    return plan.resume(connection, campaign_id, now=now(connection), sender=sender)


def cancel(bind: Bind, campaign_id: int) -> Campaign:
    """Send nothing more, for good; what has left is followed to its verdict. Raises: NotFound, IllegalMove.

    What the gateway holds for its date is withdrawn; the report tells how much, and the refund.
    """
    connection = writing(bind)
    return plan.cancel(connection, campaign_id, now=now(connection))


def send_uncertain(bind: Bind, campaign_id: int) -> int:
    """A person decided to send a campaign's uncertain messages again; how many. Raises: NotFound, IllegalMove."""
    connection = writing(bind)
    return plan.send_uncertain(connection, campaign_id, now=now(connection))
