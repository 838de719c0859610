"""Intake: from recipients and a text to a campaign with one message for each number.

`create` writes a campaign whole or not at all, in the caller's transaction; `estimate` only counts what it would
write.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Unpack

from sqlalchemy import Connection

from kavenegar_campaigns.errors import BadInput, KeyConflict
from kavenegar_campaigns.rules.arguments import checked
from kavenegar_campaigns.rules.batches import ID_BLOCK_SIZE
from kavenegar_campaigns.rules.dates import check_moment
from kavenegar_campaigns.rules.message_options import (
    DEFAULT_OPTIONS,
    CampaignKind,
    MessageOptions,
    parse_message_options,
)
from kavenegar_campaigns.rules.text import MAX_CHARACTERS, Template
from kavenegar_campaigns.stages.intake.row_validator import Message, RowValidator, Tally, first_reasons
from kavenegar_campaigns.stages.intake.sources import Recipients, TableOptions, open_table
from kavenegar_campaigns.store import epochs, loading

__all__ = ["Estimate", "Recipients", "create", "estimate"]

# ── create ──

log = logging.getLogger(__name__)

LONGEST_NAME: Final = 200
"""Characters of a campaign's name, and of a client's key."""


def create(
    connection: Connection,
    *,
    recipients: Recipients,
    text: str,
    sender: str | None,
    name: str | None = None,
    key: str | None = None,
    start_at: datetime | None = None,
    max_characters: int = MAX_CHARACTERS,
    options: MessageOptions = DEFAULT_OPTIONS,
    **table_options: Unpack[TableOptions],
) -> int:
    """Create a draft with one message for each number and every wrong row in `rejects`. Returns its id.

    Everything happens in `connection`'s transaction, which the caller commits, and of which it takes back what an error
    left half done. Memory stays flat: a file is read while it is written, an iterable some thousands at a time.

    With `key`, creating the same again (text, sender, options, recipients) gives the id of the campaign that is there
    already. Calls have no sender; theirs is stored as the empty text.

    Raises: BadInput for a text, sender, time or recipients that cannot be used, and if not one row can; KeyConflict if
    the key belongs to a campaign with other content; LockTimeout if another transaction creates under the key.
    """
    template = Template.parse(text)
    _check(key, start_at)
    draft = loading.Draft(
        name=_name(name, recipients),
        client_key=key,
        sender=options.sender_line(sender),
        template=text if template.personal else template.literal,
        personal=template.personal,
        start_at=start_at,
        options=options,
    )
    with open_table(recipients, template.placeholders, **table_options) as table:
        validator = RowValidator(table, template, sender=draft.sender, max_characters=max_characters, options=options)
        return _existing_campaign(connection, key, validator) or _write_campaign(connection, draft, validator)


def _check(key: str | None, start_at: datetime | None) -> None:
    if key is not None and not _is_word(key):
        raise BadInput(f"the key has to be of 1 to {LONGEST_NAME} printable characters, or left out")
    if start_at is not None:
        check_moment(start_at, "start_at")


def _name(name: str | None, recipients: Recipients) -> str | None:
    """Return the campaign's name: as given, or after the file."""
    if name and not _is_word(name):
        raise BadInput(f"the name has to be of 1 to {LONGEST_NAME} printable characters, or left out")
    stem = Path(recipients).stem if isinstance(recipients, (str, os.PathLike)) else ""
    return name or (stem if _is_word(stem) else None)


def _is_word(value: str) -> bool:
    return 0 < len(value) <= LONGEST_NAME and value.replace("\u200c", "").isprintable()  # Persian half-spaces are fine


def _existing_campaign(connection: Connection, key: str | None, validator: RowValidator) -> int | None:
    """Return the campaign under the key, after a check that its content is the same; None if there is none."""
    if key is None:
        return None
    loading.lock_key(connection, key)
    found = loading.find_by_key(connection, key)
    if found is None:
        return None
    campaign_id, digest = found
    while not validator.exhausted:
        validator.skip(ID_BLOCK_SIZE)
        loading.keep_session_alive(connection)
    if validator.fingerprint.digest() != digest:
        raise KeyConflict(
            f"the key {key} belongs to campaign {campaign_id}, which has another text, sender, kind, options or "
            "other recipients: use a new key for a new campaign"
        )
    return campaign_id


