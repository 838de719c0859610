"""The numbers we do not write to: one table, fed from everywhere.

A row is never deleted: reports still tell why somebody got nothing after the number was lifted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Row, text

from campaigns.rules.states import MessageState
from campaigns.rules.suppression import Reason


@dataclass(frozen=True, slots=True)
class Suppression:
    """A number as it stands in the table; it is no longer suppressed since `lifted_at`, where that is not None."""

    number: str = field(repr=False)
    reason: str  # of `Reason`, or in an operator's own words
    source: str
    created_at: datetime
    lifted_at: datetime | None


class New(NamedTuple):
    """A number that is to be suppressed, as 09121234567."""

    number: str
    reason: str
    source: str


# These are not to be written to any more. What stands there stays, unless it was lifted, or was no more than a guess:
# somebody who wants nothing is told from somebody who could not be reached. In order, so that no two writers wait for
# each other.
_ADD: Final = text(f"""
    INSERT INTO sms.suppressions AS known (number, reason, source, created_at)
    SELECT number, reason, source, :now
      FROM unnest(CAST(:numbers AS text[]), CAST(:reasons AS text[]), CAST(:sources AS text[]))
           AS new (number, reason, source)
  ORDER BY number
        ON CONFLICT (number) DO UPDATE
       SET reason = excluded.reason, source = excluded.source, created_at = excluded.created_at, lifted_at = NULL
     WHERE known.lifted_at IS NOT NULL
        OR (known.reason = '{Reason.UNREACHABLE}' AND excluded.reason <> '{Reason.UNREACHABLE}')
 RETURNING number
""")


def add(connection: Connection, numbers: Sequence[str], *, reason: str, source: str, now: datetime) -> int:
    """Suppress `numbers`, as 09121234567; how many are new, those included that were lifted before.

    A number that is suppressed already keeps its first reason; only `unreachable` gives way to any other.
    """
    return add_each(connection, [New(number, reason, source) for number in numbers], now=now)


def add_each(connection: Connection, found: Sequence[New], *, now: datetime) -> int:
    """The same for numbers with a reason and a source each. Of a number that stands there twice, the last counts."""
    if not found:
        return 0
    numbers, reasons, sources = zip(*{each.number: each for each in found}.values(), strict=True)
    added = connection.execute(
        _ADD, {"numbers": list(numbers), "reasons": list(map(str, reasons)), "sources": list(sources), "now": now}
    )
    return len(added.all())


# These may be written to again.
_LIFT: Final = text("""
    UPDATE sms.suppressions SET lifted_at = :now
     WHERE number IN (SELECT number FROM sms.suppressions
                       WHERE number = ANY (CAST(:numbers AS text[])) AND lifted_at IS NULL
                    ORDER BY number FOR UPDATE)
""")


def lift(connection: Connection, numbers: Sequence[str], *, now: datetime) -> int:
    """A person decided that these may be written to again; how many were suppressed."""
    return connection.execute(_LIFT, {"numbers": list(numbers), "now": now}).rowcount


# ── what the verdicts tell ──

# Two verdicts about one number, written down at the same moment, would each not see the other.
_ONE_BY_ONE: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.suppressions'))")

# Whose message was blocked, and whose last messages did all not arrive? What was sent before a person lifted the number
# says nothing about it any more; what has expired or was cancelled never did, and neither did a call nobody answered.
_TOLD: Final = text(f"""
    SELECT number, '{Reason.BLOCKED}' AS reason, 'status 14 of message ' || id AS source
      FROM sms.messages WHERE id = ANY (CAST(:blocked AS bigint[]))
 UNION ALL
    SELECT lost.number, '{Reason.UNREACHABLE}', 'the verdict of message ' || max(lost.id)
      FROM (SELECT number, max(id) AS id FROM sms.messages
             WHERE id = ANY (CAST(:lost AS bigint[])) GROUP BY number) AS lost
      LEFT JOIN sms.suppressions AS known ON known.number = lost.number
     CROSS JOIN LATERAL (
           SELECT message.state
             FROM sms.messages AS message
             JOIN sms.campaigns AS campaign ON campaign.id = message.campaign_id AND campaign.kind = 'sms'
            WHERE message.number = lost.number AND message.state IN ('delivered', 'undelivered', 'failed')
              AND message.settled_at > coalesce(known.lifted_at, '-infinity')
         ORDER BY message.settled_at DESC, message.id DESC LIMIT :after) AS last
     WHERE known.number IS NULL OR known.lifted_at IS NOT NULL
  GROUP BY lost.number HAVING count(*) = :after AND bool_and(last.state <> 'delivered')
