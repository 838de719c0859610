"""Run a storm: start the servers, play the acts, let the campaigns finish, check the result."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
import redis
import requests
from sqlalchemy.exc import SQLAlchemyError

from kavenegar_campaigns.errors import DatabaseFailed
from kavenegar_campaigns.rules.batches import BATCH_SIZE, POLL_SIZE
from tests.chaos.checker import Broken
from tests.chaos.leaks import OTHER_KEY
from tests.chaos.storm import acts, crowd, ending, schedule
from tests.chaos.storm.acts.gateway import FULL_CREDIT_RIAL
from tests.chaos.storm.crowd import Crowd
from tests.chaos.storm.processes import BEATS, NO_CLOCKS, POLLERS, SENDERS, draw_clocks
from tests.chaos.storm.scene import Act, Scene
from tests.chaos.storm.stage import Stage, staged
from tests.chaos.storm.timeline import Timeline
from tests.chaos.storm.watch import Watch

AT_ONCE: Final = 6
"""How many acts may last at the same time; some of the second deck last for most of a minute."""

LATENCY_MS: Final = 600
"""Latency of the gateway, so that requests are under way when a process dies."""

NO_PROGRESS_S: Final = 120.0
"""Seconds without progress after which the drain ends."""

DRAIN_S: Final = 900.0

AWAY: Final = (DatabaseFailed, SQLAlchemyError, psycopg.Error, redis.RedisError, requests.RequestException)
"""Errors of a server that is dead at the moment."""


@dataclass(frozen=True, slots=True)
class Order:
    """The options of the command line."""

    minutes: float
    messages: int
    seed: int
    dedupe: bool
    clocks_apart: bool
    keep: bool
    folder: Path

    @property
    def name(self) -> str:
        """The name of the storm's folder: one seed may run in both modes of the gateway at a time."""
        return f"chaos-{self.seed}" + ("" if self.dedupe else "-no-dedupe")

    @property
    def lasting_s(self) -> float:
        return self.minutes * 60

    @property
    def pace(self) -> float:
        """Calls a second: some four times as many as a send and three polls of every message need over the whole time.

        The campaigns begin one after the other, so that each comes as a burst, with many requests under way. And for
        half of the time or so nothing may be sent.
        """
        calls = self.messages / BATCH_SIZE + 3 * self.messages / POLL_SIZE
        return max(8.0, 4 * calls / self.lasting_s)

    @property
    def replay(self) -> str:
        words = [f"scripts/chaos {self.minutes:g} --messages {self.messages} --seed {self.seed}"]
        words += ["--no-dedupe"] * (not self.dedupe)
        return " ".join([*words, "--clocks-apart" if self.clocks_apart else "--no-clocks-apart"])

    @property
    def clocks(self) -> Mapping[str, float]:
        """The processes with wrong clocks, and by how many seconds they are off."""
        return draw_clocks(self.seed) if self.clocks_apart else {}

    @property
    def knobs(self) -> dict[str, Any]:
        """The settings of the gateway."""
        return {
            "dedupe": self.dedupe,
            "seed": self.seed,
            "latency_ms": LATENCY_MS,
            "delivery_s": [1, 12],
            "order": "shuffled",
            "bad_receptors": crowd.bad_numbers(self.messages),
            "poison_text": crowd.POISONED,
        }


def run(order: Order) -> int:
    """Run a storm. Returns the exit code: 0 if every invariant held."""
    timeline = Timeline(order.folder / f"{order.name}.jsonl")
    home = order.folder / order.name
    shutil.rmtree(home, ignore_errors=True)
    timeline.say(f"{order.replay}   (at most {order.pace:.1f} calls a second)")
    broken: list[Broken] = []
    try:
        if order.clocks_apart:
            timeline.note("clocks apart" if order.clocks else NO_CLOCKS, **order.clocks)
        with staged(home, pace=order.pace, knobs=order.knobs, clocks=order.clocks) as stage:
            broken = _weather(order, stage, timeline)
    finally:
        timeline.close()
        if not (order.keep or broken):
            shutil.rmtree(home, ignore_errors=True)
    timeline.say(f"what was done stands in {timeline.path}")
    if broken:
        timeline.say(f"\n{broken[0]}\nThe logs and the database are kept in {home}. To replay it:\n    {order.replay}")
    return int(bool(broken))


