"""A poll as a stage makes it, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Engine, text

from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import polls
from kavenegar_campaigns.store.records import PollShare
from tests.store.given import FIRST_POLL, LEASE, NOW, facts

DUE = NOW + FIRST_POLL
HOUR = timedelta(hours=1)


def take(engine: Engine, *, now: datetime = DUE) -> list[PollShare]:
    with engine.begin() as connection:
        return polls.claim(connection, now=now, lease=LEASE)


def asked_ids(asked: Sequence[PollShare]) -> list[int]:
    return [id_ for each in asked for id_ in each.message_ids.values()]


def settle(
    engine: Engine,
    asked: Sequence[PollShare],
    *,
    delivered: Sequence[int] = (),
    now: datetime = DUE,
    after: timedelta = HOUR,
) -> int:
    """Answer a poll: `delivered` have their verdict, the others are asked about again."""
    with engine.begin() as connection:
        moved = polls.record_poll(
            connection,
            asked,
            facts(delivered, MessageState.DELIVERED, 10),
            next_polls=[now if each.resume_id is not None else now + after for each in asked],
            call_id=uuid4(),
            now=now,
        )
    return len(moved)


def all_ids(engine: Engine, campaign: int) -> list[int]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id FROM sms.messages WHERE campaign_id = :id ORDER BY id"), {"id": campaign}
        )
        return list(rows.scalars())
