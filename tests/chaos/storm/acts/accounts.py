"""Workers run with the key of another account of the gateway for a while."""

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
"""How many sends of each method the gateway accepts without an answer before each change of the key."""


def swap_key(scene: Scene, rng: Random) -> None:
    """Change the key while sends have no answer, so that they are resolved under another key; then change it back."""
    if scene.stage.key != Sandbox.api_key:
        return  # another act has changed the key already
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