def _write_campaign(connection: Connection, draft: loading.Draft, validator: RowValidator) -> int:
    """Write messages, rejects and the campaign. Returns its id. Raises: BadInput if no recipient can be used."""
    campaign_id = loading.reserve_campaign_id(connection)
    message_ids = _load(connection, campaign_id, validator)
    tally = _check_usable(validator.tally)
    loaded = loading.Loaded(
        content_digest=validator.fingerprint.digest(),
        message_ids=message_ids,
        rows_read=tally.rows_read,
        messages=tally.messages,
        duplicates=tally.duplicates,
        rejects=tally.rejects,
        parts=tally.parts,
    )
    loading.insert_campaign(connection, campaign_id, draft, loaded)
    counts = {
        "messages": tally.messages,
        "duplicates": tally.duplicates,
        "rejects": tally.rejects,
        "hidden": tally.hidden,
    }
    log.info("campaign loaded", extra={"campaign_id": campaign_id, **counts})
    return campaign_id


def _load(connection: Connection, campaign_id: int, validator: RowValidator) -> list[tuple[int, int]]:
    """Write all messages and rejects. Returns the ranges of used message ids, as (first, one past the last)."""
    used = []
    while not validator.exhausted:
        first_id = next_id = epochs.reserve_block(connection)
        end = first_id + ID_BLOCK_SIZE
        while next_id < end and not validator.exhausted:
            next_id = loading.copy_messages(connection, campaign_id, next_id, _next_messages(validator, end - next_id))
            loading.copy_rejects(connection, campaign_id, validator.take_rejects())
        used.append((first_id, next_id))
    return used


def _next_messages(validator: RowValidator, at_most: int) -> Iterable[Message]:
    """Return the next messages for one COPY: of a file while it is written, of an iterable before that.

    An iterable that reads from the same connection, as a server-side cursor does, would wait for the COPY, and the COPY
    for it, for ever. A file is read meanwhile: the server ends a session of ours that idles in a transaction, and a
    COPY does not idle.
    """
    if validator.from_file:
        return validator.messages(at_most)
    return [*validator.messages(min(at_most, loading.ROWS_AT_ONCE))]


def _check_usable(tally: Tally) -> Tally:
    if tally.messages:
        return tally
    if not tally.rows_read:
        raise BadInput("there are no recipients: there is a header and no row below it")
    raise BadInput(f"not one of {tally.rows_read} rows can be used. {first_reasons(tally.reasons, tally.rejects)}")


# ── estimate ──


@dataclass(frozen=True, slots=True)
class Estimate:
    """The counts of messages, parts and rejects that intake would make."""

    rows_read: int
    messages: int
    duplicates: int
    rejects: int
    parts: int  # what the gateway bills; of calls, their number: what a call costs is told nowhere
    parts_persian: int  # the cheaper ones
    parts_latin: int
    longest: int  # UTF-16 code units of the longest text
    reasons: tuple[str, ...]  # why the first few rejects are none, with their rows
    kind: CampaignKind = CampaignKind.SMS
    hidden: int = 0  # of the rejects: rows that the spreadsheet hides
    first_text: str = field(default="", repr=False)  # as the first recipient would get it
    longest_text: str = field(default="", repr=False)  # the first of those that are the longest
    header_row: int | None = None  # where the columns are named; 0 where Python named them; None: nowhere


@checked
def estimate(
    recipients: Recipients,
    text: str,
    *,
    max_characters: int = MAX_CHARACTERS,
    kind: str = CampaignKind.SMS,
    **table_options: Unpack[TableOptions],
) -> Estimate:
    """Validate recipients as `create` does, and only count. Takes what `create` takes. Raises: BadInput.

    A call counts as one part: the gateway's documentation does not say how calls are billed.

    Nothing usable among the recipients is no error here: `messages` is 0 and `reasons` tells why.
    """
    template, reached = Template.parse(text), parse_message_options(kind)
    with open_table(recipients, template.placeholders, **table_options) as table:
        validator = RowValidator(table, template, sender="", max_characters=max_characters, options=reached)
        while not validator.exhausted:
            validator.skip(ID_BLOCK_SIZE)
    tally = validator.tally
    return Estimate(
        rows_read=tally.rows_read,
        messages=tally.messages,
        duplicates=tally.duplicates,
        rejects=tally.rejects,
        parts=tally.parts,
        parts_persian=tally.parts_persian,
        parts_latin=tally.parts_latin,
        longest=tally.longest,
        reasons=tuple(tally.reasons),
        kind=reached.kind,
        hidden=tally.hidden,
        header_row=table.header_row,
        first_text=tally.first_text,
        longest_text=tally.longest_text,
    )
