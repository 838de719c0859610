"""The installation as a whole: its epoch, the account's hold and credit, the last tick, what the pace has learned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.errors import AccountBlocked, Refused
from campaigns.store import epochs, identity, in_one_commit
from campaigns.store.records import Hold


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
    last_callback_at: datetime | None = None  # when a callback that proved true came last
    callbacks_active: bool = False


def establish(connection: Connection) -> bool:
    """Give a new database its epoch, at random, and write down where it lives.

    True: the database is one of before it could be known whether it is a copy, and is taken for the original now.
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


# How does the installation stand?
_READ: Final = text("""
    SELECT epoch, hold_code, hold_reason, held_since, hold_recheck_at, released_credit_rial,
           credit_rial, credit_seen_at, ticked_at, debug_mode, min_credit_alarm_rial, config_seen_at,
           last_callback_at, coalesce(callbacks_active, false) AS callbacks_active
      FROM sms.installation
""")


@in_one_commit
def read(connection: Connection) -> Installation:
    """The installation as its row stands."""
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
    """Stop all sending for the account; False when it was on hold already.

    What was accepted since the account was last let go proves that its credit was enough then; what the gateway holds
    for a date to come was accepted before.
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
    """Stop all sending where the gateway says that the account is blocked; the account is looked at again at once.

    Returns whether it is blocked. Every stage whose request was refused calls this.
    """
    if not isinstance(why, AccountBlocked):
        return False
    hold_account(connection, code=why.code, reason=str(why), hold_recheck_at=now, now=now)
    return True


def lower_released_credit(connection: Connection, *, credit_rial: int) -> None:
    """The account stays on hold with this credit: a credit above what it has fallen to is another one."""
    connection.execute(
        text("""
            UPDATE sms.installation SET released_credit_rial = :credit
             WHERE hold_code IS NOT NULL AND released_credit_rial > :credit
        """),
        {"credit": credit_rial},
    )


def release_hold(connection: Connection, *, credit_rial: int, now: datetime) -> bool:
    """The account may send again, with this credit; False when it was not on hold."""
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
    """Remember the account's credit as last seen."""
    connection.execute(
        text("UPDATE sms.installation SET credit_rial = :credit, credit_seen_at = :now"),
        {"credit": credit_rial, "now": now},
    )


@in_one_commit
def record_config(connection: Connection, *, debug_mode: bool, min_credit_alarm_rial: int, now: datetime) -> None:
    """Remember the account's settings as last seen."""
    connection.execute(
        text("""
            UPDATE sms.installation
               SET debug_mode = :debug_mode, min_credit_alarm_rial = :alarm, config_seen_at = :now
        """),
        {"debug_mode": debug_mode, "alarm": min_credit_alarm_rial, "now": now},
    )


# What will the next batch of each running campaign cost, at the price of what was accepted last?
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
    """Rial that the next batches will cost; None while no price is known or nothing waits."""
    found: int | None = connection.execute(_NEXT_COST).scalar_one()
    return found


# Is it time to look whether the account may send again? Then put the next look off at once, so that one looks.
_HOLD_RECHECK: Final = text("""
    UPDATE sms.installation SET hold_recheck_at = :next
     WHERE hold_code IS NOT NULL AND hold_recheck_at <= :now RETURNING 1
""")


def claim_hold_recheck(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Whether the caller is the one to look."""
    return connection.execute(_HOLD_RECHECK, {"now": now, "next": next_at}).one_or_none() is not None


# Is it time to look at the account? Then put the next look off at once, so that one looks.
_ACCOUNT_CHECK: Final = text("""
    UPDATE sms.installation SET account_check_at = :next
     WHERE account_check_at IS NULL OR account_check_at <= :now RETURNING 1
""")

# Is it time to count the days? Then put the next count off at once, so that one counts.
_LEDGER_COUNT: Final = text("""
    UPDATE sms.installation SET ledger_count_at = :next
     WHERE ledger_count_at IS NULL OR ledger_count_at <= :now RETURNING 1
""")


def claim_account_check(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Whether the caller is the one to look at the account's credit and settings."""
    return connection.execute(_ACCOUNT_CHECK, {"now": now, "next": next_at}).one_or_none() is not None


def claim_ledger_count(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Whether the caller is the one to count the days."""
    return connection.execute(_LEDGER_COUNT, {"now": now, "next": next_at}).one_or_none() is not None


# What the gateway has taught the pace, kept where neither a flush nor a restart of Redis reaches.
#
# Nobody waits for this: Redis keeps the pace, and comes here only once it knows nothing any more.


@dataclass(frozen=True, slots=True)
class RememberedPace:
    """The last good rate of an account.

    `rate` is the most calls a second that the gateway took, `refused` the least that it did not, None if it took all;
    `at` is when that was last confirmed, on the clock of the Redis server.
    """

    rate: float
    refused: float | None
    at: datetime


# What had the gateway taught this account, or else the one that called last from the same address? A label is the
# address's and, behind a hyphen, the key's; labels of before had the key's alone.
_RECALL: Final = text("""
    SELECT rate, refused, learnt_at FROM sms.pace
     WHERE split_part(label, '-', 1) = split_part(:label, '-', 1) OR label = split_part(:label, '-', 2)
  ORDER BY label = :label DESC, learnt_at DESC LIMIT 1
""")


def recall_pace(connection: Connection, account: str) -> RememberedPace | None:
    """What is known of `account`, the label under which the pace keeps it; None where nothing is.

    Too many calls are counted by address: of a new key is known what the last one of the same address was taught.
    """
    row = connection.execute(_RECALL, {"label": account}).one_or_none()
    return None if row is None else RememberedPace(row.rate, row.refused, row.learnt_at)


# This is what it teaches now.
_REMEMBER: Final = text("""
    INSERT INTO sms.pace (label, rate, refused, learnt_at) VALUES (:label, :rate, :refused, :at)
        ON CONFLICT (label) DO UPDATE
       SET rate = excluded.rate, refused = excluded.refused, learnt_at = excluded.learnt_at
""")


def remember_pace(connection: Connection, account: str, known: RememberedPace) -> None:
    """Replace what is known of `account`."""
    connection.execute(_REMEMBER, {"label": account, "rate": known.rate, "refused": known.refused, "at": known.at})
