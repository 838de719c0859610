"""Does the dispatcher tick? Where it does not, who is missing: beat, a worker for its queue, or what is between."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError

from campaigns.errors import CampaignsError
from campaigns.store.installation import Installation
from campaigns.waiting import SILENT_AFTER
from worker import queues, wiring
from worker.cli.checkup.finding import Finding, Level
from worker.cli.words import duration

_BEAT: Final = "`celery -A worker beat`"
_WORKER: Final = "a worker for the queues poll, inbox and maint (see the Procfile)"


def finding(found: Installation, *, running: int, now: datetime) -> Finding:
    """Whether it ticks; if not, how far its ticks come."""
    silence = "no tick has reached this database yet"
    if found.ticked_at is not None:
        silence_s = (now - found.ticked_at).total_seconds()
        if silence_s <= SILENT_AFTER.total_seconds():
            return Finding("dispatcher", Level.OK, f"it ticked {max(silence_s, 0):.0f} s ago")
        waiting = f", and {running:,} campaigns run" if running else ""
        silence = f"it has been silent for {duration(silence_s)}{waiting}"
    says, do = _where_ticks_end()
    return Finding("dispatcher", Level.BAD if running else Level.WARN, f"{silence}: {says}", do)


def _where_ticks_end() -> tuple[str, str]:
    """What is known of the ticks on their way from beat to a worker, and what to do about it."""
    try:
        broker = wiring.broker()
        queues.check_writes(broker)
        beat, waiting = queues.clock_of_beat(broker), queues.lengths(broker)[queues.DEFAULT]
    except (ReadOnlyError, OutOfMemoryError):
        return "the broker, which carries its ticks, takes no writes", "see what is said of the broker"
    except (RedisError, CampaignsError):
        return "the broker, which carries its ticks, cannot be looked at", f"start the broker, {_BEAT} and {_WORKER}"
    if beat is None:
        return f"no beat has given a sign of life for {queues.BEAT_LASTS_S} s", f"start {_BEAT} and {_WORKER}"
    if waiting:
        return f"beat runs, and {waiting:,} messages wait in the queue maint that no worker takes", f"start {_WORKER}"
    do = "look into the workers' logs, and whether all of them have this version and this DATABASE_URL"
    return "beat publishes ticks and a worker takes them, but none gets through to this database", do
