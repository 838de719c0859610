"""The installation as a whole: its epoch, the account's hold and credit, the last tick, the remembered pace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.errors import AccountBlocked, Refused
from kavenegar_campaigns.store import epochs, identity, in_one_commit
from kavenegar_campaigns.store.records import Hold


@dataclass(frozen=True, slots=True)
class Installation:
    """The one row of `sms.installation`."""

    epoch: int
    hold: Hold | None
    credit_rial: int | None
    credit_seen_at: datetime | None
    ticked_at: datetime | None
    debug_mode: bool | None = None  # None until the account's settings have been read
    min_credit_alarm_rial: int | None = None
    config_seen_at: datetime | None = None
    last_callback_at: datetime | None = None  # when the last confirmed callback came
    callbacks_active: bool = False


def establish(connection: Connection) -> bool:
    """Give a new database a random epoch, and record its place.

    Returns True for a database of a version that could not recognise copies: it now counts as the original.
    """
    made = connection.execute(
        text("INSERT INTO sms.installation (id, epoch) VALUES (1, :epoch) ON CONFLICT (id) DO NOTHING RETURNING id"),
        {"epoch": epochs.random_epoch()},
    )
    is_new = made.one_or_none() is not None
    if is_new:
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        epochs.begin_epoch(connection, cause="installed", now=now)
    return identity.establish_place(connection) and not is_new


# What is the state of the installation?
_READ: Final = text("""
    SELECT epoch, hold_code, hold_reason, held_since, hold_recheck_at, released_credit_rial,
           credit_rial, credit_seen_at, ticked_at, debug_mode, min_credit_alarm_rial, config_seen_at,
           last_callback_at, coalesce(callbacks_active, false) AS callbacks_active
      FROM sms.installation
""")


@in_one_commit
def read(connection: Connection) -> Installation:
    """Return the row of the installation."""
    row = connection.execute(_READ).one()
    hold = (
        None
        if row.hold_code is None
        else Hold(row.hold_code, row.hold_reason, row.held_since, row.hold_recheck_at, row.released_credit_rial)
    )
    return Installation(
        epoch=row.epoch,
        hold=hold,
        credit_rial=row.credit_rial,
        credit_seen_at=row.credit_seen_at,
        ticked_at=row.ticked_at,
        debug_mode=row.debug_mode,
        min_credit_alarm_rial=row.min_credit_alarm_rial,
        config_seen_at=row.config_seen_at,
        last_callback_at=row.last_callback_at,
        callbacks_active=row.callbacks_active,
    )


def hold_account(connection: Connection, *, code: int, reason: str, hold_recheck_at: datetime, now: datetime) -> bool:
    """Put the account on hold, which stops all sending. Returns False when it was on hold already.

    `released_credit_rial` stays only if no batch was accepted since the last release: an accepted batch proves that
    the credit was enough. A batch that the gateway keeps for a later date was accepted before, and does not count.
    """
    held = connection.execute(
        text("""
            UPDATE sms.installation
               SET hold_code = :code, hold_reason = :reason, held_since = :now, hold_recheck_at = :hold_recheck_at,
                   released_credit_rial = CASE
                       WHEN released_at > coalesce((SELECT max(accepted_at) FROM sms.batches WHERE accepted_at <= :now),
                                                 '-infinity') THEN released_credit_rial
                       END
             WHERE hold_code IS NULL
        """),
        {"code": code, "reason": reason, "now": now, "hold_recheck_at": hold_recheck_at},
    )
    return bool(held.rowcount)


@in_one_commit
def hold_if_blocked(connection: Connection, why: Refused, *, now: datetime) -> bool:
    """Put the account on hold if the gateway says that it is blocked. The account is checked again at once.

    Returns whether it is blocked. Every stage whose request was refused calls this.
    """
    if not isinstance(why, AccountBlocked):
        return False
    hold_account(connection, code=why.code, reason=str(why), hold_recheck_at=now, now=now)
    return True


def lower_released_credit(connection: Connection, *, credit_rial: int) -> None:
    """Lower the released credit of an account on hold: a credit above the lowest one seen is a new credit."""
    connection.execute(
        text("""
            UPDATE sms.installation SET released_credit_rial = :credit
             WHERE hold_code IS NOT NULL AND released_credit_rial > :credit
        """),
        {"credit": credit_rial},
    )


def release_hold(connection: Connection, *, credit_rial: int, now: datetime) -> bool:
    """Release the account's hold, with this credit. Returns False when it was not on hold."""
    done = connection.execute(
        text("""
            UPDATE sms.installation
               SET hold_code = NULL, hold_reason = NULL, held_since = NULL, hold_recheck_at = NULL,
                   released_credit_rial = :credit, released_at = :now
             WHERE hold_code IS NOT NULL
        """),
        {"credit": credit_rial, "now": now},
    )
    return bool(done.rowcount)


@in_one_commit
def record_credit(connection: Connection, *, credit_rial: int, now: datetime) -> None:
    """Record the account's credit as last seen, in rial."""
    connection.execute(
        text("UPDATE sms.installation SET credit_rial = :credit, credit_seen_at = :now"),
        {"credit": credit_rial, "now": now},
    )


