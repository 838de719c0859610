"""Workers run with the key of another account of the same gateway, until somebody notices."""

from __future__ import annotations

import signal
from contextlib import suppress
from random import Random
from typing import Final

import requests

from tests.chaos.leaks import OTHER_KEY
from tests.chaos.storm.acts.gateway import SENDING
from tests.chaos.storm.scene import Scene
from tests.world import Sandbox

UNANSWERED: Final = 2
"""Sends of each method that the gateway takes without a word, before each change of the key."""


def swap_key(scene: Scene, rng: Random) -> None:
    """What was unanswered under one key comes to be asked about under another; and the same again on the way back."""
    if scene.stage.key != Sandbox.api_key:
        return  # somebody else has it wrong already
    try:
        _change(scene, rng, OTHER_KEY)
        scene.last(rng.uniform(18, 26))
    finally:
        _change(scene, rng, Sandbox.api_key)


def _change(scene: Scene, rng: Random, key: str) -> None:
    with suppress(requests.RequestException):  # the gateway may be dead: the key is changed all the same
        for method in SENDING:
            scene.stage.gateway.arm("accept_then_drop", method, count=UNANSWERED)
    scene.last(rng.uniform(1, 2))
    scene.note("key of another account" if key == OTHER_KEY else "right key again")
    scene.stage.use_key(key, rng.choice((signal.SIGKILL, signal.SIGTERM)))
