"""What the gateway tells by itself, until it has been heeded: parked, found to be about a message of ours, deleted.

Anybody who has learned the address can put a row in here, and can put it in again. So a row by itself changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.states import MessageState
from campaigns.store import in_one_commit


@dataclass(frozen=True, slots=True)
class StatusCallback:
    """The gateway says of its id: this is its status now. True or not."""

    gateway_id: int
    status: int


@dataclass(frozen=True, slots=True)
class PendingCallback:
    """A status callback that is due; `message_id` and `state` are None where we have no such message (yet)."""

    callback: StatusCallback
    seen_at: datetime
    message_id: int | None
    state: MessageState | None


@dataclass(frozen=True, slots=True)
class DeferredCallback:
    """A callback that is looked at again at `due_at`; with a `message_id`, the gateway is asked about it then."""

    callback: StatusCallback
    due_at: datetime
    message_id: int | None = None


# ── coming in ──

# These were told; what was told before and is not heeded yet is known. In order: two do not wait for each other.
_RECORD: Final = text("""
    INSERT INTO sms.callbacks (gateway_id, status, seen_at, due_at)
    SELECT gateway_id, status, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
      FROM unnest(CAST(:gateway_ids AS bigint[]), CAST(:statuses AS integer[])) AS told (gateway_id, status)
  ORDER BY gateway_id, status
        ON CONFLICT (gateway_id, status) DO NOTHING
""")


def record(connection: Connection, callbacks: Sequence[StatusCallback], *, now: datetime) -> int:
    """Write status callbacks down, to be looked at with the next tick; how many were new."""
    return connection.execute(_RECORD, {**_columns(callbacks), "now": now}).rowcount


def _columns(callbacks: Sequence[StatusCallback]) -> dict[str, list[int]]:
    return {
        "gateway_ids": [callback.gateway_id for callback in callbacks],
        "statuses": [callback.status for callback in callbacks],
    }


# How many are parked, as far as it matters?
_PENDING: Final = text("SELECT count(*) FROM (SELECT FROM sms.callbacks LIMIT :most) AS parked")


def count_pending(connection: Connection, *, most: int) -> int:
    """How many callbacks wait; counted up to `most`."""
    return int(connection.execute(_PENDING, {"most": most}).scalar_one())


# ── looked at ──

# Is any of them to be looked at?
_ANY_DUE: Final = text("SELECT EXISTS (SELECT FROM sms.callbacks WHERE message_id IS NULL AND due_at <= :now)")


def any_due(connection: Connection, *, now: datetime) -> bool:
    """Whether a callback waits to be looked at."""
    return bool(connection.execute(_ANY_DUE, {"now": now}).scalar_one())


# Which are to be looked at, and which messages of ours are they about?
_TAKE: Final = text("""
    WITH due AS (
        SELECT gateway_id, status, seen_at FROM sms.callbacks WHERE message_id IS NULL AND due_at <= :now
      ORDER BY due_at LIMIT :most
           FOR UPDATE SKIP LOCKED
    )
    SELECT due.gateway_id, due.status, due.seen_at, message.id AS message_id, message.state
      FROM due
      LEFT JOIN sms.gateway_ids AS known ON known.gateway_id = due.gateway_id
      LEFT JOIN sms.messages AS message ON message.id = known.message_id AND message.gateway_id = due.gateway_id
""")


def take(connection: Connection, *, now: datetime, most: int) -> list[PendingCallback]:
    """The oldest callbacks that are due; nobody else takes them before the transaction ends."""
    rows = connection.execute(_TAKE, {"now": now, "most": most})
    return [
        PendingCallback(
            StatusCallback(row.gateway_id, row.status),
            row.seen_at,
            row.message_id,
            None if row.state is None else MessageState(row.state),
        )
        for row in rows
    ]


# These have been heeded, or never will be.
_DELETE: Final = text("""
    DELETE FROM sms.callbacks AS callback
     USING unnest(CAST(:gateway_ids AS bigint[]), CAST(:statuses AS integer[])) AS heeded (gateway_id, status)
     WHERE callback.gateway_id = heeded.gateway_id AND callback.status = heeded.status
