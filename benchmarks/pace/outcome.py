"""The figures of a case: what the gateway's own ledger says came to it, beside what the callers found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from benchmarks.pace.callers import Findings, Otp
from benchmarks.pace.cases import MINUTE, Case
from benchmarks.pace.watch import Pause, Rate

STRETCH_S = 20
AGAIN = 0.9
PROBING_S = 0.5  # after a pause everybody waits for the probe's answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A case that has run; times are of the monotonic clock.

    Attributes:
        began_s: when the first call came.
        turns: when the limit changed, and to what.
        seconds: (admitted, refused) in each second since `began_s`.
        sent: the localids that the gateway really sent.
        workers: what each process found that called.
    """

    case: Case
    began_s: float
    turns: Sequence[tuple[float, float]]
    seconds: Sequence[tuple[int, int]]
    rates: Sequence[Rate]
    pauses: Sequence[Pause]
    sent: Sequence[int]
    workers: Sequence[Findings]

    def limit_at(self, second: int) -> float:
        """The hidden limit in one of the seconds."""
        turned = [limit for at_s, limit in self.turns if at_s < self.began_s + second + 0.5]
        return turned[-1] if turned else self.case.limit

    def use(self, begin_s: float, end_s: float | None = None) -> float:
        """The part of what was allowed that was used."""
        seconds = range(len(self.seconds))[round(begin_s) : None if end_s is None else round(end_s)]
        allowed = sum(map(self.limit_at, seconds))
        return sum(self.seconds[second][0] for second in seconds) / allowed if allowed else 0.0

    def figures(self) -> dict[str, Any]:
        """As they stand in the JSON."""
        case, later = self.case, self.seconds[MINUTE:]
        calls = sum(map(sum, later))
        return {
            "case": case.name,
            "limit": case.limit,
            "kind": case.kind,
            "penalty_s": case.penalty_s,
            "utilisation": round(self.use(case.steady_from_s), 4),
            "utilisation_after_first_minute": round(self.use(MINUTE), 4),
            "share_451": round(sum(refused for _, refused in later) / calls if calls else 0.0, 5),
            "refused": sum(refused for _, refused in self.seconds),
            "longest_pause_s": round(max((pause.lasts_s for pause in self._all_pauses()), default=0.0), 2),
            **self._kept_promises(),
            **(self._after_the_change() if case.changes_by != 1 else {}),
            **(self._otps() if case.otp else {}),
        }

    def _all_pauses(self) -> list[Pause]:
        return [*self.pauses, *chain.from_iterable(worker.refusals for worker in self.workers)]

    def _kept_promises(self) -> dict[str, int]:
        """Nothing lost, nothing doubled: of what was accepted, by what was sent."""
        accepted = [localid for worker in self.workers for localid in worker.accepted]
        counts = Counter(self.sent)
        return {
            "accepted": len(accepted),
            "lost": sum(localid not in counts for localid in accepted),
            "doubled": sum(times > 1 for times in counts.values()),
            "unanswered": sum(worker.unanswered for worker in self.workers),
        }

    def _after_the_change(self) -> dict[str, Any]:
        """Refusals of the worker that had most of them, and the seconds until the new limit is used again."""
        changed_s, limit = self.turns[0]
        first = changed_s - self.began_s
        begins = range(round(len(self.seconds) - first) - STRETCH_S)
        used_again = (begin for begin in begins if self.use(first + begin, first + begin + STRETCH_S) >= AGAIN)
        return {
            "limit_after": limit,
            "refused_a_worker_in_10_s": self._most_refused(changed_s, changed_s + 10),
            "refused_a_worker_in_60_s": self._most_refused(changed_s, changed_s + 60),
            "seconds_until_90": next(used_again, None),
        }

    def _most_refused(self, begin_s: float, end_s: float) -> int:
        return max(sum(begin_s <= each.at_s < end_s for each in worker.refusals) for worker in self.workers)

    def _otps(self) -> dict[str, Any]:
        """Return the waits of codes after the first minute; `between_pauses` leaves out codes that met a pause."""
        otps = [each for worker in self.workers for each in worker.otps if each.asked_s >= self.began_s + MINUTE]
        return {
            **_waits("otp", otps),
            **_waits("otp_between_pauses", [each for each in otps if not self._met_a_pause(each)]),
            "otp_p99_by_the_clock_s": _quantile([each.left_s - each.asked_s for each in otps], 0.99),
        }

    def _met_a_pause(self, otp: Otp) -> bool:
        return any(
            otp.asked_s < pause.at_s + pause.lasts_s + PROBING_S and otp.left_s > pause.at_s
            for pause in self._all_pauses()
        )


def _waits(name: str, otps: Sequence[Otp]) -> dict[str, Any]:
    waits_s = [each.wait_s for each in otps]
    return {
        f"{name}_count": len(otps),
        f"{name}_p50_s": _quantile(waits_s, 0.5),
        f"{name}_p99_s": _quantile(waits_s, 0.99),
    }


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else 0.0


def seconds_of(calls: dict[str, Any]) -> tuple[float, list[tuple[int, int]]]:
    """Return the time of the first call, and the seconds from there on, out of the sandbox's `ledger/calls`.

    The last second, which still runs, is left out.
    """
    seconds = [(admitted, refused) for admitted, refused in calls["seconds"][:-1]]
    first = next((place for place, counts in enumerate(seconds) if any(counts)), len(seconds))
    return calls["began_monotonic_s"] + calls["first_second"] + first, seconds[first:]
