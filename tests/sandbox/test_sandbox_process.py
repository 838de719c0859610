"""The sandbox as a process: how it starts, stops, remembers, and what it never writes down."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.client import KEY, TEXT, Client, form, numbers

Process = subprocess.Popen[str]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., tuple[Process, Client]]]:
    """Start `python -m kavenegar_sandbox` with arguments, and wait until it listens."""
    with ExitStack() as running:

        def spawned(*arguments: str) -> tuple[Process, Client]:
            ready = tmp_path / "ready"
            ready.unlink(missing_ok=True)
            process = running.enter_context(_process("--api-key", KEY, "--ready-file", str(ready), *arguments))
            running.callback(process.kill)
            assert process.stdout is not None
            announced = process.stdout.readline().strip()
            assert announced == f"sandbox listening on {ready.read_text()}"
            return process, Client(ready.read_text(), running.enter_context(requests.Session()))

        yield spawned


def test_it_announces_its_address_and_stops_cleanly_on_sigterm(spawn: Callable[..., tuple[Process, Client]]) -> None:
    process, sandbox = spawn()
    assert sandbox.base_url.startswith("http://127.0.0.1:")
    sandbox.arm("late_accept", count=1, seconds=60)
    with pytest.raises(requests.ReadTimeout):
        sandbox.call("account/info", timeout=0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_its_output_never_holds_the_key_a_text_or_a_number(spawn: Callable[..., tuple[Process, Client]]) -> None:
    process, sandbox = spawn("--knob", "poison_text=☠")
    sandbox.send(*numbers(2), localid=[1, 2])
    sandbox.call("sms/send", form(["09121234567"], "☠"))
    sandbox.session.get(sandbox.url("sms/send"), params=form(["nonsense"]), timeout=60)
    sandbox.session.get(sandbox.url("no/such"), timeout=60)
    with socket.create_connection(("127.0.0.1", urlsplit(sandbox.base_url).port or 0)) as raw:
        raw.sendall(f"BAD /v1/{KEY}/sms/send.json?message=hello\x00 HTTP/9.9\r\nHost\r\n\r\n".encode())
        raw.recv(1000)
    sandbox.arm("accept_then_drop", count=1)
    with pytest.raises(requests.ConnectionError):
        sandbox.call("sms/send", form(numbers(2)))
    process.terminate()
    output, errors = process.communicate(timeout=60)
    for secret in (KEY, TEXT, "hello", *numbers(2), "9121234567"):
        assert secret not in output + errors
    assert "sandbox_fault_armed" in errors


def test_with_a_journal_it_remembers_messages_money_and_time_over_a_kill(
    spawn: Callable[..., tuple[Process, Client]], tmp_path: Path
) -> None:
    journal = ("--journal", str(tmp_path / "journal"), "--credit", "100000", "--delivery", "10s..10s")
    process, sandbox = spawn(*journal)
    sent = sandbox.send(*numbers(100), localid=list(range(100)))
    later = sandbox.send("09121234567", date=str(int(time.time()) + 7200))[0]
    sandbox.entries("sms/cancel", {"messageid": str(later["messageid"])})
    sandbox.admin("POST", "credit", {"rial": 50_000})
    sandbox.advance(3600)
    before = _memory(sandbox)
    process.kill()
    process.wait()
    _, again = spawn(*journal)
    assert _memory(again) == before
    assert [row["messageid"] for row in again.send(*numbers(100), localid=list(range(100)))] == [
        row["messageid"] for row in sent
    ]
    assert again.statuses(later["messageid"]) == [13]


def test_a_line_torn_by_a_crash_is_dropped_and_writing_goes_on(
    spawn: Callable[..., tuple[Process, Client]], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    process, sandbox = spawn("--journal", str(journal))
    sandbox.send("09121234567", localid=[1])
    process.kill()
    process.wait()
    with journal.open("ab") as file:
        file.write(b'{"event":"accepted","starts_at":17')
    process, again = spawn("--journal", str(journal))
    again.send("09121234568", localid=[2])
    process.kill()
    process.wait()
    _, third = spawn("--journal", str(journal))
    assert third.summary()["distinct_localids"] == 2


def test_knobs_come_from_a_file_and_from_the_command_line(
    spawn: Callable[..., tuple[Process, Client]], tmp_path: Path
) -> None:
    config = tmp_path / "knobs.json"
    config.write_text(json.dumps({"order": "reversed", "seed": 5, "delivery_s": "1s..1s"}))
    _, sandbox = spawn("--config", str(config), "--delivery", "2s..15s", "--knob", "seed=6", "--knob", "poison_text=☠")
    knobs = sandbox.admin("GET", "knobs").json()
    assert (knobs["order"], knobs["seed"], knobs["delivery_s"], knobs["poison_text"]) == ("reversed", 6, [2, 15], "☠")


def test_a_start_that_cannot_work_ends_with_a_sentence(tmp_path: Path) -> None:
    alien = tmp_path / "notes.txt"
    alien.write_text("no journal at all")
    (tmp_path / "broken.json").write_text("{")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for arguments, sentence in [
            (["--knob", "warp=9"], "there is no knob 'warp'"),
            (["--delivery", "soon"], "like 2s..15s"),
            (["--config", str(tmp_path / "broken.json")], "is not JSON"),
            (["--config", str(tmp_path / "missing.json")], "No such file"),
            (["--journal", str(alien)], "not a journal of a sandbox"),
            (["--port", str(taken.getsockname()[1])], "address already in use"),
        ]:
            with _process(*arguments) as process:
                _, errors = process.communicate(timeout=60)
            assert (process.returncode, sentence in errors, "Traceback" in errors) == (2, True, False), errors
    assert alien.read_text() == "no journal at all"


def _process(*arguments: str) -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", "kavenegar_sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def _memory(sandbox: Client) -> dict[str, Any]:
    """What must be the same before and after."""
    summary = sandbox.summary()
    kept = ("messages", "physical_messages", "distinct_localids", "charged_rial", "refunded_rial", "credit_rial")
    ahead_s = round(summary["now"] - time.time(), -1)
    stream = sandbox.admin("GET", "ledger/stream").text
    return {"stream": stream, "ahead_s": ahead_s, **{name: summary[name] for name in kept}}