""")


def delete(connection: Connection, heeded: Sequence[StatusCallback]) -> None:
    """Delete callbacks."""
    if heeded:
        connection.execute(_DELETE, _columns(heeded))


# These are looked at again then.
_DEFER: Final = text("""
    UPDATE sms.callbacks AS callback SET due_at = kept.due_at, message_id = kept.message_id
      FROM unnest(CAST(:gateway_ids AS bigint[]), CAST(:statuses AS integer[]), CAST(:due_ats AS timestamptz[]),
                  CAST(:message_ids AS bigint[])) AS kept (gateway_id, status, due_at, message_id)
     WHERE callback.gateway_id = kept.gateway_id AND callback.status = kept.status
""")


def defer(connection: Connection, kept: Sequence[DeferredCallback]) -> None:
    """Look at callbacks again at the time of each."""
    if kept:
        connection.execute(
            _DEFER,
            {
                **_columns([each.callback for each in kept]),
                "due_ats": [each.due_at for each in kept],
                "message_ids": [each.message_id for each in kept],
            },
        )


# Which of these are ids of one-time passwords that wait for their verdict? They are asked about at once.
_POLL_OTPS_NOW: Final = text("""
    UPDATE sms.otps SET poll_at = least(poll_at, :now)
     WHERE poll_at IS NOT NULL AND gateway_id = ANY (CAST(:gateway_ids AS bigint[]))
 RETURNING gateway_id
""")


def poll_otps_now(connection: Connection, gateway_ids: Sequence[int], *, now: datetime) -> set[int]:
    """Ask about open one-time passwords now; of which of these ids there are any."""
    if not gateway_ids:
        return set()
    return set(connection.execute(_POLL_OTPS_NOW, {"gateway_ids": list(gateway_ids), "now": now}).scalars())


# Somebody wrote to these lines, it is said: those that we pull are gone through soon, but not all the time. A line that
# is already to be, by then, is left alone; one in trouble is gone through when it is tried again, and not before.
_RECONCILE_LINES_SOON: Final = text("""
    WITH soon AS (
        SELECT line, at, CASE WHEN trouble IS NULL THEN at ELSE due_at END AS due_at
          FROM sms.lines
         CROSS JOIN LATERAL (SELECT greatest(CAST(:now AS timestamptz), reconciled_at + :again) AS at) AS hurry
         WHERE line = ANY (CAST(:lines AS text[])) AND enabled
    ), hurried AS (
        UPDATE sms.lines AS line
           SET due_at = least(line.due_at, soon.due_at), reconcile_at = least(line.reconcile_at, soon.at)
          FROM soon
         WHERE line.line = soon.line AND (line.reconcile_at > soon.at OR line.due_at > soon.due_at)
    )
    SELECT line FROM soon
""")


def reconcile_lines_soon(connection: Connection, lines: Sequence[str], *, now: datetime, again: timedelta) -> set[str]:
    """Go through what these lines received, read messages included: now, or `again` after the last time.

    Returns those that are pulled at all.
    """
    return set(connection.execute(_RECONCILE_LINES_SOON, {"lines": list(lines), "now": now, "again": again}).scalars())


# ── asked about ──

_IS_TO_CONFIRM: Final = "message_id IS NOT NULL AND due_at <= :now"
# Those of a batch come together: what is gathered at a time is due at the same moment.
_FIRST_TO_CONFIRM: Final = f"""
    SELECT gateway_id, status, message_id FROM sms.callbacks WHERE {_IS_TO_CONFIRM}
  ORDER BY due_at, message_id LIMIT :most
       FOR UPDATE SKIP LOCKED
