"""How the gateway was called: counts, and never a number, a text or a key.

The calls that came to the limiter, second by second: how close somebody keeps to a limit nobody told them.

A bench divides what was admitted by what would have been. Seconds are real ones on the machine's monotonic clock, which
every process on it shares; putting the gateway's clock forward does not move them.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from typing import Any


class Counters:
    """Requests as they arrived, codes as they were decided (also where a fault kept the answer back)."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.codes: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.faults: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()  # receptors or ids asked for, by method, in requests that were taken
        self.counted_requests: Counter[str] = Counter()  # those requests
        self.dedupe_hits = 0

    def count_code(self, method: str, code: int) -> None:
        self.codes[method][code] += 1

    def count_rows(self, method: str, rows: int) -> None:
        self.rows[method] += rows
        self.counted_requests[method] += 1

    def mean_rows(self, *methods: str) -> float:
        requests = sum(self.counted_requests[method] for method in methods)
        return round(sum(self.rows[method] for method in methods) / requests, 2) if requests else 0.0

    def summary(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "codes": {method: {str(code): n for code, n in codes.items()} for method, codes in self.codes.items()},
            "faults_triggered": dict(self.faults),
            "faults_played": dict(self.faults),  # its old name
            "mean_rows_per_send": self.mean_rows("sms/send", "sms/sendarray"),
            "mean_ids_per_status": self.mean_rows("sms/status"),
            "mean_ids_per_statuslocalmessageid": self.mean_rows("sms/statuslocalmessageid"),
            "dedupe_hits": self.dedupe_hits,
        }


KEPT_S = 7200

Outcomes = list[int]  # [admitted, refused with 451]
ByMethod = defaultdict[str, Outcomes]


class Traffic:
    """Counts since the start, and for the last KEPT_S seconds by the second (a few MB at most).

    `at` is when it began, in Unix seconds; `monotonic_s` the same moment on the monotonic clock.
    """

    def __init__(self, *, at: float, monotonic_s: float) -> None:
        self._began_at, self._began_monotonic_s = at, monotonic_s
        self._totals = _no_calls()
        self._seconds: deque[tuple[int, ByMethod]] = deque()  # only those with a call in them

    def count(self, method: str, *, admitted: bool, monotonic_s: float) -> None:
        second = self._second(monotonic_s)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, _no_calls()))
            self._drop_old(second)
        for counts in (self._totals, self._seconds[-1][1]):
            counts[method][not admitted] += 1

    def describe(self, *, monotonic_s: float, since: int = 0) -> dict[str, Any]:
        """For the admin API: the seconds from `since` on that are still kept, the one that runs now at the end."""
        now = self._second(monotonic_s)
        self._drop_old(now)
        first = max(since, now - KEPT_S + 1, 0)
        kept = [(second - first, counts) for second, counts in self._seconds if second >= first]
        length = max(0, now - first + 1)
        admitted, refused = _add_up(self._totals.values())
        return {
            "began_at": self._began_at,
            "began_monotonic_s": self._began_monotonic_s,
            "now_s": monotonic_s - self._began_monotonic_s,
            "admitted": admitted,
            "refused": refused,
            "first_second": first,
            "seconds": _per_second(length, ((place, _add_up(counts.values())) for place, counts in kept)),
            "methods": {
                method: {
                    "admitted": total[0],
                    "refused": total[1],
                    "seconds": _per_second(
                        length, ((place, counts[method]) for place, counts in kept if method in counts)
                    ),
                }
                for method, total in self._totals.items()
            },
        }

    def _second(self, monotonic_s: float) -> int:
        return int(monotonic_s - self._began_monotonic_s)

    def _drop_old(self, now: int) -> None:
        while self._seconds and self._seconds[0][0] <= now - KEPT_S:
            self._seconds.popleft()


def _no_calls() -> ByMethod:
    return defaultdict(lambda: [0, 0])


def _add_up(outcomes: Iterable[Outcomes]) -> Outcomes:
    return [sum(column) for column in zip([0, 0], *outcomes, strict=True)]


def _per_second(length: int, places: Iterable[tuple[int, Outcomes]]) -> list[Outcomes]:
    """One pair a second, [0, 0] where nobody called."""
    row = [[0, 0] for _ in range(length)]
    for place, outcomes in places:
        row[place] = outcomes
    return row
