"""The code does what the model does, step by step, on a real PostgreSQL: see docs/model.md.

None of this needs spin: the runs are kept in files, and it is checked that they are runs of the model as it is now.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine

from kavenegar_campaigns.rules.states import BATCH_MOVES
from tests.model import reading, spin, traces
from tests.model.replay import Replay, follow

KEPT = dict(traces.written())

ONLY_IN_VARIANTS = {"write", "answer_402", "answer_409", "claim_from_old_database"}
"""Steps of broken assumptions and mutants: no code of ours does them."""

NOT_IN_TRACES = {
    ("claimed", "closed"),  # all that was left of it is suppressed or refused, after it was claimed
    ("claimed", "uncertain"),
    ("unknown", "refused"),
    ("accepted", "closed"),  # verdicts and what follows a collision of a part: beyond the runs, not beyond the model
    ("accepted", "uncertain"),
    ("accepted", "split"),
    ("accepted", "ready"),
    ("uncertain", "accepted"),
    ("uncertain", "closed"),
    ("uncertain", "split"),
}
"""Moves that the table allows and no kept run shows: rare in two messages. The tests of each module show them."""


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_the_code_follows_the_model(path: Path, engine: Engine) -> None:
    lines = KEPT[path]
    follow(engine, reading.world(lines), list(reading.steps(lines)))


def test_the_runs_are_of_the_model_as_it_is_now() -> None:
    assert traces.digest() == traces.MODEL_OF.read_text().strip(), "write them anew: scripts/model --traces"


def test_every_world_has_runs() -> None:
    assert {path.stem.rpartition("-")[0] for path in KEPT} == set(traces.WORLDS)


def test_every_step_of_the_model_is_in_some_run_and_has_its_counterpart_in_the_code() -> None:
    steps = {step.name for lines in KEPT.values() for step in reading.steps(lines)}

    assert steps == spin.step_names() - ONLY_IN_VARIANTS
    assert {name for name in steps if not hasattr(Replay, f"on_{name}")} == set()


def test_the_model_allows_the_moves_of_a_batch_that_the_table_allows() -> None:
    source = (spin.MODEL / "state.pml").read_text()
    table = source.partition("#define MAY_BECOME")[2].partition("\n\n")[0]
    allowed = {
        before: set(re.findall(r"\(to\) == (\w+)", after))
        for before, after in re.findall(r"\(\(from\) == (\w+) && (.*)", table)
    }

    assert allowed.pop("none") == {"ready", "unknown"}
    assert allowed == {before.value: {to.value for to in after} for before, after in BATCH_MOVES.items() if after}


def test_the_runs_show_every_move_of_a_batch_but_the_rare_ones() -> None:
    shown = {
        (old.state, new.state)
        for lines in KEPT.values()
        for old, new in _pairs(lines)
        if old.state not in {new.state, "none"}
    }
    allowed = {(before.value, to.value) for before, after in BATCH_MOVES.items() for to in after}

    assert allowed - shown == NOT_IN_TRACES


def _pairs(lines: list[str]) -> list[tuple[reading.Batch, reading.Batch]]:
    steps = list(reading.steps(lines))
    return [
        pair
        for before, step in pairwise(steps)
        if step.name != "return"  # a database that returns is no move
        for pair in zip(before.after.batches, step.after.batches, strict=True)
    ]
