"""Armed faults: armed through the admin API, drawn when calls arrive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from kavenegar_sandbox.rng import uniform

ANY_METHOD = "*"


class BadFault(ValueError):
    """A fault that cannot be armed. The message says what would be right."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault, and the calls that it hits.

    It hits the next `count` calls of `method`; without a count, each call with probability `share`. The first `skip`
    calls pass unharmed. Each of the other fields is used by some kinds only.
    """

    kind: str
    method: str = ANY_METHOD
    count: int | None = None
    share: float = 1.0
    skip: int = 0
    seconds: float | None = None  # slow, accept_then_hang, late_accept: delay (5); drip: between bytes (0.2)
    code: int = 409  # code, accept_then_code, accept_some_then_code: the return code
    status: int | None = None  # http_5xx_*: the HTTP status (502); waf: (403)
    processed: bool = False  # html_200: whether the call was processed
    rows: int = 1  # missing_rows, duplicate_rows, accept_some_then_code: how many


class ArmedFault:
    """A fault that was armed, with its counts."""

    def __init__(self, fault: Fault, number: int) -> None:
        self.fault, self.number = fault, number
        self.matched = self.triggered = 0

    @property
    def exhausted(self) -> bool:
        """Return whether the fault has hit all its `count` calls."""
        return self.fault.count is not None and self.triggered >= self.fault.count

    def try_trigger(self, method: str, seed: int) -> bool:
        """Count one call of this method. Returns whether the fault hits it."""
        fault = self.fault
        if self.exhausted or fault.method not in {ANY_METHOD, method}:
            return False
        self.matched += 1
        if self.matched <= fault.skip or (
            fault.share < 1 and uniform(seed, self.number, self.matched, 5) >= fault.share
        ):
            return False
        self.triggered += 1
        return True

    def describe(self) -> dict[str, Any]:
        """Return the fault and its counts, for the admin API."""
        return {
            "number": self.number,
            **asdict(self.fault),
            "seen": self.matched,
            "triggered": self.triggered,
            "struck": self.triggered,
        }


class Faults:
    """The armed faults, the oldest first. A call meets at most one."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._armed: list[ArmedFault] = []
        self._number = 0

    def arm(self, description: Mapping[str, object]) -> ArmedFault:
        """Arm a fault from its JSON description. Raises BadFault."""
        self._number += 1
        armed = ArmedFault(_fault(description, self._kinds), self._number)
        self._armed.append(armed)
        return armed

    def disarm(self) -> None:
        """Disarm all faults."""
        self._armed.clear()

    def draw(self, method: str, seed: int) -> Fault | None:
        """Return the fault that this call meets, or None. The fault's counts change."""
        return next((armed.fault for armed in self._armed if armed.try_trigger(method, seed)), None)

    def describe(self) -> list[dict[str, Any]]:
        """Return all armed faults, for the admin API."""
        return [armed.describe() for armed in self._armed]


def _fault(description: Mapping[str, object], kinds: Collection[str]) -> Fault:
    if unknown := set(description) - set(_FIELDS):
        raise BadFault(f"a fault has no field {', '.join(sorted(unknown))}; its fields are: {', '.join(_FIELDS)}")
    for name, value in description.items():
        fits, expected = _FIELDS[name]
        if not fits(value):
            raise BadFault(f"{name} of a fault must be {expected}")
    if description.get("kind") not in kinds:
        raise BadFault(f"kind of a fault must be one of: {', '.join(sorted(kinds))}")
    return Fault(**description)  # type: ignore[arg-type]  # each value fits its field


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "kind": (_is_text, "a string"),
    "method": (_is_text, 'a method like sms/send, or "*"'),
    "count": (lambda value: value is None or _is_integer(value), "a whole number, or null"),
    "share": (lambda value: _is_number(value) and value <= 1, "between 0 and 1"),
    "skip": (_is_integer, "a whole number"),
    "seconds": (_is_number, "a number, not below zero"),
    "code": (lambda value: _is_integer(value) and 200 < value <= 999, "a return code between 201 and 999"),
    "status": (lambda value: _is_integer(value) and 400 <= value <= 599, "an HTTP status between 400 and 599"),
    "processed": (lambda value: isinstance(value, bool), "true or false"),
    "rows": (_is_integer, "a whole number"),
}
