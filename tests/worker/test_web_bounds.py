"""Nobody can make the service swallow more than it should, hold it up, or read the token in its log."""

from __future__ import annotations

import logging
import re
import resource
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from sqlalchemy import Engine, text

from campaigns_devkit import servers
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import callbacks
from kavenegar_campaigns.store.callbacks import StatusCallback
from kavenegar_worker.logs import redact
from kavenegar_worker.metrics import MetricsCollector
from kavenegar_worker.metrics.families import RENAMED
from kavenegar_worker.web import MAX_BODY_BYTES, TokenBucket
from tests.waiting import until
from tests.web import TOKEN, expecting, parked, served, web
from tests.worker.conftest import Command

STATUS = {"messageid": "7", "status": "10"}


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def nobody(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """An application that nobody gets to."""
    raise AssertionError("half a call was answered")


def status(url: str, **data: object) -> int:
    return requests.post(f"{url}/status", data=data or STATUS, timeout=60).status_code


# ── size ──


def test_a_body_may_be_64_kib_and_no_byte_more(context: Context, engine: Engine) -> None:
    body = "messageid=7&status=10&pad="
    with web(expecting(context)) as url:
        as_form = {"Content-Type": "application/x-www-form-urlencoded"}
        fits, too_long = (
            requests.post(f"{url}/status", data=body.ljust(size, "x"), headers=as_form, timeout=60).status_code
            for size in (MAX_BODY_BYTES, MAX_BODY_BYTES + 1)
        )
    assert (fits, too_long) == (200, 413)
    assert parked(engine) == [(7, 10)]


def test_a_body_that_does_not_say_its_length_is_bounded_too(context: Context) -> None:
    with web(expecting(context)) as url:
        answer = requests.post(f"{url}/status", data=iter([b"x" * 8192] * 20), timeout=60)
    assert answer.status_code == 413


def test_a_url_is_bounded(context: Context, engine: Engine) -> None:
    with web(expecting(context)) as url:
        fits = requests.get(f"{url}/status", params={**STATUS, "pad": "x" * 8000}, timeout=60)
        too_long = requests.get(f"{url}/status", params={**STATUS, "pad": "x" * 20_000}, timeout=60)
    assert (fits.status_code, too_long.status_code) == (200, 431)


def test_a_file_among_the_fields_is_never_kept(context: Context, engine: Engine) -> None:
    with web(expecting(context)) as url:
        files = {"messageid": (None, "7"), "status": (None, "10"), "file": ("a.txt", b"x" * 50_000)}
        assert requests.post(f"{url}/status", files=files, timeout=60).status_code == 200
    assert parked(engine) == [(7, 10)]


# ── rate ──


def test_calls_beyond_the_rate_are_told_to_come_again_and_cost_nothing(context: Context, engine: Engine) -> None:
    with web(expecting(context), rate=0.001) as url:
        codes = [status(url, messageid=number, status=10) for number in range(1, 5)]
        stranger = requests.post(f"{url}x/status", data=STATUS, timeout=60).status_code
    assert codes == [200, 429, 429, 429]
    assert stranger == 404
    assert parked(engine) == [(1, 10)]


def test_the_rate_counts_callbacks_not_calls(context: Context, engine: Engine) -> None:
    many = [{"messageid": number, "status": 10} for number in range(1, 501)]
    with web(expecting(context), rate=10) as url:
        codes = [requests.post(f"{url}/status", json=many, timeout=60).status_code for _ in range(5)]
    assert codes == [200, 429, 429, 429, 429]
    assert len(parked(engine)) == 500


def test_who_does_not_know_the_token_uses_up_nothing_of_the_rate(context: Context) -> None:
    with web(expecting(context), rate=0.001) as url:
        strangers = {requests.post(f"{url}x/status", data=STATUS, timeout=60).status_code for _ in range(20)}
        assert strangers == {404}
        assert status(url) == 200


def test_an_allowance_lets_two_seconds_worth_through_at_once_and_fills_again() -> None:
    slow, quick = TokenBucket(5), TokenBucket(10_000)
    assert [slow.take() for _ in range(10)] == [True] * 10
    assert False in [slow.take() for _ in range(100)]
    while quick.take():
        pass
    until(quick.take, "the token_bucket filling again", every_s=0.001)


def test_no_more_callbacks_wait_than_may(context: Context, engine: Engine) -> None:
    with web(expecting(context), max_backlog=3) as url:
        assert requests.post(f"{url}/status", json=[{"messageid": n, "status": 10} for n in (1, 2, 3)], timeout=60).ok
    with web(expecting(context), max_backlog=3) as url:
        answer = requests.post(f"{url}/status", data={"messageid": 4, "status": 10}, timeout=60)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "120")
    assert parked(engine) == [(1, 10), (2, 10), (3, 10)]


