"""The campaigns of a storm, and the operator who steers them and resumes paused ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import Connection, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import IllegalMove
from kavenegar_campaigns.rules.states import CampaignState
from tests.chaos.storm.stage import Stage
from tests.chaos.storm.timeline import Timeline
from tests.world import SENDER

WAVES: Final = 16
"""How many campaigns there are; each begins at a time of its own, so that there is work until the end."""

BEGUN_BY: Final = 0.8
"""The share of a storm after which all campaigns have begun, so that most messages are sent during it."""

GRACE_S: Final = 0.7
"""Seconds after a pause or a cancel in which a claim that was under way may still commit."""

BAD_NUMBERS: Final = 3
POISONED: Final = "زهرآگین"
POISONED_ROWS: Final = 2

_BAD: Final = 2  # uniform: holds the bad numbers
_POISON: Final = 3  # personal: holds the poisoned texts


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in time: the last id of `sms.attempts` in an era of the database."""

    era: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """A span in which a campaign must not send, because it is paused or cancelled. Both ends lie in one era."""

    campaign_id: int
    after: Mark
    until: Mark | None


@dataclass(slots=True)
class Crowd:
    """The campaigns of a storm. `quiet` collects the spans in which one of them must not send."""

    stage: Stage
    timeline: Timeline
    ids: list[int] = field(default_factory=list)
    quiet: list[Quiet] = field(default_factory=list)
    cancelled: int | None = None  # the one that is cancelled half-way
    ours: set[int] = field(default_factory=set)  # those paused by the storm itself: the operator leaves them
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def spared(self) -> list[int]:
        """The campaigns that may be cancelled: those without bad rows, so that the expected refusals stay known."""
        return [campaign_id for place, campaign_id in enumerate(self.ids) if place not in {_BAD, _POISON}]

    def create(self, messages: int, *, lasting_s: float) -> None:
        """Create all campaigns before the storm begins."""
        each, more = divmod(messages, WAVES)
        for place in range(WAVES):
            count = each + (place < more)
            self.ids.append(self.stage.database(_create, place, count))
        self.timeline.note("campaigns created", campaigns=WAVES, messages=messages)
        for place, campaign_id in enumerate(self.ids):
            self.stage.database(_start, campaign_id, after_s=BEGUN_BY * lasting_s * place / WAVES)

    def pause(self, campaign_id: int) -> bool:
        """Pause a running campaign as a person would. False if it does not run."""
        with self.lock:
            if campaign_id in self.ours or not self.stage.database(_pause, campaign_id):
                return False
            self.ours.add(campaign_id)
        return True

    def resume(self, campaign_id: int, after: Mark | None) -> None:
        """Resume it. From `after` until now it must not have sent, unless the database has lost the pause since."""
        until = self.mark()
        if after is not None and until is not None and after.era == until.era:
            self.quiet.append(Quiet(campaign_id, after, until))
        self.stage.database(_resume, campaign_id)
        with self.lock:
            self.ours.discard(campaign_id)

    def cancel(self, campaign_id: int) -> bool:
        """Cancel it. False if it has finished already. It must not send from a moment later on."""
        if not self.stage.database(_cancel, campaign_id):
            return False
        self.cancelled = campaign_id
        self._silent_from_now_on(campaign_id)
        return True

    def repeat_what_was_lost(self) -> None:
        """Cancel the campaign again if the database has lost the cancel, as the operator would."""
        if self.cancelled is None:
            return
        if self.stage.database(_state, self.cancelled) is CampaignState.CANCELLED:
            self._silent_from_now_on(self.cancelled)
        elif self.cancel(self.cancelled):
            self.timeline.note("campaign cancelled again", campaign=self.cancelled)

    def _silent_from_now_on(self, campaign_id: int) -> None:
        time.sleep(GRACE_S)
        mark = self.mark()
        if mark is not None:
            self.quiet.append(Quiet(campaign_id, mark, None))

    def mark(self) -> Mark | None:
        """Return this point in time; None while the database is losing a part of its history."""
        era = self.stage.past.era
        attempt = self.stage.database(_last_attempt)
        return None if era is None or era != self.stage.past.era else Mark(era, attempt)

    def release_held(self) -> None:
        """Resume the campaigns that the product paused, as an operator does who has read the reason."""
        for campaign_id, reason in self.stage.database(_held):
            with self.lock:
                if campaign_id in self.ours:
                    continue
                self.stage.database(_resume, campaign_id)
            self.timeline.note("operator resumed", campaign=campaign_id, because=reason)

    def running(self) -> list[int]:
        """Return the campaigns that are sending."""
        return self.stage.database(_running)

    def unfinished(self) -> list[int]:
        """Return the campaigns that have not finished."""
        return self.stage.database(_unfinished)

    def progress(self) -> dict[str, int]:
        """Count the messages by state, from the counters."""
        return self.stage.database(_progress)


