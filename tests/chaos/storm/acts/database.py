"""The database dies and recovers with every confirmed commit, or holds locks.

Each act takes the turn of the two servers first, so that no server dies while another act replaces it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from random import Random

from sqlalchemy import Connection, text

from tests.chaos.storm.scene import Scene


def kill_database(scene: Scene, rng: Random) -> None:
    with scene.stage.pair.turn:
        scene.note("database killed")
        scene.stage.strike("postgres", signal.SIGKILL)
        scene.last(rng.uniform(0.2, 4))
        scene.stage.pair.ensure()


def kill_backend(scene: Scene, rng: Random) -> None:
    """Kill the process of one session; PostgreSQL then ends all the others and recovers."""
    with scene.stage.pair.turn:
        pids = scene.stage.database(_backends)
        scene.note("database backend killed", of=len(pids))
        if pids:
            with suppress(ProcessLookupError):
                os.kill(rng.choice(pids), signal.SIGKILL)


def end_sessions(scene: Scene, _: Random) -> None:
    with scene.stage.pair.turn:
        ended = scene.stage.database(_end_sessions)
        scene.note("database sessions ended", sessions=ended)


def lock_table(scene: Scene, rng: Random) -> None:
    """Lock a table for some seconds, as a migration by hand would."""
    with scene.stage.pair.turn:
        scene.note("table locked")
        scene.stage.database(_hold_lock, scene, rng.uniform(2, 7))


def _backends(connection: Connection) -> list[int]:
    rows = connection.execute(
        text("""
            SELECT pid FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
        """)
    )
    return sorted(row.pid for row in rows)


def _end_sessions(connection: Connection) -> int:
    rows = connection.execute(
        text("""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
        """)
    )
    return len(rows.all())


def _hold_lock(connection: Connection, scene: Scene, seconds: float) -> None:
    connection.execute(text("LOCK TABLE sms.batches IN ACCESS EXCLUSIVE MODE"))
    scene.last(seconds)