def test_many_calls_at_once_are_all_written_down(context: Context, engine: Engine) -> None:
    with web(expecting(context)) as url, ThreadPoolExecutor(20) as callers:
        codes = list(callers.map(lambda number: status(url, messageid=number, status=10), range(1, 301)))
    assert set(codes) == {200}
    assert len(parked(engine)) == 300


# ── slow clients ──


def test_a_client_that_drips_its_call_byte_by_byte_is_cut_off(context: Context) -> None:
    with served(nobody, slowest_s=2) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
            assert _dripped_until_closed(client)


def _dripped_until_closed(client: socket.socket) -> bool:
    """Whether the connection was closed while a byte a moment still came."""
    client.settimeout(0.2)
    for _ in range(600):
        try:
            client.sendall(b"x")
            if client.recv(1000) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_silent_clients_do_not_keep_others_from_being_answered(context: Context) -> None:
    with web(expecting(context)) as url:
        host, port = url.split("/")[2].split(":")
        silent = [socket.create_connection((host, int(port)), timeout=60) for _ in range(50)]
        assert status(url) == 200
        for each in silent:
            each.close()


@pytest.mark.parametrize(
    ("process", "path", "answer"), [("web", f"/callbacks/{TOKEN}/status", 200), ("metrics", "/metrics", 401)]
)
def test_idle_connections_use_up_neither_files_nor_threads(
    command: Command, process: str, path: str, answer: int
) -> None:
    port = servers.find_free_port()
    settings = {"WEB_PORT": str(port), "METRICS_PORT": str(port), "METRICS_BASIC_AUTH": "prometheus:hunter2"}
    running = command.start(process, CALLBACK_TOKEN=TOKEN, **settings)
    try:
        until(lambda: servers.accepts_connections(port), "the port being taken")
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (96, 96))
        idle = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(150)]
        url = f"http://127.0.0.1:{port}{path}"
        assert requests.get(url, params={"messageid": 7, "status": 10}, timeout=60).status_code == answer
        assert len(list(Path(f"/proc/{running.pid}/task").iterdir())) < 40
        for each in idle:
            each.close()
    finally:
        running.kill()
        running.communicate(timeout=60)


# ── the log ──


def test_the_token_in_a_url_is_blotted_out() -> None:
    for reported in (f"GET /callbacks/{TOKEN}/status?x=1", f"Exception while serving /callbacks/{TOKEN}/receive",
                 f"http://h/callbacks/{TOKEN}", f"'/callbacks/{TOKEN}'"):  # fmt: skip
        assert TOKEN not in redact(reported)


def test_nothing_of_what_was_told_reaches_the_log(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), web(expecting(context), rate=2) as url:
        words = {"from": "09121234567", "to": "my line", "message": "سلام رمز", "messageid": "7"}
        for _ in range(8):
            requests.post(f"{url}/receive", data=words, timeout=60)
    ours = [record for record in caplog.records if not record.name.startswith("urllib3")]
    assert {record.getMessage() for record in ours} >= {"malformed callbacks rejected", "callbacks deferred"}
    assert len(ours) < 8
    reported = " ".join(str(vars(record)) for record in ours)
    assert not re.search(f"{TOKEN}|0912|رمز|my line", reported)


# ── what an operator sees of it ──


