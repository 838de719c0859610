"""The numbers that get no messages: one table for all reasons and sources.

A row is never deleted: after a suppression is lifted, reports still give the reason why a recipient got no message.

A person has the last word. A lifted number is suppressed anew by another person, or by an event after the lifting:
a message that came in later, a verdict on a message that left later, an entry made later on a list of the gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, Row, text

from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.rules.suppression import SuppressionReason
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.records import MovedMessage


@dataclass(frozen=True, slots=True)
class Suppression:
    """A row of the table. Where `lifted_at` is not None, the number has not been suppressed since then."""

    number: str = field(repr=False)
    reason: str  # of `SuppressionReason`, or in an operator's own words
    source: str
    created_at: datetime
    lifted_at: datetime | None


class NewSuppression(NamedTuple):
    """A number to suppress, as 09121234567, because of an event; `happened_at` is None where the time is not known."""

    number: str
    reason: str
    source: str
    happened_at: datetime | None


# Suppress these numbers. An existing row changes in two cases only. It was lifted, and the event is later or a person
# asks, which needs no date. Or its reason is `unreachable`, a guess, which gives way to any other reason. Rows go in by
# number, so that two writers do not deadlock.
_ADD: Final = text(f"""
    INSERT INTO sms.suppressions AS known (number, reason, source, created_at)
    SELECT number, reason, source, :now
      FROM unnest(CAST(:numbers AS text[]), CAST(:reasons AS text[]), CAST(:sources AS text[]))
           AS new (number, reason, source)
  ORDER BY number
        ON CONFLICT (number) DO UPDATE
       SET reason = excluded.reason, source = excluded.source, created_at = excluded.created_at, lifted_at = NULL
     WHERE (known.lifted_at IS NULL AND known.reason = '{SuppressionReason.UNREACHABLE}'
            AND excluded.reason <> '{SuppressionReason.UNREACHABLE}')
        OR (known.lifted_at IS NOT NULL
            AND (CAST(:happened_ats AS timestamptz[]) IS NULL
                 OR known.lifted_at < (CAST(:happened_ats AS timestamptz[]))[
                        array_position(CAST(:numbers AS text[]), excluded.number)]))
 RETURNING number
""")


def add(connection: Connection, numbers: Sequence[str], *, reason: str, source: str, now: datetime) -> int:
    """Suppress `numbers`, as 09121234567, because a person asks. Returns how many are new, lifted ones included.

    A number that is suppressed already keeps its first reason; only `unreachable` gives way to any other.
    """
    asked = dict.fromkeys(numbers)
    same = {"reasons": [str(reason)] * len(asked), "sources": [source] * len(asked)}
    return _add(connection, {"numbers": list(asked), **same, "happened_ats": None, "now": now})


def add_dated(connection: Connection, found: Sequence[NewSuppression], *, now: datetime) -> int:
    """Suppress numbers because of dated events; one lifted after its event is skipped. Returns how many were added.

    Of two entries for one number, the last counts.
    """
    each = list({new.number: new for new in found}.values())
    return _add(
        connection,
        {
            "numbers": [new.number for new in each],
            "reasons": [str(new.reason) for new in each],
            "sources": [new.source for new in each],
            "happened_ats": [new.happened_at for new in each],
            "now": now,
        },
    )


def _add(connection: Connection, columns: Mapping[str, object]) -> int:
    return len(connection.execute(_ADD, columns).all()) if columns["numbers"] else 0


# Lift these suppressions.
_LIFT: Final = text("""
    UPDATE sms.suppressions SET lifted_at = :now
     WHERE number IN (SELECT number FROM sms.suppressions
                       WHERE number = ANY (CAST(:numbers AS text[])) AND lifted_at IS NULL
                    ORDER BY number FOR UPDATE)
