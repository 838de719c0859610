"""Where callbacks are written down: one short commit a call, and a bound on how much may lie here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from campaigns import heed
from campaigns.clock import steady
from campaigns.heed import Received
from campaigns.house import Policy
from campaigns.store import callbacks
from campaigns.store.callbacks import StatusCallback
from campaigns.store.database import Database

COUNTED_EVERY_S: Final = 10.0


class DeskIsFull(Exception):
    """More callbacks wait to be heeded than may."""


class Desk:
    """Writes down what the gateway tells. `most_parked` bounds the callbacks that wait, give or take ten seconds."""

    def __init__(self, database: Database, clock: Callable[[], datetime], policy: Policy, *, most_parked: int) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._most_parked = most_parked
        self._full = False
        self._counted_at = float("-inf")

    def statuses(self, told: Sequence[StatusCallback]) -> None:
        """Raises: DeskIsFull; sqlalchemy's errors when the database is away."""
        if self._is_full():
            raise DeskIsFull
        self._database(heed.statuses, told, now=self._clock())

    def received(self, told: Sequence[Received]) -> None:
        """Raises: LineNotPulled; sqlalchemy's errors when the database is away."""
        self._database(heed.received, told, self._policy, now=self._clock())

    def _is_full(self) -> bool:
        """Counted every ten seconds: to count costs more than to write one down."""
        if steady() >= self._counted_at + COUNTED_EVERY_S:
            self._full = self._database(callbacks.parked, most=self._most_parked) >= self._most_parked
            self._counted_at = steady()
        return self._full