""")

_LOST: Final = frozenset({MessageState.UNDELIVERED, MessageState.FAILED})


def heed(connection: Connection, moved: Sequence[tuple[int, MessageState]], *, after: int, now: datetime) -> int:
    """Suppress whom the verdicts of these messages (id, new state) tell not to write to; how many numbers are new.

    Who blocked us is suppressed at once; who did not get the last `after` messages of all campaigns, as unreachable,
    and of those nobody where `after` is 0. A message that arrives later lifts nothing by itself.
    """
    blocked = [id_ for id_, state in moved if state == MessageState.BLOCKED]
    lost = [id_ for id_, state in moved if state in _LOST] if after else []
    if not blocked and not lost:
        return 0
    if lost:
        connection.execute(_ONE_BY_ONE)
    told = connection.execute(_TOLD, {"blocked": blocked, "lost": lost, "after": after})
    return add_each(connection, [New(*row) for row in told], now=now)


# ── what stands there ──

_COLUMNS: Final = "number, reason, source, created_at, lifted_at"


def _suppressions(rows: Sequence[Row[tuple[object, ...]]]) -> list[Suppression]:
    return [Suppression(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public way to a row's names


# What stands there about these numbers?
_ABOUT: Final = text(f"SELECT {_COLUMNS} FROM sms.suppressions WHERE number = ANY (CAST(:numbers AS text[]))")


def about(connection: Connection, numbers: Sequence[str]) -> Mapping[str, Suppression]:
    """What is known of these numbers, by number, those included that were lifted."""
    rows = connection.execute(_ABOUT, {"numbers": list(numbers)}).all() if numbers else []
    return {each.number: each for each in _suppressions(rows)}


# Who was suppressed last?
_NEWEST: Final = text(f"""
    SELECT {_COLUMNS} FROM sms.suppressions
     WHERE lifted_at IS NULL AND created_at >= :since
       AND (CAST(:reason AS text) IS NULL OR reason = :reason)
  ORDER BY created_at DESC, number LIMIT :limit
""")


def newest(
    connection: Connection, *, reason: str | None = None, since: datetime | None = None, limit: int = 20
) -> Sequence[Suppression]:
    """Who is suppressed, the newest first; for one reason only, and since a moment only, where they are given."""
    since = since or datetime.min.replace(tzinfo=UTC)
    return _suppressions(connection.execute(_NEWEST, {"reason": reason, "since": since, "limit": limit}).all())


# The next numbers that are suppressed, in their order.
_PAGE: Final = text(f"""
    SELECT {_COLUMNS} FROM sms.suppressions
     WHERE number > :after AND lifted_at IS NULL ORDER BY number LIMIT :size
""")


def in_pages(connection: Connection, *, size: int = 5000) -> Iterator[Sequence[Suppression]]:
    """Everybody who is suppressed, in the order of their numbers; each page is one short read."""
    after = ""
    while rows := connection.execute(_PAGE, {"after": after, "size": size}).all():
        yield _suppressions(rows)
        after = rows[-1].number


# For which reasons did a campaign's recipients get nothing? Of a number that was lifted and suppressed anew, the last.
_REASONS: Final = text("""
    SELECT coalesce(known.reason, '') AS reason, count(*) AS messages
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
      JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
      LEFT JOIN sms.suppressions AS known ON known.number = message.number
     WHERE campaign.id = :campaign_id AND message.state = 'suppressed'
  GROUP BY 1 ORDER BY 2 DESC, 1
""")


def reasons(connection: Connection, campaign_id: int) -> Mapping[str, int]:
    """A campaign's suppressed recipients by reason; under `` those of whom the list knows nothing."""
    return {row.reason: row.messages for row in connection.execute(_REASONS, {"campaign_id": campaign_id})}
