"""The processes of a storm: two of each line of the Procfile, some of them with wrong clocks."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

from campaigns_devkit.supervisor import procfile_commands
from tests.chaos import hosts

CLOCKS_APART: Final = True
"""Whether some processes of a storm have wrong clocks by default."""

NO_CLOCKS: Final = "clocks are not apart: libfaketime cannot be loaded on this machine"

SENDERS: Final = ("worker-send-1", "worker-send-2")
POLLERS: Final = ("worker-poll-1", "worker-poll-2")
BEATS: Final = ("beat-1", "beat-2")

# Two processes of one line of the Procfile must not share their name for Celery, nor a file.
_OWN: Final = {"worker-send": "send@", "worker-poll": "poll@", "beat": "beat-schedule"}

_OFF_BY_S: Final = (-3600.0, -60.0, -6.0, 6.0, 60.0, 3600.0)


def processes(clocks: Mapping[str, float]) -> dict[str, list[str]]:
    """Return names and commands, two of each line of the Procfile. `clocks`: seconds by which their clocks are off."""
    found = {}
    for name in (*SENDERS, *POLLERS, *BEATS):
        role, _, number = name.rpartition("-")
        *shell, line = procfile_commands([role])[role]
        command = [*shell, line.replace(_OWN[role], f"{number}-{_OWN[role]}")]
        found[name] = hosts.at(command, ahead_s=clocks[name]) if name in clocks else command
    return found


def draw_clocks(seed: int) -> dict[str, float]:
    """Draw the processes that have wrong clocks for the whole storm, at least one of each kind, with the seconds.

    Empty where no process can have a wrong clock on this machine.
    """
    if not hosts.can_differ():
        return {}
    rng = Random(f"{seed}/clocks")
    return {
        name: rng.choice(_OFF_BY_S)
        for kind in (SENDERS, POLLERS, BEATS)
        for name in rng.sample(kind, rng.choice((1, 1, 2)))
    }
