"""What goes wrong in a storm. Each act does its harm, lasts as long as it lasts, and puts back what it took.

Nothing here is milder than it is in life, with one exception that the product's own promise names: a gateway that
does not drop repeated localids may act on an aborted request for no longer than UNKNOWN_SETTLE.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from sqlalchemy import Connection, text

from tests.chaos.storm.crowd import Crowd
from tests.chaos.storm.stage import BEATS, LEASE, POLLERS, SENDERS, Stage
from tests.chaos.storm.timeline import Timeline

FULL_PURSE_RIAL: Final = 10_000_000_000
GRACE_S: Final = 0.7
"""A claim that was on its way when a campaign was paused may still be made."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything an act may touch."""

    stage: Stage
    crowd: Crowd
    timeline: Timeline
    over: threading.Event = field(default_factory=threading.Event)

    def note(self, what: str, **facts: Any) -> None:
        self.timeline.note(what, **facts)

    def last(self, seconds: float) -> None:
        """Let harm last, but not beyond the end of everything: an interruption cuts it short."""
        self.over.wait(seconds)


Act = Callable[[Scene, Random], None]

# ── processes ──


def kill_sender(scene: Scene, dice: Random) -> None:
    _kill(scene, "send worker", dice.choice(SENDERS))


def kill_poller(scene: Scene, dice: Random) -> None:
    _kill(scene, "poll worker", dice.choice(POLLERS))


def kill_beat(scene: Scene, dice: Random) -> None:
    _kill(scene, "beat", dice.choice(BEATS))


def _kill(scene: Scene, role: str, name: str) -> None:
    scene.note(f"{role} killed", who=name)
    scene.stage.strike(name, signal.SIGKILL)


def freeze_worker(scene: Scene, dice: Random) -> None:
    """Stop a worker for longer than its leases last: it wakes up as a zombie, with requests still to make."""
    name = dice.choice(SENDERS + SENDERS + POLLERS)
    scene.note("worker frozen past its lease", who=name)
    scene.stage.strike(name, signal.SIGSTOP)
    scene.last(LEASE.total_seconds() + dice.uniform(1, 4))
    scene.stage.strike(name, signal.SIGCONT)


def roll(scene: Scene, dice: Random) -> None:
    """A deployment: every worker is asked to stop, one after the other."""
    scene.note("rolling restart")
    for name in (*SENDERS, *POLLERS):
        scene.stage.strike(name, signal.SIGTERM)
        scene.last(dice.uniform(0.2, 2))


# ── the broker ──


def kill_broker(scene: Scene, dice: Random) -> None:
    scene.note("broker killed")
    scene.stage.strike("valkey", signal.SIGKILL)
    scene.last(dice.uniform(0.2, 4))
    scene.stage.mend()


def freeze_broker(scene: Scene, dice: Random) -> None:
    scene.note("broker frozen")
    scene.stage.strike("valkey", signal.SIGSTOP)
    scene.last(dice.uniform(1, 8))
    scene.stage.strike("valkey", signal.SIGCONT)


def flush_broker(scene: Scene, _: Random) -> None:
    scene.note("broker flushed")
    with scene.stage.broker() as broker:
        broker.flushall()


def cut_broker_clients(scene: Scene, _: Random) -> None:
    scene.note("broker clients cut")
    with scene.stage.broker() as broker:
        broker.client_kill_filter(_type="normal", skipme=True)


# ── the database ──


def kill_database(scene: Scene, dice: Random) -> None:
    scene.note("database killed")
    scene.stage.strike("postgres", signal.SIGKILL)
    scene.last(dice.uniform(0.2, 4))
    scene.stage.mend()


def kill_backend(scene: Scene, dice: Random) -> None:
    """One session's process is killed; PostgreSQL then ends all the others and recovers."""
    pids = scene.stage.database(_backends)
    scene.note("database backend killed", of=len(pids))
    if pids:
        with suppress(ProcessLookupError):
            os.kill(dice.choice(pids), signal.SIGKILL)


def end_sessions(scene: Scene, _: Random) -> None:
    ended = scene.stage.database(_end_sessions)
    scene.note("database sessions ended", sessions=ended)


def lock_table(scene: Scene, dice: Random) -> None:
    """Somebody runs a migration by hand in the middle of the day."""
    scene.note("table locked")
    scene.stage.database(_hold_lock, scene, dice.uniform(2, 7))


