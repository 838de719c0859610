"""Create: a campaign and its messages, whole or not at all, in the caller's transaction."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from campaigns.errors import BadInput, KeyConflict
from campaigns.intake.opening import Recipients, opened
from campaigns.intake.sieve import Sieve, Tally, listed
from campaigns.rules.dates import check_moment
from campaigns.rules.manner import PLAIN, Manner
from campaigns.rules.splitting import BLOCK
from campaigns.rules.text import MAX_CHARACTERS, Template
from campaigns.store import epochs, loading

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
    number_column: str | None = None,
    sheet: str | None = None,
    include_hidden: bool = False,
    header_row: int | None = None,
    start_at: datetime | None = None,
    max_characters: int = MAX_CHARACTERS,
    manner: Manner = PLAIN,
) -> int:
    """The id of a new campaign, in state draft, with one message for each number and every wrong row in `rejects`.

    Everything happens in `connection`'s transaction, which the caller commits; after an error nothing of the campaign
    is left in it. Rows are read as they are written, so an iterable must not read from the same connection meanwhile.

    With `key`, creating the same again (text, sender, manner, recipients) gives the id of the campaign that is there
    already. Calls have no sender; theirs is stored as the empty text.

    Raises: BadInput for a text, sender, time or recipients that cannot be used, and if not one row can; KeyConflict if
    the key belongs to a campaign with other content.
    """
    template = Template.parse(text)
    _check(key, start_at)
    draft = loading.Draft(
        name=_name(name, recipients),
        client_key=key,
        sender=manner.line(sender),
        template=text if template.personal else template.literal,
        personal=template.personal,
        start_at=start_at,
        manner=manner,
    )
    loading.copying(connection)
    with (
        connection.begin_nested(),
        opened(
            recipients,
            number_column=number_column,
            sheet=sheet,
            include_hidden=include_hidden,
            header_row=header_row,
            placeholders=template.placeholders,
        ) as table,
    ):
        sieve = Sieve(table, template, sender=draft.sender, max_characters=max_characters, manner=manner)
        return _existing(connection, key, sieve) or _written(connection, draft, sieve)


def _check(key: str | None, start_at: datetime | None) -> None:
    if key is not None and not _is_word(key):
        raise BadInput(f"the key has to be of 1 to {LONGEST_NAME} printable characters, or left out")
    if start_at is not None:
        check_moment(start_at, "start_at")


def _name(name: str | None, recipients: Recipients) -> str | None:
    """The campaign's name: as given, or after the file."""
    if name and not _is_word(name):
        raise BadInput(f"the name has to be of 1 to {LONGEST_NAME} printable characters, or left out")
    stem = Path(recipients).stem if isinstance(recipients, (str, os.PathLike)) else ""
    return name or (stem if _is_word(stem) else None)


def _is_word(value: str) -> bool:
    return 0 < len(value) <= LONGEST_NAME and value.replace("\u200c", "").isprintable()  # Persian half-spaces are fine


def _existing(connection: Connection, key: str | None, sieve: Sieve) -> int | None:
    """The campaign that has the key, once its content is known to be the same; None if there is none."""
    if key is None:
        return None
    loading.lock_key(connection, key)
    found = loading.by_key(connection, key)
    if found is None:
        return None
    campaign_id, digest = found
    while not sieve.exhausted:
        sieve.skip(BLOCK)
        loading.stay(connection)
    if sieve.fingerprint.digest() != digest:
        raise KeyConflict(
            f"the key {key} belongs to campaign {campaign_id}, which has another text, sender, kind, options or "
            "other recipients: use a new key for a new campaign"
        )
    return campaign_id


def _written(connection: Connection, draft: loading.Draft, sieve: Sieve) -> int:
    """Write messages, rejects and the campaign; its id. Raises BadInput if there is nobody to send to."""
    campaign_id = loading.reserve_campaign(connection)
    message_ids = _load(connection, campaign_id, sieve)
    tally = _usable(sieve.tally)
    loaded = loading.Loaded(
        content_digest=sieve.fingerprint.digest(),
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


def _load(connection: Connection, campaign_id: int, sieve: Sieve) -> list[tuple[int, int]]:
    """Write all messages and rejects; the ranges of message ids that were used, as (first, one past the last)."""
    used = []
    while not sieve.exhausted:
        first_id = next_id = epochs.reserve_block(connection)
        end = first_id + BLOCK
        while next_id < end and not sieve.exhausted:
            next_id = loading.copy_messages(connection, campaign_id, next_id, sieve.messages(end - next_id))
            loading.copy_rejects(connection, campaign_id, sieve.take_rejects())
        used.append((first_id, next_id))
    return used


def _usable(tally: Tally) -> Tally:
    if tally.messages:
        return tally
    if not tally.rows_read:
        raise BadInput("there are no recipients: there is a header and no row below it")
    raise BadInput(f"not one of {tally.rows_read} rows can be used. {listed(tally.reasons, tally.rejects)}")