""")


def lift(connection: Connection, numbers: Sequence[str], *, now: datetime) -> int:
    """Lift the suppressions of `numbers`, because a person decided so. Returns how many were suppressed."""
    return connection.execute(_LIFT, {"numbers": list(numbers), "now": now}).rowcount


# ── numbers that the gateway refuses ──

REFUSED_RETRY_AFTER: Final = timedelta(days=7)
"""How long a number that the gateway refused is left out of the block lists; then it is tried again."""

# The gateway does not accept this as a number.
_RECORD_REFUSED: Final = text("UPDATE sms.suppressions SET refused_at = :now WHERE number = :number")
# How many numbers has the gateway refused recently?
_COUNT_REFUSED: Final = text("SELECT count(*) FROM sms.suppressions WHERE refused_at > :refused")


def record_refused(connection: Connection, number: str, *, now: datetime) -> None:
    """Record that the gateway refused this number: its entries on all block lists stay as they are until a retry."""
    connection.execute(_RECORD_REFUSED, {"number": number, "now": now})


@in_one_commit
def count_refused(connection: Connection, *, now: datetime) -> int:
    """Return how many numbers are not synchronised, because the gateway refused them within REFUSED_RETRY_AFTER."""
    return int(connection.execute(_COUNT_REFUSED, {"refused": now - REFUSED_RETRY_AFTER}).scalar_one())


# ── opt-outs ──

SECOND: Final = timedelta(seconds=1)

# When did a pull of this line last reach the end of its unread messages?
_PULLED: Final = text("SELECT pulled_at FROM sms.lines WHERE line = :line")


def opt_out(
    connection: Connection, line: str, rows: Sequence[tuple[str, datetime]], *, unread: bool, now: datetime
) -> int:
    """Suppress numbers that opted out by a message to this line. Returns how many numbers are new.

    Each row is (number, when the message was received). The gateway dates a message on its own clock and in whole
    seconds: in the second of a lifting, the opt-out counts. A message that was still `unread` came in after the last
    pull that reached the end, by our clock, whatever its own date says.
    """
    pulled_at = connection.execute(_PULLED, {"line": line}).scalar_one_or_none() if unread else None
    found = [
        NewSuppression(
            number, SuppressionReason.OPTED_OUT, f"inbox {line}", max(received_at + SECOND, pulled_at or received_at)
        )
        for number, received_at in sorted(rows)
    ]
    return add_dated(connection, found, now=now)


# ── verdicts ──

# One at a time: two verdicts about one number, recorded at the same moment, would not see each other.
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.suppressions'))")

# When did a message leave? With its batch: no two batches overlap, except split ones. A request that is proven never to
# have reached the gateway does not count.
_LEFT: Final = """
    LATERAL (SELECT coalesce(batch.first_sent_at, batch.accepted_at, :now) AS left_at
               FROM sms.batches AS batch
              WHERE batch.campaign_id = message.campaign_id AND batch.first_id <= message.id AND batch.state <> 'split'
           ORDER BY batch.first_id DESC LIMIT 1) AS batch
"""
# Which numbers blocked a message, and which did not receive any of their last messages? A message that left before a
# person lifted the number does not count. Expired and cancelled messages and unanswered calls do not count either. A
# number with both reasons is `blocked`.
_VERDICTS: Final = text(f"""
    SELECT number, '{SuppressionReason.BLOCKED}' AS reason, 'status 14 of message ' || id AS source,
           left_at AS happened_at
      FROM sms.messages AS message CROSS JOIN {_LEFT}
     WHERE id = ANY (CAST(:blocked AS bigint[]))
 UNION ALL
    SELECT lost.number, '{SuppressionReason.UNREACHABLE}', 'the verdict of message ' || max(lost.id), min(last.left_at)
      FROM (SELECT number, max(id) AS id FROM sms.messages
             WHERE id = ANY (CAST(:lost AS bigint[])) GROUP BY number) AS lost
      LEFT JOIN sms.suppressions AS known ON known.number = lost.number
     CROSS JOIN LATERAL (
           SELECT message.state, batch.left_at
             FROM sms.messages AS message
             JOIN sms.campaigns AS campaign ON campaign.id = message.campaign_id AND campaign.kind = 'sms'
            CROSS JOIN {_LEFT}
            WHERE message.number = lost.number AND message.state IN ('delivered', 'undelivered', 'failed')
              AND batch.left_at > coalesce(known.lifted_at, '-infinity')
         ORDER BY message.settled_at DESC, message.id DESC LIMIT :after) AS last
     WHERE known.number IS NULL OR known.lifted_at IS NOT NULL
  GROUP BY lost.number HAVING count(*) = :after AND bool_and(last.state <> 'delivered')
  ORDER BY reason DESC, happened_at
