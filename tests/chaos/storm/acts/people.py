"""An operator pauses and resumes running campaigns."""

from __future__ import annotations

from random import Random

from tests.chaos.storm.crowd import GRACE_S
from tests.chaos.storm.scene import Scene


def pause_campaign(scene: Scene, rng: Random) -> None:
    running = scene.crowd.running()
    campaign_id = rng.choice(running) if running else None
    if campaign_id is None or not scene.crowd.pause(campaign_id):
        return
    scene.note("campaign paused", campaign=campaign_id)
    scene.last(GRACE_S)
    since = scene.crowd.mark()
    scene.last(rng.uniform(1, 6))
    scene.crowd.resume(campaign_id, since)
