"""Marked points of the path at which a process dies, stops or raises: once each, and proven to have been reached.

The product knows nothing of them. A stage takes a slot of the pace, claims in one commit, calls the gateway with no
transaction open, and writes the result down in another commit; a context whose database and gateway are wrapped can
tell where on that walk a thread stands, whatever the functions are called. `failing_app` starts a worker in such a
context.

A plan is a file of lines `point <tab> mode`. The first of them that has no marker yet is armed, in every process that
shares the plan; whoever reaches it leaves the marker and meets its fate.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from campaigns.kavenegar.paced_client import PacedClient
from campaigns.store.database import Database
from tests.world import Sandbox

PLAN_VARIABLE: Final = "CHAOS_PLAN"

_WALK: Final = (
    "before the claim",
    "inside the claim",
    "after the claim",
    "while the answer is pending",
    "after the answer",
    "inside the result",
    "after the result",
)
SEND: Final = tuple(f"send: {point}" for point in _WALK)
RESOLVE: Final = tuple(f"resolve: {point}" for point in _WALK)
POLL: Final = tuple(f"poll: {point}" for point in _WALK)
TICK: Final = (
    "tick: inside tidying",
    "tick: after tidying",
    "tick: inside ringing",
    "tick: after ringing",
    "tick: half-way through publishing",
)
CREATE: Final = ("create: in the middle of the rows", "create: before the commit")
POINTS: Final = (*SEND, *RESOLVE, *POLL, *TICK, *CREATE)

PENDING_S: Final = 0.7
"""After so long without an answer a request on this machine has left and arrived."""

KILL, STOP, RAISE = "kill", "stop", "raise"


# A process that is about to die reaches nothing more.
_ONE_AT_A_TIME: Final = threading.Lock()


class Reached(RuntimeError):
    """The failpoint of mode `raise`: a defect of ours, at the worst place."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which point is next, and what happens there."""

    path: Path

    @classmethod
    def write(cls, path: Path, points: Sequence[str], mode: str = KILL) -> Plan:
        """A new plan, nothing of it reached yet."""
        strangers = set(points) - set(POINTS)
        assert not strangers, f"no such failpoints: {strangers}"
        path.write_text("".join(f"{point}\t{mode}\n" for point in points), encoding="utf-8")
        return cls(path)

    def reached(self) -> dict[str, int]:
        """The points that were reached, in their order, and the pid of the process that did."""
        markers = {point: self._marker(point) for point, _ in self._lines()}
        return {point: int(path.read_text()) for point, path in markers.items() if path.exists()}

    def next(self) -> tuple[str, str] | None:
        """The point that is armed, and its mode."""
        return next((line for line in self._lines() if not self._marker(line[0]).exists()), None)

    def reach(self, point: str) -> None:
        """This thread stands at `point`. Raises: Reached."""
        with _ONE_AT_A_TIME:
            armed = self.next()
            if armed is None or armed[0] != point or not self._mark(point):
                return
            here.point = point
            if armed[1] != RAISE:
                # To this very thread: a process that is told to stop as a whole goes on for as long as it takes its
                # main thread to hear of it, and may have passed the next check by then.
                signal.raise_signal(signal.SIGKILL if armed[1] == KILL else signal.SIGSTOP)
                return
        raise Reached(point)

    def outlived(self, point: str) -> bool:
        """Whether the thread that reached it has come to the end of its task all the same."""
        return self._marker(point).with_suffix(".outlived").exists()

    def outlive(self, point: str) -> None:
        self._marker(point).with_suffix(".outlived").touch()

    def _lines(self) -> list[tuple[str, str]]:
        pairs = (line.partition("\t") for line in self.path.read_text(encoding="utf-8").splitlines())
        return [(point, mode) for point, _, mode in pairs]

    def _marker(self, point: str) -> Path:
        return self.path.with_name(f"reached {point}")

    def _mark(self, point: str) -> bool:
        """Leave the marker, with our pid in it from the first moment on; False when somebody else was first."""
        ours = self.path.with_name(f"pid {os.getpid()}")
        ours.write_text(str(os.getpid()), encoding="utf-8")
        try:
            os.link(ours, self._marker(point))
        except FileExistsError:
            return False
        finally:
            ours.unlink()
        return True


class Here(threading.local):
    """The failpoint that this thread reached in its present task."""

    point = ""


here = Here()


class Walk(threading.local):
    """Where this thread stands: which task it does, and which step comes next."""

    task = ""
    step = ""

    def begin(self, task: str) -> None:
        self.task, self.step = task, "tidying" if task == "tick" else ""

    def at(self, where: str) -> str:
        """The name of a point of this walk."""
        return f"{self.task}: {where}"


class FailingDatabase(Database):
    """Dies before, inside and after the commits that matter: the claim and the result, or the two of a tick."""

    _NEXT: Final = {"the claim": "the call", "the result": "", "tidying": "ringing", "ringing": "publishing"}

    def __init__(self, real: Database, plan: Plan, walk: Walk) -> None:
        super().__init__(real.engine)
        self._plan = plan
        self._walk = walk

    def __call__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As the real one, with a marked point before, inside and after. A claim that finds nothing marks none."""
        step = self._walk.step
        if step not in self._NEXT:
            return super().__call__(work, *args, **kwargs)
        self._reach(f"before {step}")

        def failing(connection: Connection) -> Any:
            found = work(connection, *args, **kwargs)
            if found or step == "tidying":
                self._reach(f"inside {step}")
            return found

        found = super().__call__(failing)
        self._walk.step = self._NEXT[step]
        if found or step == "tidying":
            self._reach(f"after {step}")
        return found

    def _reach(self, where: str) -> None:
        self._plan.reach(self._walk.at(where))


class FailingGateway:
    """Dies while an answer is pending, and when it has arrived."""

    _CALLS: Final = ("send", "sendarray", "statuslocalmessageid", "status")

    def __init__(self, real: PacedClient, gateway_url: str, plan: Plan, walk: Walk) -> None:
        self._real = real
        self._sandbox = Sandbox(gateway_url)
        self._plan = plan
        self._walk = walk

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name == "acquire_slot":
            return lambda *args, **kwargs: self._take_held_slot(found, *args, **kwargs)
        if name in self._CALLS:
            return lambda *args, **kwargs: self._called(name, found, *args, **kwargs)
        return found

    def _take_held_slot(self, acquire_slot: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        waited = acquire_slot(*args, **kwargs)
        self._walk.step = "the claim"
        return waited

    def _called(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        pending = self._pending(name)
        try:
            answer = call(*args, **kwargs)
        finally:
            pending.cancel()
            self._walk.step = "the result"
        self._plan.reach(self._walk.at("after the answer"))
        return answer

    def _pending(self, name: str) -> threading.Timer:
        """Where this is the armed point: let the gateway take the call and be silent, and die meanwhile."""
        point = self._walk.at("while the answer is pending")
        timer = threading.Timer(PENDING_S, self._plan.reach, [point])
        armed = self._plan.next()
        if armed is not None and armed[0] == point:
            self._sandbox.arm("accept_then_hang", f"sms/{name}", count=1, seconds=4)
            timer.start()
        return timer


@dataclass(slots=True)
class Publishing:
    """Counts the tasks that one tick publishes; the crash point lies before the second of them."""

    plan: Plan
    walk: Walk

    def before_publish(self) -> None:
        """Reach the crash point, if the tick of this thread is about to publish its second task."""
        if self.walk.step == "publishing":
            self.walk.step = "published one"
        elif self.walk.step == "published one":
            self.plan.reach(self.walk.at("half-way through publishing"))
