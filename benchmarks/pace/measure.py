"""All cases that were chosen, several at a time, and their figures as they come in."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from benchmarks.bench import Bench, Unfinished
from benchmarks.figures import Row, Table, say
from benchmarks.pace.campaign import Voyage
from benchmarks.pace.cases import Case
from benchmarks.pace.outcome import Outcome
from benchmarks.pace.run import Run

_NOTE = (
    "utilisation: admitted ÷ (limit × seconds) from minute 3 on, or half of what is shorter; share_451: of all calls "
    "after the first minute; both from the gateway's own ledger. load: the machine's load average at the end."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A case that has run, and its figures as they stand in the JSON."""

    outcome: Outcome
    figures: Mapping[str, Any]


def measure(bench: Bench, cases: Sequence[Case], *, at_once: int) -> list[Measured]:
    """The cases in their order; campaigns come last and alone, for their workers begin with an empty broker.

    Ended by a signal, or by a case that fails, it leaves nothing running. Raises: Unfinished.
    """
    together = [case for case in cases if not case.campaign]
    return [
        *_together(bench, together, at_once),
        *(_report_case(case, *Voyage(bench, case).travel()) for case in cases if case.campaign),
    ]


def _together(bench: Bench, cases: Sequence[Case], at_once: int) -> list[Measured]:
    stop = threading.Event()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            running = [pool.submit(_one, bench, case, stop) for case in cases]
            for done in as_completed(running):
                done.result()
        except BaseException:  # a signal is one
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in running]


def _one(bench: Bench, case: Case, stop: threading.Event) -> Measured:
    if stop.is_set():
        raise Unfinished("it was ended before its time")
    say(f"{case.label}: begins")
    return _report_case(case, Run(bench, case, stop).outcome())


def _report_case(case: Case, outcome: Outcome, more: Mapping[str, Any] | None = None) -> Measured:
    figures = {**outcome.figures(), **(more or {}), "load": round(os.getloadavg()[0], 1)}
    say("{label}: use {utilisation:.3f}, 451 {share_451:.3%}, load {load}".format(label=case.label, **figures))
    return Measured(outcome, figures)


def tables_of(measured: Sequence[Measured]) -> list[Table]:
    """One for the cases of a name: each has columns of its own."""
    figures = [each.figures for each in measured]
    names = dict.fromkeys(each["case"] for each in figures)
    return [Table(f"pace: {name}", [_row(each) for each in figures if each["case"] == name], _NOTE) for name in names]


def _row(figures: Mapping[str, Any]) -> Row:
    return {
        name: value if isinstance(value, int | float | str) else str(value or "")
        for name, value in figures.items()
        if name != "case"
    }