""")

_LOST: Final = frozenset({MessageState.UNDELIVERED, MessageState.FAILED})


def suppress_by_verdicts(connection: Connection, moved: Sequence[MovedMessage], *, after: int, now: datetime) -> int:
    """Suppress the numbers that the verdicts of these messages call for. Returns how many numbers are new.

    A number that blocked us is suppressed at once. A number that did not receive the last `after` messages of all
    campaigns is suppressed as unreachable; with `after` 0, none is. A message that arrives later lifts no suppression.
    """
    blocked = [id_ for id_, state in moved if state is MessageState.BLOCKED]
    lost = [id_ for id_, state in moved if state in _LOST] if after else []
    if not blocked and not lost:
        return 0
    if lost:
        connection.execute(_ONE_AT_A_TIME)
    rows = connection.execute(_VERDICTS, {"blocked": blocked, "lost": lost, "after": after, "now": now})
    return add_dated(connection, [NewSuppression(*row) for row in rows], now=now)


# ── read ──

_COLUMNS: Final = "number, reason, source, created_at, lifted_at"


def _suppressions(rows: Sequence[Row[tuple[object, ...]]]) -> list[Suppression]:
    return [Suppression(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public way to a row's names


# Which rows do these numbers have?
_FIND: Final = text(f"SELECT {_COLUMNS} FROM sms.suppressions WHERE number = ANY (CAST(:numbers AS text[]))")


def find(connection: Connection, numbers: Sequence[str]) -> Mapping[str, Suppression]:
    """Return the rows of these numbers, by number, lifted ones included."""
    rows = connection.execute(_FIND, {"numbers": list(numbers)}).all() if numbers else []
    return {each.number: each for each in _suppressions(rows)}


# Which numbers were suppressed last?
_NEWEST: Final = text(f"""
    SELECT {_COLUMNS} FROM sms.suppressions
     WHERE lifted_at IS NULL AND created_at >= :since
       AND (CAST(:reason AS text) IS NULL OR reason = :reason)
  ORDER BY created_at DESC, number LIMIT :limit
""")


def newest(
    connection: Connection, *, reason: str | None = None, since: datetime | None = None, limit: int = 20
) -> Sequence[Suppression]:
    """Return suppressed numbers, the newest first: for one `reason` only, and `since` a moment only, if given."""
    since = since or datetime.min.replace(tzinfo=UTC)
    return _suppressions(connection.execute(_NEWEST, {"reason": reason, "since": since, "limit": limit}).all())


# Which suppressed numbers come next, in the order of the numbers?
_PAGE: Final = text(f"""
    SELECT {_COLUMNS} FROM sms.suppressions
     WHERE number > :after AND lifted_at IS NULL ORDER BY number LIMIT :size
""")


def in_pages(connection: Connection, *, size: int = 5000) -> Iterator[Sequence[Suppression]]:
    """Yield all suppressed numbers, in the order of the numbers, a page at a time; each page is one short read."""
    after = ""
    while rows := connection.execute(_PAGE, {"after": after, "size": size}).all():
        yield _suppressions(rows)
        after = rows[-1].number


# For which reasons are a campaign's recipients suppressed? Of a number that was lifted and suppressed anew, the last
# reason counts.
_REASONS: Final = text("""
    SELECT coalesce(known.reason, '') AS reason, count(*) AS messages
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
      JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
      LEFT JOIN sms.suppressions AS known ON known.number = message.number
     WHERE campaign.id = :campaign_id AND message.state = 'suppressed'
  GROUP BY 1 ORDER BY 2 DESC, 1
""")


def reasons(connection: Connection, campaign_id: int) -> Mapping[str, int]:
    """Return how many of a campaign's recipients are suppressed, by reason; "" for numbers without a row."""
    return {row.reason: row.messages for row in connection.execute(_REASONS, {"campaign_id": campaign_id})}
