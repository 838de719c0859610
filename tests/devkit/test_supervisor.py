"""Supervised processes are started again when they die, and none outlives its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from campaigns_devkit import ProcessState, Supervisor
from campaigns_devkit.files import LockFile, wait_until
from tests.devkit.conftest import PROJECT
from tests.waiting import PATIENCE_S

# Holds a lock on the file it is given for as long as it runs, or anything that it started does.
_HOLD = "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
_WAIT = "print('up', flush=True); time.sleep(600)"
_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
_WITH_A_CHILD = "import subprocess; subprocess.Popen(['sleep', '600'], pass_fds=[file.fileno()]); "

# A supervisor of two processes as a program of its own: python -c … MARK MARK LOGS
_PROGRAM = f"""
import os, sys, time
from pathlib import Path
from campaigns_devkit import Supervisor
first, second, logs = sys.argv[1:]
commands = {{Path(mark).name: [sys.executable, "-c", {_HOLD + _WAIT!r}, mark] for mark in (first, second)}}
print("starting", flush=True)
with Supervisor(commands, os.environ, Path(logs)):
    while True:
        time.sleep(0.1)  # short: Python does not see an interruption that comes just before a call that blocks
"""


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows processes as files and tethers them")


def python(program: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program, *map(str, arguments)]


def is_held(mark: Path) -> bool:
    with closing(LockFile(mark)) as lock:
        return not lock.try_exclusive()


def supervised(processes: Mapping[str, Sequence[str]], folder: Path) -> Supervisor:
    return Supervisor(processes, os.environ, folder / "logs")


def said(name: str, folder: Path) -> str:
    log = folder / "logs" / f"{name}.log"
    return log.read_text() if log.exists() else ""


def processes_about(folder: Path) -> list[bytes]:
    """The command lines that name it."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            lines.append(process.read_bytes())
    return [line for line in lines if os.fsencode(folder) in line]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def test_a_process_killed_is_started_again_under_another_number(mark: Path, tmp_path: Path) -> None:
    with supervised({"holder": python(_HOLD + _WAIT, mark)}, tmp_path) as supervisor:
        assert wait_until(lambda: is_held(mark), within_s=PATIENCE_S)
        [before] = supervisor.states()
        supervisor.signal("holder", signal.SIGKILL)
        assert supervisor.wait_for(lambda states: states[0].restarts == 1, within_s=PATIENCE_S)
        [after] = supervisor.states()
        assert (after.name, after.alive) == ("holder", True)
        assert after.pid != before.pid
        assert wait_until(lambda: is_held(mark), within_s=PATIENCE_S)
    assert not is_held(mark)


def test_a_process_that_keeps_dying_is_started_at_growing_distances(tmp_path: Path) -> None:
    began = time.monotonic()
    with supervised({"dying": ["false"]}, tmp_path) as supervisor:
        assert supervisor.wait_for(lambda states: states[0].restarts == 2, within_s=PATIENCE_S)
        assert time.monotonic() - began >= 1 + 2


def test_what_processes_say_is_written_to_a_log_of_each(tmp_path: Path) -> None:
    commands = {name: ["sh", "-c", f"echo {name} out; echo {name} err >&2; exec sleep 600"] for name in ("one", "two")}
    with supervised(commands, tmp_path):
        assert wait_until(lambda: said("one", tmp_path) == "one out\none err\n", within_s=PATIENCE_S)
        assert wait_until(lambda: said("two", tmp_path) == "two out\ntwo err\n", within_s=PATIENCE_S)


def test_programs_of_our_own_environment_come_first(tmp_path: Path) -> None:
    with supervised({"which": ["sh", "-c", "command -v python; exec sleep 600"]}, tmp_path):
        assert wait_until(
            lambda: said("which", tmp_path) == f"{Path(sys.executable).parent}/python\n", within_s=PATIENCE_S
        )


def test_a_process_deaf_to_the_request_is_killed_after_the_grace(mark: Path, tmp_path: Path) -> None:
    with supervised({"deaf": python(_DEAF + _HOLD + _WAIT, mark)}, tmp_path) as supervisor:
        assert wait_until(lambda: is_held(mark), within_s=PATIENCE_S)
        began = time.monotonic()
        supervisor.stop(grace_s=0.5)
        assert 0.5 <= time.monotonic() - began < 30
        assert not is_held(mark)
        assert supervisor.states() == [ProcessState("deaf", supervisor.states()[0].pid, restarts=0, alive=False)]


def test_what_a_process_started_ends_with_it(mark: Path, tmp_path: Path) -> None:
    with supervised({"parent": python(_HOLD + _WITH_A_CHILD + _WAIT, mark)}, tmp_path) as supervisor:
        assert wait_until(lambda: said("parent", tmp_path) == "up\n", within_s=PATIENCE_S)
        supervisor.stop(grace_s=PATIENCE_S)
        assert wait_until(lambda: not is_held(mark), within_s=PATIENCE_S)


def test_stopping_while_a_process_waits_to_be_started_again_starts_nothing(mark: Path, tmp_path: Path) -> None:
    with supervised({"holder": python(_HOLD + _WAIT, mark)}, tmp_path) as supervisor:
        assert wait_until(lambda: is_held(mark), within_s=PATIENCE_S)
        supervisor.signal("holder", signal.SIGKILL)
        assert supervisor.wait_for(lambda states: not states[0].alive, within_s=PATIENCE_S)
        supervisor.stop(grace_s=PATIENCE_S)
        assert supervisor.states()[0].restarts == 0
        assert not is_held(mark)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor that is another process, with two processes of its own."""
    marks = [tmp_path / "first", tmp_path / "second"]
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *marks, tmp_path / "logs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"starting\n"
        yield process
        process.kill()


@linux
@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.03, 0.1, 0.3])
def test_an_interruption_at_any_moment_leaves_no_process_behind(
    program: subprocess.Popen[bytes], tmp_path: Path, after_s: float
) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(after_s)
    program.send_signal(signal.SIGINT)
    program.wait(PATIENCE_S)
    assert processes_about(tmp_path) == []


@linux
def test_the_processes_of_a_killed_supervisor_are_told_to_stop(
    program: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    marks = [tmp_path / "first", tmp_path / "second"]
    assert wait_until(lambda: all(map(is_held, marks)), within_s=PATIENCE_S)
    program.kill()
    assert wait_until(lambda: not any(map(is_held, marks)), within_s=PATIENCE_S)
