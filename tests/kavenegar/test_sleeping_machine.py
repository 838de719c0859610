"""A deadline, a rested connection and a slot of the pace grow old while the machine sleeps."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import sleeping
from tests.kavenegar.scripted_server import ScriptedServer
from tests.waiting import PATIENCE_S

PROJECT = Path(__file__).resolve().parents[2]
ROW = {"messageid": 1, "receptor": "09120000001", "sender": "1", "message": "x", "status": 1, "cost": 120}


@pytest.fixture(autouse=True)
def _can_sleep() -> None:
    sleeping.needed()


@pytest.fixture
def sleeper() -> Callable[..., subprocess.Popen[str]]:
    """Starts a process in which the machine falls asleep."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.kavenegar.sleeper", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)

    return start


def output_of(process: subprocess.Popen[str]) -> list[str]:
    """The words that the process prints until it ends."""
    assert process.stdout is not None
    with process.stdout as out:
        said = out.read()
    assert process.wait(PATIENCE_S) == 0
    return said.split()


def test_a_machine_that_slept_between_the_look_at_the_lease_and_the_write_sends_nothing(
    server: ScriptedServer, sleeper: Callable[..., subprocess.Popen[str]]
) -> None:
    server.will(server.answer(200, [ROW]))
    assert output_of(sleeper("in_time_then_asleep", server.url)) == ["Postpone"]
    assert server.received == []


def test_a_connection_that_rested_while_the_machine_slept_is_not_used_again(
    server: ScriptedServer, sleeper: Callable[..., subprocess.Popen[str]]
) -> None:
    server.will(server.answer(200, [{"messageid": 1, "status": 10, "statustext": "x"}]))
    assert output_of(sleeper("between_two_calls", server.url)) == ["done"]
    assert [request.connection for request in server.received] == [1, 2]


def test_a_slot_that_was_taken_before_the_machine_slept_is_worth_nothing_after_it(
    server: ScriptedServer, valkey_url: str, sleeper: Callable[..., subprocess.Popen[str]]
) -> None:
    server.will(server.answer(200, [{"messageid": 1, "status": 10, "statustext": "x"}]))
    assert output_of(sleeper("holding_a_slot", server.url, valkey_url)) == ["calls", "2", "done"]


def test_a_machine_that_slept_in_the_middle_of_a_long_request_does_not_end_it(
    sleeper: Callable[..., subprocess.Popen[str]],
) -> None:
    """What the server has of it is no whole request: it cannot act on it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        process = sleeper("in_the_middle_of_a_write", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with listener.accept()[0] as sock:
            came = len(sock.recv(8192))
            process.send_signal(signal.SIGUSR1)
            assert process.stdout is not None
            assert process.stdout.readline() == "asleep\n"
            while data := _next(sock):
                came += len(data)
    assert output_of(process) == ["done"]
    assert came < 20_000_000


def _next(sock: socket.socket) -> bytes:
    """What comes next; nothing where the other side has broken the connection off."""
    try:
        return sock.recv(65_536)
    except ConnectionResetError:
        return b""
