"""Crash points of the path, at which a process dies, stops or raises: once each, with a marker that proves it.

The product knows nothing of them. A stage takes a slot of the pace, claims in one commit, calls the gateway with no
transaction open, and writes the result down in another commit; a context whose database and gateway are wrapped can
tell where on that walk a thread stands, whatever the functions are called. `failing_app` starts a worker in such a
context.

A plan is a file of lines `point <tab> mode`. The first of them that has no marker yet is armed, in every process that
shares the plan; the process that reaches it leaves the marker and fails.
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

from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.store.database import Database
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
"""Seconds after which a request on this machine has arrived at the gateway."""

KILL, STOP, RAISE = "kill", "stop", "raise"


# A process that is about to die reaches no further point.
_ONE_AT_A_TIME: Final = threading.Lock()


class Reached(RuntimeError):
    """The error that a failpoint of mode `raise` raises: it stands for a defect of ours."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A file of crash points and how a process fails at each; says which one is next."""

    path: Path

    @classmethod
    def write(cls, path: Path, points: Sequence[str], mode: str = KILL) -> Plan:
        """Write a new plan, none of whose points is reached yet."""
        strangers = set(points) - set(POINTS)
        assert not strangers, f"no such failpoints: {strangers}"
        path.write_text("".join(f"{point}\t{mode}\n" for point in points), encoding="utf-8")
        return cls(path)

    def reached(self) -> dict[str, int]:
        """Return the points that were reached, in the order of the plan, each with the pid of the process."""
        markers = {point: self._marker(point) for point, _ in self._lines()}
        return {point: int(path.read_text()) for point, path in markers.items() if path.exists()}

    def next(self) -> tuple[str, str] | None:
        """Return the armed point and its mode."""
        return next((line for line in self._lines() if not self._marker(line[0]).exists()), None)

    def reach(self, point: str) -> None:
        """Fail here if `point` is the armed one. Raises: Reached, in mode `raise`."""
        with _ONE_AT_A_TIME:
            armed = self.next()
            if armed is None or armed[0] != point or not self._mark(point):
                return
            here.point = point
            if armed[1] != RAISE:
                # To this very thread: a whole process that is stopped by a signal goes on for as long as it takes its
                # main thread to get it, and may have passed the next check by then.
                signal.raise_signal(signal.SIGKILL if armed[1] == KILL else signal.SIGSTOP)
                return
        raise Reached(point)

    def outlived(self, point: str) -> bool:
        """Whether the thread that reached `point` finished its task all the same."""
        return self._marker(point).with_suffix(".outlived").exists()

    def outlive(self, point: str) -> None:
        self._marker(point).with_suffix(".outlived").touch()

    def _lines(self) -> list[tuple[str, str]]:
        pairs = (line.partition("\t") for line in self.path.read_text(encoding="utf-8").splitlines())
        return [(point, mode) for point, _, mode in pairs]

    def _marker(self, point: str) -> Path:
        return self.path.with_name(f"reached {point}")

    def _mark(self, point: str) -> bool:
        """Create the marker, with our pid in it from the first moment on. False where another process was first."""
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
    """The crash point that this thread reached in its present task."""

    point = ""


here = Here()


class Walk(threading.local):
    """The position of a thread on the path: its task and its next step."""

    task = ""
    step = ""

    def begin(self, task: str) -> None:
        self.task, self.step = task, "tidying" if task == "tick" else ""

    def at(self, where: str) -> str:
        """Return the name of the crash point at this place of the present step."""
        return f"{self.task}: {where}"


class FailingDatabase(Database):
    """A database that dies before, inside and after the commits of a claim and a result, or the two of a tick."""

    _NEXT: Final = {"the claim": "the call", "the result": "", "tidying": "ringing", "ringing": "publishing"}

    def __init__(self, real: Database, plan: Plan, walk: Walk) -> None:
        super().__init__(real.engine)
        self._plan = plan
        self._walk = walk

    def __call__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run `work` as the real database does, with a crash point before it; inside and after it if it found work."""
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
    """A gateway that dies while an answer is pending, and when it has arrived."""

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
        """If this point is armed, have the gateway accept the call and not answer, and die meanwhile."""
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
