"""Everything an act may touch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.storm.crowd import Crowd
from tests.chaos.storm.stage import Stage
from tests.chaos.storm.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Scene:
    """The stage, the people, and the time an act has."""

    stage: Stage
    crowd: Crowd
    timeline: Timeline
    over: threading.Event = field(default_factory=threading.Event)
    failed: list[str] = field(default_factory=list)  # acts that met with what they should not have

    def note(self, what: str, **facts: Any) -> None:
        self.timeline.note(what, **facts)

    def last(self, seconds: float) -> None:
        """Let harm last, but not beyond the end of everything: an interruption cuts it short."""
        self.over.wait(seconds)


Act = Callable[[Scene, Random], None]
