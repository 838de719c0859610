"""What a worker tells whoever asks all of them at once, beside what Celery lets them tell."""

from __future__ import annotations

import time
from typing import Any, Final

from celery.worker.control import inspect_command
from sqlalchemy.exc import SQLAlchemyError

from campaigns.store import identity
from worker import wiring

WALL_CLOCK: Final = "campaigns_wall_clock"
DATABASE: Final = "campaigns_database"


@inspect_command(name=WALL_CLOCK)  # type: ignore[untyped-decorator]  # celery ships no types
def wall_clock(_: Any) -> dict[str, float]:
    """What time it is by the clock of this worker's host: seconds since 1970."""
    return {"wall_s": time.time()}


@inspect_command(name=DATABASE)  # type: ignore[untyped-decorator]  # celery ships no types
def database(_: Any) -> dict[str, str]:
    """Which database this worker works for; nothing while it does not reach it."""
    try:
        with wiring.engine().connect() as connection:
            return {"database": identity.label(connection)}
    except SQLAlchemyError:
        return {}
