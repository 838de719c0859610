"""The cases: an unpublished limit, how it counts, its penalty for calls above it, and how it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

KINDS = ("token_bucket", "fixed_window", "sliding_window")
MINUTE = 60
START_RATE = 5.0
MAX_RATE = 60.0  # well above every limit
LIMIT_THAT_CHANGES = 10.0
FIXED_LASTS_S = 2 * MINUTE
CHANGES_AT = 0.4  # of the time of a case


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One limit, in calls a second, for `seconds`.

    Attributes:
        fixed: the pace is told the limit, as somebody does who knows it.
        changes_by: the limit is multiplied by this at `changes_at_s`.
        otp: one-time passwords are asked for at random meanwhile.
        campaign: the calls are those of a real campaign's workers; it takes as long as it takes.
    """

    name: str
    limit: float
    kind: str
    penalty_s: float
    seconds: int
    fixed: bool = False
    changes_by: float = 1.0
    changes_at_s: float = 0.0
    otp: bool = False
    campaign: bool = False

    @property
    def label(self) -> str:
        penalty = f", {self.penalty_s:g} s penalty" if self.penalty_s else ""
        return f"{self.name}: {self.limit:g}/s {self.kind}{penalty}"

    @property
    def last_limit(self) -> float:
        return self.limit * self.changes_by

    @property
    def steady_from_s(self) -> float:
        """From here on the use counts: minute 3, or half of what is shorter; where the limit is told, the start."""
        if self.fixed:
            return 5.0
        return self.changes_at_s + min(3.0 * MINUTE, (self.seconds - self.changes_at_s) / 2)

    def knobs(self) -> dict[str, Any]:
        """The limit as the sandbox wants it: a bucket of one second's worth, a window of one second."""
        return {"limiter": self.kind, "limiter_penalty_s": self.penalty_s, **counted(self.limit)}


Cases = Callable[[Sequence[float], Sequence[str], Sequence[float], int], Iterator[Case]]
"""Those of one name, for limits, kinds of limits, penalties, and the seconds each lasts."""


def counted(limit: float) -> dict[str, float]:
    return {"limiter_rate": limit, "limiter_burst": max(1.0, limit)}


def chosen(
    names: Sequence[str], limits: Sequence[float], kinds: Sequence[str], penalties: Sequence[float], seconds: int
) -> list[Case]:
    """The cases of these names; the busiest first, so that the last to run are cheap."""
    found = [case for name in names for case in _CASES[name](limits, kinds, penalties, seconds)]
    return sorted(found, key=lambda case: -case.limit)


def _found(limits: Sequence[float], kinds: Sequence[str], penalties: Sequence[float], seconds: int) -> Iterator[Case]:
    for limit in limits:
        for kind in kinds:
            for penalty_s in penalties:
                yield Case(name="found", limit=limit, kind=kind, penalty_s=penalty_s, seconds=seconds)


def _fixed(limits: Sequence[float], kinds: Sequence[str], _: Sequence[float], seconds: int) -> Iterator[Case]:
    for limit in limits:
        for kind in kinds:
            lasts_s = min(seconds, FIXED_LASTS_S)
            yield Case(name="fixed", limit=limit, kind=kind, penalty_s=0, seconds=lasts_s, fixed=True)


def _changing(name: str, factor: float) -> Cases:
    def cases(
        limits: Sequence[float], kinds: Sequence[str], penalties: Sequence[float], seconds: int
    ) -> Iterator[Case]:
        limit = LIMIT_THAT_CHANGES if LIMIT_THAT_CHANGES in limits else limits[0]
        for kind in kinds:
            for penalty_s in penalties:
                case = Case(name=name, limit=limit, kind=kind, penalty_s=penalty_s, seconds=seconds)
                yield replace(case, changes_by=factor, changes_at_s=seconds * CHANGES_AT)

    return cases


def _otp(limits: Sequence[float], kinds: Sequence[str], penalties: Sequence[float], seconds: int) -> Iterator[Case]:
    for limit in limits:
        if limit <= LIMIT_THAT_CHANGES:
            for penalty_s in penalties:
                yield Case(name="otp", limit=limit, kind=kinds[0], penalty_s=penalty_s, seconds=seconds, otp=True)


def _campaign(limits: Sequence[float], kinds: Sequence[str], _: Sequence[float], seconds: int) -> Iterator[Case]:
    limit = LIMIT_THAT_CHANGES if LIMIT_THAT_CHANGES in limits else limits[0]
    yield Case(name="campaign", limit=limit, kind=kinds[0], penalty_s=0, seconds=seconds, otp=True, campaign=True)


_CASES: dict[str, Cases] = {
    "found": _found,
    "fixed": _fixed,
    "halves": _changing("halves", 0.5),
    "doubles": _changing("doubles", 2.0),
    "otp": _otp,
    "campaign": _campaign,
}
NAMES = tuple(_CASES)
