"""A fault in the code is noticed: each fault here is put into it, and it no longer follows some run of the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.stages.submit import Outcome, resolve
from kavenegar_campaigns.store import due, epochs, gate, restores
from tests.model import reading, traces
from tests.model.calls import Mismatch
from tests.model.replay import follow
from tests.store.emptying import empty

KEPT = dict(traces.written())
Patch = Callable[[pytest.MonkeyPatch], None]


def _returns(owner: Any, name: str, value: object) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, lambda *_, **__: value)


def _reads(owner: Any, name: str, pattern: str, instead: str) -> Patch:
    """The statement `owner.name`, with something else where `pattern` is."""
    statement, changes = re.subn(pattern, instead, str(getattr(owner, name)))
    assert changes
    return lambda monkeypatch: monkeypatch.setattr(owner, name, text(statement))


FAULTS: dict[str, tuple[str, Patch]] = {
    "the window is not judged": ("window", _returns(resolve, "may_resend", True)),
    "what is past the window is not believed before": ("faults", _returns(resolve, "may_resend", False)),
    "a refusal is believed": ("faults", _returns(resolve, "_proves_unseen", False)),
    "a lease that ran out makes ready": ("deaths", _reads(due, "_EXPIRE_LEASES", "'unknown'", "'ready'")),
    "a restored database sends on": (
        "returned",
        _reads(restores, "_MARK_UNKNOWN", "'ready', 'claimed', 'unknown'", "'claimed'"),
    ),
    "nothing is let settle after a restore": (
        "returned",
        _reads(restores, "_MARK_UNKNOWN", "due_at = :ask_at", "due_at = :now"),
    ),
    "the first account is asked": ("returned-account", _reads(restores, "_MARK_UNKNOWN", "in_use.account", "NULL")),
    "own ticks are a sign of life": (
        "returned-window",
        _reads(gate, "_READ_GATE", r".* AS alive_at", "installation.ticked_at AS alive_at"),
    ),
    "drafts leave unasked": ("returned-draft", _returns(epochs, "mark_unknown_if_lost", 0)),
    "drafts keep their ids": ("returned-renewed", _returns(epochs, "next_draft_span", None)),
    "a collision throws away what is ours": ("collision", _returns(resolve, "handle_id_collision", Outcome.COLLIDED)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_code_is_noticed(fault: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world, put_in = FAULTS[fault]
    put_in(monkeypatch)

    with pytest.raises(Mismatch):
        _follow_all(engine, world)


def _follow_all(engine: Engine, world: str) -> None:
    for path, lines in KEPT.items():
        if path.stem.rpartition("-")[0] == world:
            empty(engine)
            follow(engine, reading.world(lines), list(reading.steps(lines)))