def _weather(order: Order, stage: Stage, timeline: Timeline) -> list[Broken]:
    """Run the storm, the recovery and the drain. Returns the violations; one that is seen meanwhile ends the storm."""
    people = Crowd(stage, timeline)
    people.create(order.messages, lasting_s=order.lasting_s)
    watch = Watch(stage, people, timeline)
    scene = Scene(stage, people, timeline)
    stage.processes.start()
    watch.start()
    _storm(order, scene, watch)
    _heal(scene)
    _drain(scene, watch)
    watch.stop()
    findings, broken = ending.judge(scene, watch, order.messages)
    ending.describe(scene, findings, watch)
    for each in broken:
        timeline.say(f"BROKEN  {each}")
    timeline.say(findings.summary)
    return broken


def _storm(order: Order, scene: Scene, watch: Watch) -> None:
    """Play each cue at its time, until the last act is over. The operator acts every second meanwhile."""
    cues = schedule.plan(order.seed, lasting_s=order.lasting_s, cards=_named(acts.CARDS), rare=_named(acts.RARE))
    began = time.monotonic()
    playing: list[Future[None]] = []
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="act")
    try:
        for cue in cues:
            while (ahead_s := began + cue.at_s - time.monotonic()) > 0 and not watch.broken:
                _go_round(scene)
                time.sleep(min(1.0, ahead_s))
            if watch.broken:
                break
            playing.append(pool.submit(_play, scene, cue))
        while wait(playing, timeout=1.0).not_done and not watch.broken:
            _go_round(scene)
    finally:
        scene.over.set()
        pool.shutdown(cancel_futures=True)
    scene.note("storm over", acts=len(cues), **scene.crowd.progress())


def _named(deck: Mapping[Act, int]) -> dict[str, int]:
    return {act.__name__: copies for act, copies in deck.items()}


def _play(scene: Scene, cue: schedule.Cue) -> None:
    """Play one act. An unexpected error ends the storm."""
    try:
        acts.ACTS[cue.act](scene, Random(cue.seed))
    except AWAY as why:
        scene.note("act missed", act=cue.act, because=type(why).__name__)
    except Exception as why:
        scene.failed.append(f"{cue.act}: {why}")
        raise


def _go_round(scene: Scene) -> None:
    """Do the operator's work of one second: resume paused campaigns, and cancel one campaign that is half sent."""
    try:
        scene.crowd.release_held()
        _cancel_half_way(scene)
    except AWAY as why:
        scene.timeline.keep("operator kept out", because=type(why).__name__)


def _cancel_half_way(scene: Scene) -> None:
    """Cancel, once, the first half-sent campaign that has no bad rows."""
    if scene.crowd.cancelled is not None:
        return
    for campaign_id, waiting in scene.stage.database(crowd.half_sent, scene.crowd.spared):
        if scene.crowd.cancel(campaign_id):
            scene.note("campaign cancelled half-way", campaign=campaign_id, waiting=waiting)
            return


def _heal(scene: Scene) -> None:
    """Start every process and server again, remove all faults, and flush the broker with its shared pause."""
    stage = scene.stage
    for name in (*SENDERS, *POLLERS, *BEATS, "postgres", "valkey", "sandbox"):
        stage.strike(name, signal.SIGCONT)
    stage.mend()
    stage.gateway.disarm()
    stage.gateway.turn(limiter="none", account_code=0)
    stage.gateway.set_credit(FULL_CREDIT_RIAL)
    with stage.broker() as broker:
        broker.flushall()
    scene.crowd.ours.clear()
    scene.note("healed")


def _drain(scene: Scene, watch: Watch) -> None:
    """Wait until every campaign has finished, or until there was no progress for long.

    Messages that left under the other account's key finish under that key only, so the key is used again at the end.
    """
    until = time.monotonic() + DRAIN_S
    seen, moved_at = scene.crowd.progress(), time.monotonic()
    while scene.crowd.unfinished() and not watch.broken:
        now = time.monotonic()
        if now > until or now - moved_at > NO_PROGRESS_S:
            scene.note("drain given up", progress=seen)
            return
        time.sleep(2)
        scene.crowd.release_held()
        progress = scene.crowd.progress()
        scene.timeline.keep("draining", **progress)
        if progress != seen:
            seen, moved_at = progress, now
        elif scene.stage.key != OTHER_KEY and scene.stage.database(crowd.is_elsewhere):
            scene.note("key of another account, for what left under it")
            scene.stage.use_key(OTHER_KEY, signal.SIGTERM)
    scene.note("drained")
