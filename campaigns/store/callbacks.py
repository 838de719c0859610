"""Status callbacks that wait: record them, match them with our messages, confirm them at the gateway, delete them.

A callback carries no signature: any client that knows the address can add a row, and can add it again. So a row alone
changes no message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import in_one_commit


@dataclass(frozen=True, slots=True)
class StatusCallback:
    """The claim that the message under a gateway id has a status. It may be false."""

    gateway_id: int
    status: int


@dataclass(frozen=True, slots=True)
class PendingCallback:
    """A status callback that is due; `message_id` and `state` are None while no message has its gateway id."""

    callback: StatusCallback
    seen_at: datetime
    message_id: int | None
    state: MessageState | None


@dataclass(frozen=True, slots=True)
class DeferredCallback:
    """A callback that is due again at `due_at`; with a `message_id`, the gateway is asked about the message then."""

    callback: StatusCallback
    due_at: datetime
    message_id: int | None = None


# ── record ──

# Add these callbacks; skip those that already wait. Rows go in by key order, so that two writers do not deadlock.
_RECORD: Final = text("""
    INSERT INTO sms.callbacks (gateway_id, status, seen_at, due_at)
    SELECT gateway_id, status, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
      FROM unnest(CAST(:gateway_ids AS bigint[]), CAST(:statuses AS integer[])) AS new (gateway_id, status)
  ORDER BY gateway_id, status
        ON CONFLICT (gateway_id, status) DO NOTHING
""")


def record(connection: Connection, callbacks: Sequence[StatusCallback], *, now: datetime) -> int:
    """Record status callbacks, to be matched at the next tick. Returns how many were new."""
    return connection.execute(_RECORD, {**_columns(callbacks), "now": now}).rowcount


def _columns(callbacks: Sequence[StatusCallback]) -> dict[str, list[int]]:
    return {
        "gateway_ids": [callback.gateway_id for callback in callbacks],
        "statuses": [callback.status for callback in callbacks],
    }


# How many callbacks wait? The count stops at a limit.
_PENDING: Final = text("SELECT count(*) FROM (SELECT FROM sms.callbacks LIMIT :most) AS pending")


def count_pending(connection: Connection, *, most: int) -> int:
    """Return how many callbacks wait; the count stops at `most`."""
    return int(connection.execute(_PENDING, {"most": most}).scalar_one())


# ── match ──

# Is any callback due to be matched with a message?
_ANY_DUE: Final = text("SELECT EXISTS (SELECT FROM sms.callbacks WHERE message_id IS NULL AND due_at <= :now)")


def any_due(connection: Connection, *, now: datetime) -> bool:
    """Return whether a callback is due to be matched with a message."""
    return bool(connection.execute(_ANY_DUE, {"now": now}).scalar_one())


# Which callbacks are due, and which of our messages have their gateway ids?
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
    """Lock and return the oldest due callbacks, at most `most`. Other transactions skip them until this one ends."""
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


# Delete callbacks that are processed, or that need no processing.
_DELETE: Final = text("""
    DELETE FROM sms.callbacks AS callback
     USING unnest(CAST(:gateway_ids AS bigint[]), CAST(:statuses AS integer[])) AS done (gateway_id, status)
     WHERE callback.gateway_id = done.gateway_id AND callback.status = done.status
""")


def delete(connection: Connection, done: Sequence[StatusCallback]) -> None:
    """Delete callbacks that are processed, or that need no processing."""
    if done:
        connection.execute(_DELETE, _columns(done))


# Keep these callbacks, and make each due again at its own time.
_DEFER: Final = text("""
    UPDATE sms.callbacks AS callback SET due_at = kept.due_at, message_id = kept.message_id
      FROM unnest(CAST(:gateway_ids AS bigint[]), CAST(:statuses AS integer[]), CAST(:due_ats AS timestamptz[]),
                  CAST(:message_ids AS bigint[])) AS kept (gateway_id, status, due_at, message_id)
     WHERE callback.gateway_id = kept.gateway_id AND callback.status = kept.status
""")


def defer(connection: Connection, kept: Sequence[DeferredCallback]) -> None:
    """Make callbacks due again, each at its own `due_at`."""
    if kept:
        connection.execute(
            _DEFER,
            {
                **_columns([each.callback for each in kept]),
                "due_ats": [each.due_at for each in kept],
                "message_ids": [each.message_id for each in kept],
            },
        )


# Which of these gateway ids belong to one-time passwords without a verdict? Make their polls due now.
_POLL_OTPS_NOW: Final = text("""
    UPDATE sms.otps SET poll_at = least(poll_at, :now)
     WHERE poll_at IS NOT NULL AND gateway_id = ANY (CAST(:gateway_ids AS bigint[]))
 RETURNING gateway_id
