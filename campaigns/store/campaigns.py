"""Campaigns: read them, and move them from state to state by the table `CAMPAIGN_MOVES`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, RowMapping, func, select, text

from kavenegar_campaigns.errors import IllegalMove, NotFound
from kavenegar_campaigns.rules.message_options import CampaignKind
from kavenegar_campaigns.rules.states import CAMPAIGN_MOVES, CampaignState, MessageState
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.records import Campaign, Progress
from kavenegar_campaigns.store.tables.sending import campaigns

_COLUMNS: Final = [campaigns.c[name] for name in Campaign.__slots__]


def _campaign(row: Row[tuple[object, ...]]) -> Campaign:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's names
    values |= {"state": CampaignState(values["state"]), "kind": CampaignKind(values["kind"])}
    return Campaign(**values)


def read(connection: Connection, campaign_id: int) -> Campaign:
    """Read a campaign. Raises: NotFound."""
    row = connection.execute(select(*_COLUMNS).where(campaigns.c.id == campaign_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}: `campaigns list` shows those there are")
    return _campaign(row)


def by_key(connection: Connection, key: str) -> Campaign | None:
    """Read the campaign that was created under a client's key; None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(campaigns.c.client_key == key)).one_or_none()
    return None if row is None else _campaign(row)


def read_locked(connection: Connection, campaign_id: int) -> Campaign:
    """Read a campaign and lock its row until this transaction ends. Raises: NotFound."""
    _locked(connection, campaign_id)
    return read(connection, campaign_id)


def newest(connection: Connection, *, limit: int = 20) -> list[Campaign]:
    """Return the newest campaigns, the newest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(campaigns.c.id.desc()).limit(limit))
    return [_campaign(row) for row in rows]


def count(connection: Connection) -> int:
    """Count the campaigns."""
    found: int = connection.execute(select(func.count()).select_from(campaigns)).scalar_one()
    return found


def move(
    connection: Connection,
    campaign_id: int,
    target: CampaignState,
    *,
    now: datetime,
    hold_code: int | None = None,
    hold_reason: str | None = None,
) -> bool:
    """Move a campaign to `target`. Returns False when it was in this state already.

    Raises: NotFound; IllegalMove, naming the campaign's state and the states that it can become.
    """
    current = _locked(connection, campaign_id)
    if current is target:
        return False
    if target not in CAMPAIGN_MOVES[current]:
        raise IllegalMove(f"campaign {campaign_id} {_no_way(current, target)}")
    connection.execute(
        text("""
            UPDATE sms.campaigns
               SET state = :target, hold_code = :code, hold_reason = :reason,
                   paused_at = CASE WHEN :target = 'paused' THEN CAST(:now AS timestamptz) END,
                   started_at = CASE WHEN :target = 'running' THEN coalesce(started_at, :now) ELSE started_at END
             WHERE id = :id
        """),
        {"id": campaign_id, "target": target, "code": hold_code, "reason": hold_reason, "now": now},
    )
    return True


def _no_way(current: CampaignState, target: CampaignState) -> str:
    """Return the reason why a campaign in this state cannot move to `target`."""
    if current is CampaignState.FINISHED:
        return f"is finished: nothing of it is left that could be {target}"
    if current is CampaignState.CANCELLED:
        return f"is cancelled: nothing more of it is sent, and it cannot become {target}"
    ways = ", ".join(sorted(CAMPAIGN_MOVES[current]))
    return f"is {current} and cannot become {target}; it can become {ways}"


def _locked(connection: Connection, campaign_id: int) -> CampaignState:
    state = connection.execute(
        text("SELECT state FROM sms.campaigns WHERE id = :id FOR UPDATE"), {"id": campaign_id}
    ).scalar_one_or_none()
    if state is None:
        raise NotFound(f"there is no campaign {campaign_id}: `campaigns list` shows those there are")
    return CampaignState(state)


def schedule(connection: Connection, campaign_id: int, *, start_at: datetime | None, at_gateway: bool) -> None:
    """Set the time at which a campaign begins, and whether the gateway or this database keeps it until then."""
    connection.execute(
        text("UPDATE sms.campaigns SET start_at = :start_at, at_gateway = :at_gateway WHERE id = :id"),
        {"id": campaign_id, "start_at": start_at, "at_gateway": at_gateway},
    )


# A refusal pauses a running campaign; a second refusal finds it paused.
_PAUSE_FOR_PERSON: Final = text("""
    UPDATE sms.campaigns SET state = 'paused', hold_code = :code, hold_reason = :reason, paused_at = now()
     WHERE id = :id AND state = 'running'
