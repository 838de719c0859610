"""The account's credit in rial: charged when messages are accepted, given back when their fate says so."""

from __future__ import annotations

from heapq import heappop, heappush


class Purse:
    """Refunds fall due with the clock: they are counted when somebody looks."""

    def __init__(self, credit_rial: int) -> None:
        self.granted_rial = credit_rial
        self.charged_rial = 0
        self._refunded_rial = 0
        self._expected: list[tuple[float, int, int]] = []  # (due, row, cost), the earliest first
        self._withdrawn: set[int] = set()  # rows whose expected refund was paid early

    def balance(self, now: float) -> int:
        return self.granted_rial - self.charged_rial + self.refunded(now)

    def refunded(self, now: float) -> int:
        while self._expected and self._expected[0][0] <= now:
            _, row, cost_rial = heappop(self._expected)
            if row not in self._withdrawn:
                self._refunded_rial += cost_rial
        return self._refunded_rial

    def charge(self, cost_rial: int) -> None:
        self.charged_rial += cost_rial

    def expect_refund(self, due: float, row: int, cost_rial: int) -> None:
        heappush(self._expected, (due, row, cost_rial))

    def refund(self, row: int, cost_rial: int) -> None:
        """Give a row's cost back at once, and not a second time when its expected refund falls due."""
        self._withdrawn.add(row)
        self._refunded_rial += cost_rial

    def set_balance(self, credit_rial: int, now: float) -> None:
        self.granted_rial += credit_rial - self.balance(now)