""")


def poll_otps_now(connection: Connection, gateway_ids: Sequence[int], *, now: datetime) -> set[int]:
    """Make the polls of open one-time passwords due now. Returns the gateway ids that belong to one."""
    if not gateway_ids:
        return set()
    return set(connection.execute(_POLL_OTPS_NOW, {"gateway_ids": list(gateway_ids), "now": now}).scalars())


# A callback says that these lines received messages: reconcile the enabled ones soon, but not too often. A line that
# is already due by then keeps its times. A line in trouble keeps its next try, and is reconciled then.
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
    """Reconcile the inbox of these lines soon, read messages included: now, or `again` after the last reconcile.

    Returns the lines that are enabled.
    """
    return set(connection.execute(_RECONCILE_LINES_SOON, {"lines": list(lines), "now": now, "again": again}).scalars())


# ── confirm ──

_IS_TO_CONFIRM: Final = "message_id IS NOT NULL AND due_at <= :now"
# Callbacks about one batch come together: callbacks that are matched in one run are due at the same moment.
_FIRST_TO_CONFIRM: Final = f"""
    SELECT gateway_id, status, message_id FROM sms.callbacks WHERE {_IS_TO_CONFIRM}
  ORDER BY due_at, message_id LIMIT :most
       FOR UPDATE SKIP LOCKED
"""

# How many callbacks wait to be confirmed at the gateway? The count stops at a limit.
_TO_CONFIRM: Final = text(
    f"SELECT count(*) FROM (SELECT FROM sms.callbacks WHERE {_IS_TO_CONFIRM} LIMIT :most) AS matched"
)


def count_to_confirm(connection: Connection, *, now: datetime, most: int) -> int:
    """Return how many callbacks wait to be confirmed at the gateway; the count stops at `most`."""
    return int(connection.execute(_TO_CONFIRM, {"now": now, "most": most}).scalar_one())


# Delete due callbacks about messages whose last verdict a poll has already brought.
_DELETE_SETTLED: Final = text(f"""
    WITH asked AS ({_FIRST_TO_CONFIRM})
    DELETE FROM sms.callbacks AS callback USING asked JOIN sms.messages AS message ON message.id = asked.message_id
     WHERE callback.gateway_id = asked.gateway_id AND callback.status = asked.status
       AND message.state NOT IN ('accepted', 'undelivered')
""")


def delete_settled(connection: Connection, *, now: datetime, most: int) -> None:
    """Delete callbacks about messages that have their last verdict, among the `most` that would be claimed next."""
    connection.execute(_DELETE_SETTLED, {"now": now, "most": most})


# Which callbacks are due to be confirmed? The caller has them until the lease ends.
_CLAIM: Final = text(f"""
    WITH asked AS ({_FIRST_TO_CONFIRM})
    UPDATE sms.callbacks AS callback SET due_at = :lease_ends
      FROM asked WHERE callback.gateway_id = asked.gateway_id AND callback.status = asked.status
 RETURNING callback.gateway_id, callback.status, callback.seen_at, callback.message_id
""")


@in_one_commit
def claim_to_confirm(connection: Connection, *, now: datetime, lease: timedelta, most: int) -> list[PendingCallback]:
    """Claim the callbacks that are due to be confirmed at the gateway, at most `most`, for the length of `lease`."""
    rows = connection.execute(_CLAIM, {"now": now, "lease_ends": now + lease, "most": most})
    return [
        PendingCallback(StatusCallback(row.gateway_id, row.status), row.seen_at, row.message_id, MessageState.ACCEPTED)
        for row in rows
    ]


# ── active ──

# A true callback about one of our messages came. The time is updated every ten seconds at most.
_RECORD_LAST: Final = text("""
    UPDATE sms.installation SET last_callback_at = :at
     WHERE last_callback_at IS NULL OR last_callback_at < CAST(:at AS timestamptz) - interval '10 s'
""")


def record_last_callback(connection: Connection, *, at: datetime) -> None:
    """Record that a callback was confirmed at `at`: the installation may use the reduced polling schedule."""
    connection.execute(_RECORD_LAST, {"at": at})


# Has a callback been confirmed since then? Update the flag, and return it if it changed.
_UPDATE_ACTIVE: Final = text("""
    UPDATE sms.installation AS installation SET callbacks_active = seen.are_active
      FROM (SELECT coalesce(last_callback_at > :since, false) AS are_active FROM sms.installation) AS seen
     WHERE coalesce(installation.callbacks_active, false) <> seen.are_active
 RETURNING seen.are_active
""")


def update_active(connection: Connection, *, since: datetime) -> bool | None:
    """Set `callbacks_active` to whether a callback was confirmed after `since`. Returns None if it does not change."""
    found: bool | None = connection.execute(_UPDATE_ACTIVE, {"since": since}).scalar_one_or_none()
    return found


# Which polled batches have a next poll that is later than the full schedule says? Move it forward.
_RESTORE_POLLS: Final = text("""
    UPDATE sms.batches SET poll_at = greatest(CAST(:now AS timestamptz), accepted_at + :first)
     WHERE poll_at > greatest(CAST(:now AS timestamptz), accepted_at + :first)
       AND poll_no > 0 AND accepted_at > CAST(:now AS timestamptz) - :quiet_age
""")


def restore_full_polls(connection: Connection, *, first: timedelta, quiet_age: timedelta, now: datetime) -> int:
    """Return to the full polling schedule: one poll replaces those left out between the ages `first` and `quiet_age`.

    Called when callbacks stop. Returns how many batches are polled earlier.
    """
    return connection.execute(_RESTORE_POLLS, {"first": first, "quiet_age": quiet_age, "now": now}).rowcount
