"""The broker dies, freezes, or is flushed."""

from __future__ import annotations

import signal
from random import Random

from tests.chaos.storm.scene import Scene


def kill_broker(scene: Scene, rng: Random) -> None:
    scene.note("broker killed")
    scene.stage.strike("valkey", signal.SIGKILL)
    scene.last(rng.uniform(0.2, 4))
    scene.stage.mend()


def freeze_broker(scene: Scene, rng: Random) -> None:
    scene.note("broker frozen")
    scene.stage.strike("valkey", signal.SIGSTOP)
    scene.last(rng.uniform(1, 8))
    scene.stage.strike("valkey", signal.SIGCONT)


def flush_broker(scene: Scene, _: Random) -> None:
    scene.note("broker flushed")
    with scene.stage.broker() as broker:
        broker.flushall()


def cut_broker_clients(scene: Scene, _: Random) -> None:
    scene.note("broker clients cut")
    with scene.stage.broker() as broker:
        broker.client_kill_filter(_type="normal", skipme=True)
