"""Worker processes die, freeze, or are deployed."""

from __future__ import annotations

import signal
from random import Random

from tests.chaos.storm.processes import BEATS, POLLERS, SENDERS
from tests.chaos.storm.scene import Scene
from tests.chaos.storm.stage import LEASE


def kill_sender(scene: Scene, rng: Random) -> None:
    _kill(scene, "send worker", rng.choice(SENDERS))


def kill_poller(scene: Scene, rng: Random) -> None:
    _kill(scene, "poll worker", rng.choice(POLLERS))


def kill_beat(scene: Scene, rng: Random) -> None:
    _kill(scene, "beat", rng.choice(BEATS))


def _kill(scene: Scene, role: str, name: str) -> None:
    scene.note(f"{role} killed", who=name)
    scene.stage.strike(name, signal.SIGKILL)


def freeze_worker(scene: Scene, rng: Random) -> None:
    """Stop a worker for longer than its leases last; it continues as a zombie, with requests still to make."""
    name = rng.choice(SENDERS + SENDERS + POLLERS)
    scene.note("worker frozen past its lease", who=name)
    scene.stage.strike(name, signal.SIGSTOP)
    scene.last(LEASE.total_seconds() + rng.uniform(1, 4))
    scene.stage.strike(name, signal.SIGCONT)


def roll(scene: Scene, rng: Random) -> None:
    """Deploy: ask every worker to stop, one after the other."""
    scene.note("rolling restart")
    for name in (*SENDERS, *POLLERS):
        scene.stage.strike(name, signal.SIGTERM)
        scene.last(rng.uniform(0.2, 2))
