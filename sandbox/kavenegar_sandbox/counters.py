"""Counters of calls: by method and code, and by the second for the rate limit.

Benchmarks divide the calls that were admitted by those that the limit would have admitted. Seconds are real seconds on
the monotonic clock of the machine, which all its processes share; advancing the gateway's clock does not move them.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from typing import Any

KEPT_S = 7200
Outcomes = list[int]  # [admitted, refused with 451]
ByMethod = defaultdict[str, Outcomes]


class Counters:
    """Requests as they arrived, and return codes as they were decided, even where a fault withheld the answer."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.codes: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.faults: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()  # receptors or ids of processed requests, by method
        self.counted_requests: Counter[str] = Counter()  # processed requests, by method
        self.dedupe_hits = 0

    def count_code(self, method: str, code: int) -> None:
        """Count one decided return code."""
        self.codes[method][code] += 1

    def count_rows(self, method: str, rows: int) -> None:
        """Count one processed request, with its number of receptors or ids."""
        self.rows[method] += rows
        self.counted_requests[method] += 1

    def mean_rows(self, *methods: str) -> float:
        """Return the mean number of receptors or ids in a request of these methods; 0 without a request."""
        requests = sum(self.counted_requests[method] for method in methods)
        return round(sum(self.rows[method] for method in methods) / requests, 2) if requests else 0.0

    def summary(self) -> dict[str, Any]:
        """Return all counts, for the admin API."""
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


class Traffic:
    """Calls since the start, and for the last KEPT_S seconds by the second (a few MB at most).

    `at` is the start in Unix seconds, `monotonic_s` the same moment on the monotonic clock.
    """

    def __init__(self, *, at: float, monotonic_s: float) -> None:
        self._began_at, self._began_monotonic_s = at, monotonic_s
        self._totals = _no_calls()
        self._seconds: deque[tuple[int, ByMethod]] = deque()  # only seconds with a call

    def count(self, method: str, *, admitted: bool, monotonic_s: float) -> None:
        """Count one call."""
        second = self._second(monotonic_s)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, _no_calls()))
            self._drop_old(second)
        for counts in (self._totals, self._seconds[-1][1]):
            counts[method][not admitted] += 1

    def describe(self, *, monotonic_s: float, since: int = 0) -> dict[str, Any]:
        """Return the counts for the admin API: from the second `since` on, as far as kept.

        The running second comes last.
        """
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
    """One pair for each second, [0, 0] where there was no call."""
    row = [[0, 0] for _ in range(length)]
    for place, outcomes in places:
        row[place] = outcomes
    return row