def bad_numbers(messages: int) -> list[str]:
    """Return the numbers that the gateway refuses; they are recipients of one campaign."""
    count = messages // WAVES
    return [_number(_BAD, row) for row in Random(messages).sample(range(count), min(BAD_NUMBERS, count))]


def _number(place: int, row: int) -> str:
    return f"09{10 + place:02d}{row:07d}"


def _recipients(place: int, count: int) -> Iterator[tuple[str, dict[str, str]]]:
    poisoned = set(Random(count).sample(range(count), min(POISONED_ROWS, count))) if place == _POISON else set()
    for row in range(count):
        yield _number(place, row), {"name": POISONED if row in poisoned else f"نام {row}"}


def _create(connection: Connection, place: int, count: int) -> int:
    personal = place % 2 == 1
    wording = f"سلام {{name}} عزیز، موج {place}" if personal else f"سلام به همه، موج {place}"
    return campaigns.create(
        connection,
        recipients=_recipients(place, count),
        text=wording,
        sender=SENDER,
        key=f"wave {place}",
    )


def _start(connection: Connection, campaign_id: int, *, after_s: float) -> None:
    now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    campaigns.start(connection, campaign_id, at=now + timedelta(seconds=after_s))


def _pause(connection: Connection, campaign_id: int) -> bool:
    if campaigns.get(connection, campaign_id).state is not CampaignState.RUNNING:
        return False
    campaigns.pause(connection, campaign_id, reason="paused by the storm")
    return True


def _state(connection: Connection, campaign_id: int) -> CampaignState:
    return campaigns.get(connection, campaign_id).state


def _resume(connection: Connection, campaign_id: int) -> None:
    if campaigns.get(connection, campaign_id).state is CampaignState.PAUSED:
        campaigns.resume(connection, campaign_id)


def _cancel(connection: Connection, campaign_id: int) -> bool:
    try:
        campaigns.cancel(connection, campaign_id)
    except IllegalMove:
        return False
    return True


def half_sent(connection: Connection, among: Sequence[int]) -> list[tuple[int, int]]:
    """Return running campaigns of which a tenth to six tenths wait to be sent, with the number of those messages."""
    rows = connection.execute(
        text("""
            SELECT campaign.id, sum(batch.pending) FILTER (WHERE batch.state = 'ready') AS waiting
              FROM sms.campaigns AS campaign JOIN sms.batches AS batch ON batch.campaign_id = campaign.id
             WHERE campaign.id = ANY (:ids) AND campaign.state = 'running' AND batch.state <> 'split'
          GROUP BY campaign.id
            HAVING sum(batch.pending) FILTER (WHERE batch.state = 'ready')
                   BETWEEN 0.1 * sum(batch.last_id - batch.first_id + 1)
                       AND 0.6 * sum(batch.last_id - batch.first_id + 1)
          ORDER BY campaign.id
        """),
        {"ids": list(among)},
    )
    return [(row.id, int(row.waiting)) for row in rows]


def _last_attempt(connection: Connection) -> int:
    found = connection.execute(text("SELECT pg_sequence_last_value(pg_get_serial_sequence('sms.attempts', 'id'))"))
    return int(found.scalar_one() or 0)


def _held(connection: Connection) -> list[tuple[int, str]]:
    rows = connection.execute(
        text("SELECT id, hold_reason FROM sms.campaigns WHERE state = 'paused' AND finished_at IS NULL ORDER BY id")
    )
    return [(row.id, str(row.hold_reason)) for row in rows]


def _running(connection: Connection) -> list[int]:
    rows = connection.execute(
        text("""
            SELECT id FROM sms.campaigns AS campaign
             WHERE state = 'running'
               AND EXISTS (SELECT FROM sms.batches WHERE campaign_id = campaign.id AND state = 'ready') ORDER BY id
        """)
    )
    return [row.id for row in rows]


def _unfinished(connection: Connection) -> list[int]:
    rows = connection.execute(text("SELECT id FROM sms.campaigns WHERE finished_at IS NULL ORDER BY id"))
    return [row.id for row in rows]


def is_elsewhere(connection: Connection) -> bool:
    """Whether all open messages have left under another account than the first one."""
    found = connection.execute(
        text("""
            SELECT coalesce(bool_and(coalesce(batch.account, 1) > 1), false)
              FROM sms.campaigns AS campaign JOIN sms.batches AS batch ON batch.campaign_id = campaign.id
             WHERE campaign.finished_at IS NULL AND batch.state IN ('ready', 'claimed', 'unknown', 'accepted')
        """)
    )
    return bool(found.scalar_one())


def _progress(connection: Connection) -> dict[str, int]:
    totals: dict[str, Any] = {}
    for campaign in campaigns.newest(connection, limit=WAVES):
        for state, count in campaigns.progress(connection, campaign.id).counts.items():
            totals[state.value] = totals.get(state.value, 0) + count
    return {state: count for state, count in totals.items() if count}
