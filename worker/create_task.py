"""Create and resume campaigns for apps that only speak Celery: recipients and text are files in INTAKE_FOLDER, never
task arguments.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final, Unpack

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.dates import parse_moment
from kavenegar_campaigns.rules.message_options import CampaignKind, MessageOptionArgs
from kavenegar_worker import wiring

MAX_TEXT_BYTES: Final = 64 * 1024
"""Bytes. A larger file is not the intended one, and is not read."""


def read_text_file(path: Path) -> str:
    """Return the file's text. Raises: BadInput; OSError where it cannot be read."""
    with path.open("rb") as file:
        content = file.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise BadInput("it is far longer than a text may be: is it the file you meant?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as why:
        raise BadInput("the text must be UTF-8: save it as UTF-8") from why


# ── the tasks campaigns.create and campaigns.resume ──

MAX_NAME_CHARACTERS: Final = 200
"""Characters of a file's name, including its folders below INTAKE_FOLDER."""


def create_campaign(
    *,
    recipients: str,
    text_file: str,
    key: str,
    sender: str | None,
    name: str | None,
    number_column: str | None,
    sheet: str | None = None,
    include_hidden: bool = False,
    header_row: int | None = None,
    start_at: str | datetime | None = None,
    start: bool,
    **message_options: Unpack[MessageOptionArgs],
) -> int:
    """Create a campaign, and start it if `start` says so. Returns its id. Options are as in `campaigns.create`.

    Raises: BadInput, KeyConflict.
    """
    line = sender if message_options.get("kind") == CampaignKind.VOICE else _sender_line(sender)
    with wiring.engine().begin() as connection:
        campaign_id = campaigns.create(
            connection,
            recipients=_intake_file(recipients),
            text=_read_text(text_file),
            sender=line,
            name=name or recipients,
            key=key,
            number_column=number_column,
            sheet=sheet,
            include_hidden=include_hidden,
            header_row=header_row,
            start_at=_parse_start_at(start_at),
            max_characters=wiring.settings().max_characters,
            **message_options,
        )
        if start and campaigns.get(connection, campaign_id).state is campaigns.CampaignState.DRAFT:
            campaigns.start(connection, campaign_id)
    return campaign_id


def _parse_start_at(given: str | datetime | None) -> datetime | None:
    """Parse the start time: text in either calendar, or a datetime as Celery passes it. Raises: BadInput."""
    if not isinstance(given, str):
        return given
    try:
        return parse_moment(given)
    except ValueError:
        raise BadInput(f"start_at: {given[:40]!r} is no time such as 2026-12-01T10:00+03:30") from None


def resume_campaign(campaign_id: int, *, sender: str | None) -> str:
    """Resume a paused campaign; `sender` moves it to another line. Returns its state afterwards, as text.

    A campaign that already runs from that line is left as it is: the task may run twice.
    Raises: NotFound, IllegalMove, BadInput.
    """
    with wiring.engine().begin() as connection:
        before = campaigns.get(connection, campaign_id)
        goes_on = before.state in (campaigns.CampaignState.RUNNING, campaigns.CampaignState.SCHEDULED)
        if goes_on and (sender is None or before.options.sender_line(sender) == before.sender):
            return f"campaign {before.id} is {before.state} already"
        found = campaigns.resume(connection, campaign_id, sender=sender)
    return f"campaign {found.id} is {found.state}"


def _sender_line(sender: str | None) -> str:
    line = sender or wiring.settings().kavenegar_sender
    if not line:
        raise BadInput("no sender was given and KAVENEGAR_SENDER is not set: name the line that is to send")
    return line


def _intake_file(name: str) -> Path:
    """Return the path of the file `name`, which has to be inside INTAKE_FOLDER."""
    folder = wiring.settings().intake_folder
    if folder is None:
        raise BadInput("INTAKE_FOLDER is not set: it names the folder that campaigns.create may read")
    if not name.isprintable() or len(name) > MAX_NAME_CHARACTERS:
        raise BadInput("the name of a file in INTAKE_FOLDER is too long, or holds a character that no name has")
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise BadInput(f"{name}: there is no such file in INTAKE_FOLDER")
    return path


def _read_text(name: str) -> str:
    path = _intake_file(name)
    try:
        return read_text_file(path).strip()
    except BadInput as why:
        raise BadInput(f"{name}: {why}") from None