""")


def pause_for_person(connection: Connection, campaign_id: int, *, code: int | None, reason: str) -> bool:
    """Pause a running campaign until a person fixes it. Returns False when it was not running any more."""
    done = connection.execute(_PAUSE_FOR_PERSON, {"id": campaign_id, "code": code, "reason": reason})
    return bool(done.rowcount)


def wait_for_date(connection: Connection, campaign_id: int, *, until: datetime) -> int:
    """Hold a campaign's unsent batches until its date, because the gateway rejected the date (417).

    Returns how many batches.
    """
    held = connection.execute(
        text("""
            UPDATE sms.batches SET due_at = :until, enqueued_at = NULL
             WHERE id IN (SELECT id FROM sms.batches
                           WHERE campaign_id = :campaign_id AND state = 'ready' AND due_at < :until
                             FOR UPDATE SKIP LOCKED)
        """),
        {"campaign_id": campaign_id, "until": until},
    )
    return held.rowcount


def reopen(connection: Connection, campaign_id: int) -> None:
    """Make a finished campaign run again: a person sends its uncertain messages."""
    connection.execute(
        text("UPDATE sms.campaigns SET state = 'running', finished_at = NULL WHERE id = :id AND state = 'finished'"),
        {"id": campaign_id},
    )


# Which recipients are suppressed? Their messages are suppressed before the campaign is split into batches.
_SUPPRESS: Final = text("""
    UPDATE sms.messages AS message SET state = 'suppressed', settled_at = :now
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span, sms.suppressions AS suppressed
     WHERE campaign.id = :id AND message.id >= lower(span) AND message.id < upper(span)
       AND message.state = 'pending' AND message.number = suppressed.number AND suppressed.lifted_at IS NULL
""")


def suppress_recipients(connection: Connection, campaign_id: int, *, now: datetime) -> int:
    """Suppress the messages of a campaign to suppressed numbers. Returns how many."""
    anybody = text("SELECT EXISTS (SELECT FROM sms.suppressions WHERE lifted_at IS NULL)")
    if not connection.execute(anybody).scalar_one():
        return 0
    return connection.execute(_SUPPRESS, {"id": campaign_id, "now": now}).rowcount


_SUMS: Final = f"""
    {", ".join(f"coalesce(sum({state}), 0) AS {state}" for state in MessageState)},
    count(*) AS batches, count(*) FILTER (WHERE state = 'unknown') AS unknown_batches,
    min(due_at) FILTER (WHERE state = 'ready') AS next_due_at, min(poll_at) AS next_poll_at
"""

# How many messages of a campaign are in each state, and when does its next batch or poll follow?
_PROGRESS: Final = text(f"""
    SELECT {_SUMS} FROM sms.batches WHERE campaign_id = :id AND state <> 'split'
""")


@in_one_commit
def progress(connection: Connection, campaign_id: int) -> Progress:
    """Read a campaign and how many messages are in each state, summed over its batches. Raises: NotFound."""
    campaign = read(connection, campaign_id)
    row = connection.execute(_PROGRESS, {"id": campaign_id}).mappings().one()
    return _progress(campaign, row)


# The same of several campaigns, by their ids.
_PROGRESS_OF_EACH: Final = text(f"""
    SELECT campaign_id, {_SUMS} FROM sms.batches
     WHERE campaign_id = ANY (CAST(:ids AS bigint[])) AND state <> 'split' GROUP BY campaign_id
""")


def progress_of_each(connection: Connection, campaign_ids: Sequence[int]) -> dict[int, Progress]:
    """Read several campaigns as `progress` reads one, by their ids, in two statements. Unknown ids are left out."""
    rows = connection.execute(select(*_COLUMNS).where(campaigns.c.id.in_(campaign_ids)))
    found = {campaign.id: campaign for campaign in map(_campaign, rows)}
    sums = {row["campaign_id"]: row for row in connection.execute(_PROGRESS_OF_EACH, {"ids": [*found]}).mappings()}
    return {each: _progress(campaign, sums.get(each)) for each, campaign in found.items()}


def _progress(campaign: Campaign, row: RowMapping | None) -> Progress:
    """Return the progress of a campaign from the sums of its batches; without batches, all messages are pending."""
    if row is None or not row["batches"]:
        counts = dict.fromkeys(MessageState, 0) | {MessageState.PENDING: campaign.messages}
        return Progress(campaign, counts, batches=0, unknown_batches=0, next_due_at=None, next_poll_at=None)
    return Progress(
        campaign=campaign,
        counts={state: int(row[state]) for state in MessageState},
        batches=row["batches"],
        unknown_batches=row["unknown_batches"],
        next_due_at=row["next_due_at"],
        next_poll_at=row["next_poll_at"],
    )


def rejects(
    connection: Connection, campaign_id: int, *, limit: int, duplicates: bool = True
) -> Sequence[tuple[int, str, str, str]]:
    """Return the first rejected rows, with or without duplicates: (row, kind, value, reason)."""
    rows = connection.execute(
        text("""
            SELECT row_no, kind, value, reason FROM sms.rejects
             WHERE campaign_id = :id AND (:duplicates OR kind <> 'duplicate') ORDER BY row_no LIMIT :limit
        """),
        {"id": campaign_id, "limit": limit, "duplicates": duplicates},
    )
    return [(row.row_no, row.kind, row.value, row.reason) for row in rows]


def rejects_by_kind(connection: Connection, campaign_id: int) -> dict[str, int]:
    """Count the rejected rows, by kind."""
    rows = connection.execute(
        text("SELECT kind, count(*) AS rows FROM sms.rejects WHERE campaign_id = :id GROUP BY kind"),
        {"id": campaign_id},
    )
    return {row.kind: row.rows for row in rows}