@in_one_commit
def record_config(connection: Connection, *, debug_mode: bool, min_credit_alarm_rial: int, now: datetime) -> None:
    """Record the account's settings as last seen."""
    connection.execute(
        text("""
            UPDATE sms.installation
               SET debug_mode = :debug_mode, min_credit_alarm_rial = :alarm, config_seen_at = :now
        """),
        {"debug_mode": debug_mode, "alarm": min_credit_alarm_rial, "now": now},
    )


# How much will the next batch of each running campaign cost, at the price of the batch that was accepted last?
_NEXT_COST: Final = text("""
    WITH last AS (
        SELECT first_id, last_id FROM sms.batches WHERE accepted_at IS NOT NULL ORDER BY id DESC LIMIT 1
    ), price AS (
        SELECT max(ceil(message.cost_rial::numeric / message.parts)) AS rial
          FROM last JOIN sms.messages AS message ON message.id BETWEEN last.first_id AND last.last_id
         WHERE message.cost_rial > 0
    ), next AS (
        SELECT waiting.first_id, waiting.last_id
          FROM sms.campaigns AS campaign
         CROSS JOIN LATERAL (SELECT first_id, last_id FROM sms.batches
                              WHERE campaign_id = campaign.id AND state = 'ready'
                           ORDER BY due_at, id LIMIT 1) AS waiting
         WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
    )
    SELECT CAST((SELECT rial FROM price) * sum(message.parts) AS bigint) AS rial
      FROM next JOIN sms.messages AS message
        ON message.id BETWEEN next.first_id AND next.last_id AND message.state = 'pending'
""")


def next_cost(connection: Connection) -> int | None:
    """Return the cost of the next batches in rial; None while no price is known or no batch waits."""
    found: int | None = connection.execute(_NEXT_COST).scalar_one()
    return found


# Is the check due whether the account may send again? Set the next time at once, so that one process makes it.
_HOLD_RECHECK: Final = text("""
    UPDATE sms.installation SET hold_recheck_at = :next
     WHERE hold_code IS NOT NULL AND hold_recheck_at <= :now RETURNING 1
""")


def claim_hold_recheck(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Claim the check of an account on hold. Returns whether the caller makes it now."""
    return connection.execute(_HOLD_RECHECK, {"now": now, "next": next_at}).one_or_none() is not None


# Is the check of the account due? Set the next time at once, so that one process makes it.
_ACCOUNT_CHECK: Final = text("""
    UPDATE sms.installation SET account_check_at = :next
     WHERE account_check_at IS NULL OR account_check_at <= :now RETURNING 1
""")

# Is the count of the ledger due? Set the next time at once, so that one process makes it.
_LEDGER_COUNT: Final = text("""
    UPDATE sms.installation SET ledger_count_at = :next
     WHERE ledger_count_at IS NULL OR ledger_count_at <= :now RETURNING 1
""")


def claim_account_check(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Claim the check of the account's credit and settings. Returns whether the caller makes it now."""
    return connection.execute(_ACCOUNT_CHECK, {"now": now, "next": next_at}).one_or_none() is not None


def claim_ledger_count(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Claim the count of the ledger's days. Returns whether the caller makes it now."""
    return connection.execute(_LEDGER_COUNT, {"now": now, "next": next_at}).one_or_none() is not None


# The rates that the pace has found, kept where neither a flush nor a restart of Redis loses them.
#
# No request waits for this table: Redis keeps the pace, and the table is read only when Redis has lost it.


@dataclass(frozen=True, slots=True)
class RememberedPace:
    """The last good rate of an account.

    `rate` is the highest rate that the gateway accepted, in calls a second. `refused` is the lowest rate that it
    refused; None if it refused none. `at` is when the rate was last confirmed, on the clock of the Redis server.
    """

    rate: float
    refused: float | None
    at: datetime


# Which rate is remembered for this account, or else for the last account that called from the same address? A label is
# the address's part, a hyphen and the key's part; older labels have the key's part alone.
_RECALL: Final = text("""
    SELECT rate, refused, learnt_at FROM sms.pace
     WHERE split_part(label, '-', 1) = split_part(:label, '-', 1) OR label = split_part(:label, '-', 2)
  ORDER BY label = :label DESC, learnt_at DESC LIMIT 1
""")


def recall_pace(connection: Connection, account: str) -> RememberedPace | None:
    """Return the remembered rate of `account`, its label in the pace; None if no rate is remembered.

    The gateway limits calls by address: a new key starts with the rate of the last key of the same address.
    """
    row = connection.execute(_RECALL, {"label": account}).one_or_none()
    return None if row is None else RememberedPace(row.rate, row.refused, row.learnt_at)


# Remember this rate of the account.
_REMEMBER: Final = text("""
    INSERT INTO sms.pace (label, rate, refused, learnt_at) VALUES (:label, :rate, :refused, :at)
        ON CONFLICT (label) DO UPDATE
       SET rate = excluded.rate, refused = excluded.refused, learnt_at = excluded.learnt_at
""")


def remember_pace(connection: Connection, account: str, known: RememberedPace) -> None:
    """Replace the remembered rate of `account`."""
    connection.execute(_REMEMBER, {"label": account, "rate": known.rate, "refused": known.refused, "at": known.at})
