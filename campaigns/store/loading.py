"""Loading a campaign: ids reserved in blocks, rows by COPY, its own row last; all in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from campaigns.errors import BadInput
from campaigns.rules.manner import Manner
from campaigns.rules.states import CampaignState


@dataclass(frozen=True, slots=True)
class Draft:
    """A campaign as it was ordered."""

    name: str | None  # None: it is called by its id
    client_key: str | None
    sender: str  # of calls, the empty text
    template: str = field(repr=False)
    personal: bool
    start_at: datetime | None
    manner: Manner


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of the order: whose messages and rejects are written already."""

    content_digest: bytes
    message_ids: Sequence[tuple[int, int]]  # first, and one past the last
    rows_read: int
    messages: int
    duplicates: int
    rejects: int
    parts: int


def copying(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's own connection, which can COPY. Raises BadInput for another driver, and outside a transaction."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise BadInput("campaigns are loaded through psycopg 3: the engine's URL must begin with postgresql+psycopg://")
    if driver.autocommit:
        raise BadInput(
            "a campaign is created whole or not at all: give a connection in a transaction, not in AUTOCOMMIT"
        )
    return driver


# Who else is creating a campaign under this key? Wait until they are done.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('sms.campaigns:' || :key, 0))")


def lock_key(connection: Connection, key: str) -> None:
    """Be the only one to create under `key` until the transaction ends. Raises BadInput if somebody else takes long."""
    try:
        connection.execute(_LOCK, {"key": key})
    except OperationalError as why:
        if isinstance(why.orig, LockNotAvailable):
            raise BadInput("a campaign with this key is being created at this moment: try again in a minute") from why
        raise


def by_key(connection: Connection, key: str) -> tuple[int, bytes] | None:
    """The id and the content digest of the campaign that has `key`."""
    row = connection.execute(
        text("SELECT id, content_digest FROM sms.campaigns WHERE client_key = :key"), {"key": key}
    ).one_or_none()
    return None if row is None else (row.id, bytes(row.content_digest))


def stay(connection: Connection) -> None:
    """Say that we are still here: the server cuts off who is idle in a transaction for long."""
    connection.execute(text("SELECT 1"))


def reserve_campaign(connection: Connection) -> int:
    """The id of a campaign that is to come: its messages are written first."""
    reserved = connection.execute(text("SELECT nextval(pg_get_serial_sequence('sms.campaigns', 'id'))"))
    return int(reserved.scalar_one())


def copy_messages(
    connection: Connection, campaign_id: int, first_id: int, messages: Iterable[tuple[int, int, str, str | None]]
) -> int:
    """Write (row_no, parts, number, text) under ids from `first_id` on, as they come; one past the last id used."""
    message_id = first_id
    with (
        copying(connection).cursor() as cursor,
        cursor.copy("COPY sms.messages (id, campaign_id, row_no, parts, number, text) FROM STDIN") as copy,
    ):
        for message in messages:
            copy.write_row((message_id, campaign_id, *message))
            message_id += 1
    return message_id


def copy_rejects(
    connection: Connection, campaign_id: int, rejects: Sequence[tuple[int, str, str, str, str | None]]
) -> None:
    """Write (row_no, kind, value, reason, cells as JSON)."""
    if not rejects:
        return
    with (
        copying(connection).cursor() as cursor,
        cursor.copy("COPY sms.rejects (campaign_id, row_no, kind, value, reason, cells) FROM STDIN") as copy,
    ):
        for reject in rejects:
            copy.write_row((campaign_id, *reject))


# The id was reserved before the messages were written under it.
_INSERT: Final = text("""
    INSERT INTO sms.campaigns (id, name, client_key, content_digest, sender, template, personal, state, message_ids,
                               rows_read, messages, duplicates, rejects, parts, start_at,
                               kind, repeat, tag, policy, hide, message_type)
    OVERRIDING SYSTEM VALUE
    VALUES (:id, coalesce(:name, 'campaign ' || CAST(:id AS bigint)), :client_key, :content_digest, :sender, :template,
            :personal, :state, CAST(:message_ids AS int8multirange),
            :rows_read, :messages, :duplicates, :rejects, :parts, :start_at,
            :kind, :repeat, :tag, :policy, :hide, :message_type)
""")


def insert_campaign(connection: Connection, campaign_id: int, draft: Draft, loaded: Loaded) -> None:
    """Write the campaign's own row. Id ranges that lie side by side become one."""
    ranges = ", ".join(f"[{first}, {end})" for first, end in loaded.message_ids if first < end)
    changed = {"id": campaign_id, "state": CampaignState.DRAFT.value, "message_ids": f"{{{ranges}}}"}
    ordered = asdict(draft)
    ordered |= {**ordered.pop("manner"), "kind": draft.manner.kind.value}
    connection.execute(_INSERT, {**ordered, **asdict(loaded), **changed})
