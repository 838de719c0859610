"""How long an upgrade gives way to other sessions, and how long it pauses between two tries."""

from __future__ import annotations

import random
from typing import Final

PATIENCE_S: Final = 600.0
"""An upgrade that spent so long on failed tries and pauses ends, and says who was in its way."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 15.0


class Retries:
    """The time that is left for failed tries and for the pauses between them, in seconds."""

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self.left_s = total_s
        self._pause_s = FIRST_PAUSE_S

    def spend(self, seconds: float) -> None:
        """Count the time of a try that failed."""
        self.left_s = max(0.0, self.left_s - seconds)

    def pause(self) -> float:
        """The seconds to pause now: half to one and a half of a pause that doubles each time. This spends them."""
        pause = min(random.uniform(0.5, 1.5) * self._pause_s, self.left_s)  # noqa: S311 - jitter, no secret
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self.spend(pause)
        return pause

    def succeeded(self) -> None:
        """The next pause is a short one again. What was spent stays spent."""
        self._pause_s = FIRST_PAUSE_S