def test_the_metrics_tell_how_many_wait_when_one_came_last_and_whether_it_is_leaned_on(
    context: Context, engine: Engine
) -> None:
    def reported() -> dict[str, float]:
        found = [
            sample
            for metric in MetricsCollector(lambda: context.pace, context.database).collect()
            for sample in metric.samples
        ]
        return {sample.name: sample.value for sample in found if sample.name.startswith("kavenegar_callback")}

    assert reported() == dict.fromkeys([*RENAMED, *RENAMED.values()], 0)
    with engine.begin() as connection:
        callbacks.record(connection, [StatusCallback(number, 10) for number in (1, 2, 3)], now=context.now())
        callbacks.record_last_callback(connection, at=context.now() - timedelta(hours=1))
        callbacks.update_active(connection, since=context.now() - timedelta(hours=2))
    found = reported()
    assert (found["kavenegar_callback_backlog"], found["kavenegar_callbacks_active"]) == (3, 1)
    assert {found[old] == found[new] for old, new in RENAMED.items()} == {True}
    assert found["kavenegar_callback_age_seconds"] == pytest.approx(3600, abs=60)


def test_the_doctor_says_whether_callbacks_come_where_they_are_expected(command: Command, engine: Engine) -> None:
    def says(**environment: str) -> list[str]:
        findings = command("doctor", "--json", **environment).answer["findings"]
        return [f"{each['level']} {each['says']}" for each in findings if each["name"] == "callbacks"]

    assert says() == []
    assert says(CALLBACK_TOKEN=TOKEN) == ["warn none that proved true has ever come"]
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.installation SET last_callback_at = now(), callbacks_active = true"))
    (only,) = says(CALLBACK_TOKEN=TOKEN)
    assert only.startswith("ok the last one that proved true came")
    assert only.endswith("polls are reduced")


# ── the process ──


def test_what_was_answered_stands_in_the_database_though_the_process_is_killed(
    command: Command, engine: Engine
) -> None:
    port = servers.find_free_port()
    process = command.start("web", WEB_PORT=str(port), CALLBACK_TOKEN=TOKEN)
    url = f"http://127.0.0.1:{port}/callbacks/{TOKEN}"
    try:
        until(lambda: servers.accepts_connections(port), "the port being taken")
        answered = _called_until_killed(url, process)
    finally:
        process.kill()
        process.communicate(timeout=60)
    assert len(answered) >= 20
    assert {number for number, _ in parked(engine)} >= set(answered)


def _called_until_killed(url: str, process: subprocess.Popen[bytes]) -> list[int]:
    """The ids that were answered with 200, by a process that is killed in the middle of it."""
    answered: list[int] = []

    def call(number: int) -> None:
        try:
            if status(url, messageid=number, status=10) == 200:
                answered.append(number)
        except requests.RequestException:  # refused, cut off before the answer, or in the middle of it
            return

    with ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(call, number) for number in range(1, 400)]
        until(lambda: len(answered) >= 20, "twenty calls being answered", every_s=0.002)
        process.kill()
        for each in calls:
            each.result()
    return answered


def test_the_process_ends_when_it_is_asked_to(command: Command, engine: Engine) -> None:
    port = servers.find_free_port()
    process = command.start("web", WEB_PORT=str(port), CALLBACK_TOKEN=TOKEN)
    until(lambda: servers.accepts_connections(port), "the port being taken")
    assert status(f"http://127.0.0.1:{port}/callbacks/{TOKEN}") == 200
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert TOKEN.encode() not in out + err


def test_without_a_token_the_service_does_not_start(command: Command) -> None:
    said = command("web")
    assert said.exit == 2
    assert "CALLBACK_TOKEN is not set" in said.sentence


def test_a_short_token_is_refused_without_being_shown(command: Command) -> None:
    said = command("web", CALLBACK_TOKEN="hunter2")
    assert said.exit == 2
    assert "32 to 128" in said.sentence
    assert "hunter2" not in said.sentence


def test_a_new_token_is_another_each_time_and_can_be_used(command: Command) -> None:
    tokens = {command("web", "--new-token").out.strip() for _ in range(2)}
    assert len(tokens) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)
    said = command("settings", CALLBACK_TOKEN=tokens.pop())
    assert said.exit == 0
    assert re.search(r"CALLBACK_TOKEN +set", said.out)


def test_a_port_that_is_taken_is_told(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = command("web", CALLBACK_TOKEN=TOKEN, WEB_PORT=str(taken.getsockname()[1]))
    assert said.exit == 2
    assert "cannot be had" in said.sentence
