"""How the gateway was called: counts, and never a number, a text or a key."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any


class Tally:
    """Requests as they arrived, codes as they were decided (also where a fault kept the answer back)."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.codes: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.faults: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()  # receptors or ids asked for, by method, in requests that were taken
        self.taken: Counter[str] = Counter()  # those requests
        self.dedupe_hits = 0

    def decided(self, method: str, code: int) -> None:
        self.codes[method][code] += 1

    def took(self, method: str, rows: int) -> None:
        self.rows[method] += rows
        self.taken[method] += 1

    def mean_rows(self, *methods: str) -> float:
        requests = sum(self.taken[method] for method in methods)
        return round(sum(self.rows[method] for method in methods) / requests, 2) if requests else 0.0

    def summary(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "codes": {method: {str(code): n for code, n in codes.items()} for method, codes in self.codes.items()},
            "faults_played": dict(self.faults),
            "mean_rows_per_send": self.mean_rows("sms/send", "sms/sendarray"),
            "mean_ids_per_status": self.mean_rows("sms/status"),
            "mean_ids_per_statuslocalmessageid": self.mean_rows("sms/statuslocalmessageid"),
            "dedupe_hits": self.dedupe_hits,
        }
