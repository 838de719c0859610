"""The processes of a storm: two of each line of the Procfile, some of them on hosts whose clocks are off."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

from campaigns_devkit.supervisor import procfile_commands
from tests.chaos import hosts

CLOCKS_APART: Final = True
"""Whether a storm has hosts whose clocks are off, unless the command line says otherwise."""

NO_CLOCKS: Final = "clocks are not apart: libfaketime cannot be loaded on this machine"

SENDERS: Final = ("worker-send-1", "worker-send-2")
POLLERS: Final = ("worker-poll-1", "worker-poll-2")
BEATS: Final = ("beat-1", "beat-2")

# What two processes of one line of the Procfile must not share: their name for Celery, or a file.
_OWN: Final = {"worker-send": "send@", "worker-poll": "poll@", "beat": "beat-schedule"}

_OFF_BY_S: Final = (-3600.0, -60.0, -6.0, 6.0, 60.0, 3600.0)


def processes(clocks: Mapping[str, float]) -> dict[str, list[str]]:
    """Name → command: two of each, from the Procfile. `clocks`: by how many seconds their hosts' clocks are off."""
    found = {}
    for name in (*SENDERS, *POLLERS, *BEATS):
        role, _, number = name.rpartition("-")
        *shell, line = procfile_commands([role])[role]
        command = [*shell, line.replace(_OWN[role], f"{number}-{_OWN[role]}")]
        found[name] = hosts.at(command, ahead_s=clocks[name]) if name in clocks else command
    return found


def draw_clocks(seed: int) -> dict[str, float]:
    """Which processes live on hosts whose clocks are off, for the whole storm: at least one of each kind.

    None, where no process can be given another clock on this machine.
    """
    if not hosts.can_differ():
        return {}
    rng = Random(f"{seed}/clocks")
    return {
        name: rng.choice(_OFF_BY_S)
        for kind in (SENDERS, POLLERS, BEATS)
        for name in rng.sample(kind, rng.choice((1, 1, 2)))
    }
