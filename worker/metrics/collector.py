"""Reads every figure anew for each scrape. What cannot be read is left out, and said to be away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from campaigns.clock import steady
from campaigns.errors import BadInput, Postpone
from campaigns.kavenegar.pace import PaceView
from campaigns.kavenegar.throttle import Throttle
from campaigns.store import callbacks, gate, health, installation, ledger
from campaigns.store.database import Database
from campaigns.store.waiting import open_work
from worker.metrics.families import HOUSE, PACE, UP, Family, HouseView

Source = TypeVar("Source")

UNCERTAIN_LASTS_S: Final = 60.0
"""How long a count of the uncertain is good for: it is the only figure that looks at batches that are over."""

MOST_PARKED: Final = 100_000
"""Callbacks are counted so far and no further: so many are too many, however many they are."""


class Figures(Collector):
    """The figures of one house, from its pace and its database."""

    def __init__(self, pace: Callable[[], Throttle], database: Database) -> None:
        """`pace` is asked for at each look: it is another one when the key is."""
        self._pace = pace
        self._database = database
        self._uncertain = 0
        self._uncertain_until = 0.0

    def collect(self) -> Iterator[Metric]:
        """All there are now."""
        pace, house = self._look_at_pace(), self._look_at_house()
        yield told(UP, {"redis": pace is not None, "postgresql": house is not None})
        yield from () if pace is None else _all(PACE, pace)
        yield from () if house is None else _all(HOUSE, house)

    def _look_at_pace(self) -> PaceView | None:
        try:
            return self._pace().view()
        except (BadInput, Postpone):  # no pace is named, as may be in `web`; or Redis is away
            return None

    def _look_at_house(self) -> HouseView | None:
        try:
            return self._database(self._read, now=self._database.now())
        except SQLAlchemyError:
            return None

    def _read(self, connection: Connection, *, now: datetime) -> HouseView:
        if steady() >= self._uncertain_until:
            self._uncertain = sum(health.uncertain(connection).values())
            self._uncertain_until = steady() + UNCERTAIN_LASTS_S
        return HouseView(
            work=open_work(connection, now=now),
            installation=installation.read(connection),
            uncertain=self._uncertain,
            parked=callbacks.parked(connection, most=MOST_PARKED),
            gate=gate.read(connection),
            unexplained=sum(day.unexplained or 0 for day in ledger.newest(connection, limit=3)),
            at=now,
        )


def _all(families: Iterable[Family[Source]], source: Source) -> Iterator[Metric]:
    return (told(family, source) for family in families)


def told(family: Family[Source], source: Source) -> Metric:
    """One metric with its values; without any where there is none now."""
    metric = GaugeMetricFamily(family.name, family.meaning, labels=[family.label] if family.label else None)
    found = family.read(source)
    if isinstance(found, Mapping):
        for label, value in found.items():
            metric.add_metric([label], float(value))
    elif found is not None:
        metric.add_metric([], float(found))
    return metric
