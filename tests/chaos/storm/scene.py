"""The objects that an act gets."""

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
    """The stage, the campaigns, and the time of an act."""

    stage: Stage
    crowd: Crowd
    timeline: Timeline
    over: threading.Event = field(default_factory=threading.Event)
    failed: list[str] = field(default_factory=list)  # acts that failed an assertion

    def note(self, what: str, **facts: Any) -> None:
        self.timeline.note(what, **facts)

    def last(self, seconds: float) -> None:
        """Wait while a fault lasts; an interruption ends the wait."""
        self.over.wait(seconds)


Act = Callable[[Scene, Random], None]
