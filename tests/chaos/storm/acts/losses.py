"""The database loses confirmed commits: those of the last seconds, or of the last minutes.

Each loss is announced to the stage, which remembers the attempts up to then: see `tests.chaos.past`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from random import Random
from typing import Final

import psycopg

from tests.chaos import bent, dumps
from tests.chaos.restored import say_restored
from tests.chaos.storm.scene import Scene

RECENT_S: Final = (5.0, 12.0)
FAR_BACK_S: Final = (25.0, 45.0)
TRIES: Final = 3


def lose_commits(scene: Scene, rng: Random) -> None:
    """Set `synchronous_commit` off, as an administrator of a shared database may; then kill the server or one session.

    After a session's process is killed the server ends all others and loses as much, without a restart.
    """
    stage = scene.stage
    with stage.pair.turn:
        dumps.configure(stage.pair.live_url, {"synchronous_commit": "off"})
        dumps.end_sessions(stage.pair.live_url)
        try:
            scene.last(rng.uniform(5, 9))
            if rng.random() < 0.5:
                _lose(scene, "commits lost with the server", lambda: _die(scene, rng))
            else:
                _lose(scene, "commits lost with a session", stage.pair.kill_a_session)
        finally:
            stage.pair.ensure()
            dumps.configure(stage.pair.live_url, {"synchronous_commit": None})
            dumps.end_sessions(stage.pair.live_url)


def promote_laggard(scene: Scene, rng: Random) -> None:
    """Kill the primary for good and promote its standby, which was some seconds behind."""
    pair = scene.stage.pair
    with pair.turn:
        try:
            pair.stand_by()
            scene.last(rng.uniform(0.5, 2))
            pair.fall_behind()
            scene.last(rng.uniform(2, 5))
            _lose(scene, "lagging standby promoted", lambda: _fail_over(scene))
        finally:
            pair.dismiss()


def restore_recent(scene: Scene, rng: Random) -> None:
    """Restore a backup that is some seconds old."""
    _restore(scene, rng, rng.uniform(*RECENT_S))


def restore_far_back(scene: Scene, rng: Random) -> None:
    """Restore a backup so old that whole campaigns have begun since."""
    _restore(scene, rng, rng.uniform(*FAR_BACK_S))


def _restore(scene: Scene, rng: Random, age_s: float) -> None:
    """Back up, let the campaigns go on, restore; then run the command that the product asks for."""
    stage, backup = scene.stage, scene.stage.home / f"backup-{rng.getrandbits(32):08x}"
    try:
        with stage.pair.turn:
            dumps.dump(stage.pair.live_url, backup)
        scene.note("database backed up", to_restore_in_s=round(age_s, 1))
        scene.last(age_s)
        if not scene.over.is_set():
            with stage.pair.turn:
                _lose(scene, "backup restored", lambda: _bring_back(scene, backup.name))
            scene.last(rng.uniform(1, 4))
            with stage.pair.turn:
                say_restored(stage.environment)
            scene.note("operator said that it was restored")
    finally:
        backup.unlink(missing_ok=True)


def _lose(scene: Scene, what: str, hurt: Callable[[], object]) -> None:
    """Damage the database, restore it with its shifted clock, and repeat the lost steps of the operator."""
    stage = scene.stage
    with stage.past.loss(stage.engine) as counts:
        hurt()
        stage.pair.ensure()
        stage.set_clock()
    scene.note(what, **counts)
    scene.crowd.repeat_what_was_lost()


def _die(scene: Scene, rng: Random) -> None:
    scene.stage.strike("postgres", signal.SIGKILL)
    scene.last(rng.uniform(0.2, 3))


def _fail_over(scene: Scene) -> None:
    scene.stage.pair.kill()
    scene.stage.pair.promote()


def _bring_back(scene: Scene, backup: str) -> None:
    """Restore the database; try again after any error, because half a database is of no use."""
    stage = scene.stage
    for tries_left in reversed(range(TRIES)):
        try:
            stage.pair.ensure()
            dumps.restore(stage.pair.live_url, stage.home / backup, settings=bent.SEARCH_PATH)
        except psycopg.Error:
            if not tries_left:
                raise
        else:
            return