def _backends(connection: Connection) -> list[int]:
    rows = connection.execute(
        text("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
    )
    return sorted(row.pid for row in rows)


def _end_sessions(connection: Connection) -> int:
    rows = connection.execute(
        text("""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
        """)
    )
    return len(rows.all())


def _hold_lock(connection: Connection, scene: Scene, seconds: float) -> None:
    connection.execute(text("LOCK TABLE sms.batches IN ACCESS EXCLUSIVE MODE"))
    scene.last(seconds)


# ── the gateway ──

SENDING: Final = ("sms/send", "sms/sendarray")
ASKING: Final = ("sms/statuslocalmessageid", "sms/status")

# Kind → its details, drawn anew each time. `late_accept` stays under UNKNOWN_SETTLE.
TROUBLES: Final[Mapping[str, Callable[[Random], dict[str, Any]]]] = {
    "drop": lambda _: {},
    "accept_then_drop": lambda _: {},
    "accept_then_hang": lambda dice: {"seconds": dice.uniform(3.5, 8)},
    "late_accept": lambda dice: {"seconds": dice.uniform(1, 5)},
    "slow": lambda dice: {"seconds": dice.uniform(0.5, 2.5)},
    "code": lambda dice: {"code": dice.choice((409, 409, 402, 607, 777, 503, 400))},
    "http_5xx_html_before": lambda dice: {"status": dice.choice((500, 502, 503, 504))},
    "http_5xx_html_after": lambda dice: {"status": dice.choice((500, 502, 503, 504))},
    "html_200": lambda dice: {"processed": dice.random() < 0.5},
    "waf": lambda dice: {"status": dice.choice((403, 413, 429))},
    "bad_json": lambda _: {},
    "entries_null": lambda _: {},
    "missing_rows": lambda dice: {"rows": dice.randint(1, 120)},
    "duplicate_rows": lambda dice: {"rows": dice.randint(1, 60)},
    "reordered": lambda _: {},
    "drip": lambda _: {"seconds": 0.2},
}


def trouble_gateway(scene: Scene, dice: Random) -> None:
    """The next few calls of one method go wrong in one way."""
    kind = dice.choice(sorted(TROUBLES))
    method = dice.choice(SENDING + SENDING + ASKING)
    count = dice.randint(1, 5)
    scene.note(f"gateway: {kind}", method=method, calls=count)
    scene.stage.gateway.arm(kind, method, count=count, **TROUBLES[kind](dice))


def shake_gateway(scene: Scene, dice: Random) -> None:
    """For some seconds a share of all calls goes wrong, in several ways."""
    kinds = dice.sample(sorted(TROUBLES), 4)
    scene.note("gateway shaken", kinds=",".join(kinds))
    for kind in kinds:
        scene.stage.gateway.arm(kind, share=0.12, **TROUBLES[kind](dice))
    scene.last(dice.uniform(4, 9))
    scene.stage.gateway.disarm()


def limit_gateway(scene: Scene, dice: Random) -> None:
    """The gateway answers 451 above a rate that changes; then the broker, and with it the shared pause, is flushed."""
    scene.note("gateway limited")
    for rate in (dice.uniform(1, 3), dice.uniform(0.3, 1)):
        scene.stage.gateway.turn(limiter="fixed_window", limiter_rate=rate, limiter_window_s=1.0)
        scene.last(dice.uniform(2, 5))
    scene.stage.gateway.turn(limiter="none")
    flush_broker(scene, dice)


def kill_gateway(scene: Scene, dice: Random) -> None:
    """Nobody listens; its journal remembers what it had sent."""
    scene.note("gateway killed")
    scene.stage.strike("sandbox", signal.SIGKILL)
    scene.last(dice.uniform(0.2, 4))
    scene.stage.mend()


def freeze_gateway(scene: Scene, dice: Random) -> None:
    scene.note("gateway frozen")
    scene.stage.strike("sandbox", signal.SIGSTOP)
    scene.last(dice.uniform(0.5, 2))
    scene.stage.strike("sandbox", signal.SIGCONT)


def empty_purse(scene: Scene, dice: Random) -> None:
    scene.note("credit gone")
    scene.stage.gateway.set_credit(dice.randint(0, 20_000))
    scene.last(dice.uniform(2, 6))
    scene.stage.gateway.set_credit(FULL_PURSE_RIAL)


def block_account(scene: Scene, dice: Random) -> None:
    code = dice.choice((401, 403, 416, 430))
    scene.note("account blocked", code=code)
    scene.stage.gateway.turn(account_code=code)
    scene.last(dice.uniform(1, 4))
    scene.stage.gateway.turn(account_code=0)


# ── people ──


def pause_campaign(scene: Scene, dice: Random) -> None:
    running = scene.crowd.running()
    campaign_id = dice.choice(running) if running else None
    if campaign_id is None or not scene.crowd.pause(campaign_id):
        return
    scene.note("campaign paused", campaign=campaign_id)
    scene.last(GRACE_S)
    after = scene.crowd.attempts()
    scene.last(dice.uniform(1, 6))
    scene.crowd.resume(campaign_id, after)


CARDS: Final[Mapping[Act, int]] = {
    kill_sender: 4,
    kill_poller: 3,
    kill_beat: 2,
    freeze_worker: 2,
    roll: 1,
    kill_broker: 2,
    freeze_broker: 1,
    flush_broker: 2,
    cut_broker_clients: 2,
    kill_database: 1,
    kill_backend: 1,
    end_sessions: 2,
    lock_table: 1,
    trouble_gateway: 10,
    shake_gateway: 2,
    limit_gateway: 1,
    kill_gateway: 1,
    freeze_gateway: 1,
    empty_purse: 1,
    block_account: 1,
    pause_campaign: 3,
}
"""How often each act is in the deck."""

ACTS: Final[Mapping[str, Act]] = {act.__name__: act for act in CARDS}
