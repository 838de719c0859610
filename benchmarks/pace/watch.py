"""The pace as it stands, looked at again and again: its rate, and the pauses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from kavenegar_campaigns.kavenegar.pace import Throttle


@dataclass(frozen=True, slots=True)
class Pause:
    """All calls paused from a moment for `lasts_s` seconds."""

    at_s: float
    lasts_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """The calls a second that the pace allowed at a moment, pauses aside."""

    at_s: float
    rate: float


@dataclass(slots=True)
class Watch:
    """Observations of a pace, on the monotonic clock. A pause shorter than the time between two is missed."""

    throttle: Throttle
    rates: list[Rate] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)

    def look(self) -> None:
        """Raises Postpone if Redis does not answer."""
        view, now_s = self.throttle.view(), time.monotonic()
        self.rates.append(Rate(now_s, view.rate))
        if view.paused_until is not None:
            self.pauses.append(Pause(now_s, (view.paused_until - view.at).total_seconds()))