"""

# About how many messages is the gateway to be asked, as far as it matters?
_TO_CONFIRM: Final = text(
    f"SELECT count(*) FROM (SELECT FROM sms.callbacks WHERE {_IS_TO_CONFIRM} LIMIT :most) AS gathered"
)


def count_to_confirm(connection: Connection, *, now: datetime, most: int) -> int:
    """How many callbacks wait for the gateway to be asked; counted up to `most`."""
    return int(connection.execute(_TO_CONFIRM, {"now": now, "most": most}).scalar_one())


# About which messages need the gateway not be asked any more, because a poll was faster?
_DELETE_SETTLED: Final = text(f"""
    WITH asked AS ({_FIRST_TO_CONFIRM})
    DELETE FROM sms.callbacks AS callback USING asked JOIN sms.messages AS message ON message.id = asked.message_id
     WHERE callback.gateway_id = asked.gateway_id AND callback.status = asked.status
       AND message.state NOT IN ('accepted', 'undelivered')
""")


def delete_settled(connection: Connection, *, now: datetime, most: int) -> None:
    """Delete callbacks about messages whose verdict is the last one, of those that would be claimed next."""
    connection.execute(_DELETE_SETTLED, {"now": now, "most": most})


# About which messages is the gateway to be asked? Until the lease ends, that is ours.
_CLAIM: Final = text(f"""
    WITH asked AS ({_FIRST_TO_CONFIRM})
    UPDATE sms.callbacks AS callback SET due_at = :lease_ends
      FROM asked WHERE callback.gateway_id = asked.gateway_id AND callback.status = asked.status
 RETURNING callback.gateway_id, callback.status, callback.seen_at, callback.message_id
""")


@in_one_commit
def claim_to_confirm(connection: Connection, *, now: datetime, lease: timedelta, most: int) -> list[PendingCallback]:
    """The callbacks that have been gathered, to ask the gateway about now."""
    rows = connection.execute(_CLAIM, {"now": now, "lease_ends": now + lease, "most": most})
    return [
        PendingCallback(StatusCallback(row.gateway_id, row.status), row.seen_at, row.message_id, MessageState.ACCEPTED)
        for row in rows
    ]


# ── leaned on ──

# A true one about a message of ours came. Written down every ten seconds at most.
_RECORD_LAST: Final = text("""
    UPDATE sms.installation SET last_callback_at = :at
     WHERE last_callback_at IS NULL OR last_callback_at < CAST(:at AS timestamptz) - interval '10 s'
""")


def record_last_callback(connection: Connection, *, at: datetime) -> None:
    """A callback proved true at that time: polls may lean on them."""
    connection.execute(_RECORD_LAST, {"at": at})


# Did callbacks come since then, and was it otherwise before?
_UPDATE_ACTIVE: Final = text("""
    UPDATE sms.installation AS installation SET callbacks_active = seen.are_active
      FROM (SELECT coalesce(last_callback_at > :since, false) AS are_active FROM sms.installation) AS seen
     WHERE coalesce(installation.callbacks_active, false) <> seen.are_active
 RETURNING seen.are_active
""")


def update_active(connection: Connection, *, since: datetime) -> bool | None:
    """Lean on callbacks if one came after `since`, else no more; None where that changes nothing."""
    found: bool | None = connection.execute(_UPDATE_ACTIVE, {"since": since}).scalar_one_or_none()
    return found


# Which batches were asked about before, and would have been again by now or before long, had callbacks not come?
_RESTORE_POLLS: Final = text("""
    UPDATE sms.batches SET poll_at = greatest(CAST(:now AS timestamptz), accepted_at + :first)
     WHERE poll_at > greatest(CAST(:now AS timestamptz), accepted_at + :first)
       AND poll_no > 0 AND accepted_at > CAST(:now AS timestamptz) - :quiet_age
""")


def restore_full_polls(connection: Connection, *, first: timedelta, quiet_age: timedelta, now: datetime) -> int:
    """Callbacks fell silent: polls that were left out, from the age `first` up to `quiet_age`, are made up for by one.

    Returns how many batches are asked about earlier.
    """
    return connection.execute(_RESTORE_POLLS, {"first": first, "quiet_age": quiet_age, "now": now}).rowcount
