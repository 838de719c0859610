"""One-time passwords from a web process and through Celery, and that nobody who watches is told one."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from sqlalchemy import Engine, create_engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import OtpState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import OutcomeUnknown
from kavenegar_campaigns.rules.otp_request import parse_otp_request
from kavenegar_campaigns.stages.otp.send import send_at_once
from kavenegar_campaigns.store import otps
from tests.stages.otp_requests import CODE, NUMBER, ordered, state_of
from tests.waiting import until
from tests.worker.celery_worker import celery_worker
from tests.world import Sandbox

# Sends what stands on its standard input, one order after the other, with every log there is, and tells each ending.
WEB_PROCESS = """
import json, logging, sys, traceback
from kavenegar_campaigns.errors import CampaignsError
from kavenegar_worker import logs, otp
logs.configure("DEBUG")
logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
logging.getLogger("urllib3").setLevel(logging.DEBUG)
results = []
for otp_request in json.load(sys.stdin):
    try:
        sent = otp.send(**otp_request)
        results.append([sent.state, sent.id, sent.refused_code, repr(sent)])
    except CampaignsError as why:
        traceback.print_exc()
        frames = [frame for frame, _ in traceback.walk_tb(why.__traceback__) if frame.f_code.co_name != "<module>"]
        print("the variables of", len(frames), "frames:", [frame.f_locals for frame in frames], file=sys.stderr)
        results.append([type(why).__name__, str(why), None, repr(why)])
json.dump(results, sys.stdout)
"""


def environment(engine: Engine, broker_url: str, sandbox: Sandbox) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
        "PACE_START": "200",
        "PACE_MAX": "200",
    }


def silent(printed: str) -> bool:
    """Whether neither the code nor the number is in it."""
    return CODE not in printed and NUMBER not in printed and NUMBER[1:] not in printed


def test_a_web_process_is_told_every_ending_and_nobody_who_reads_its_logs_sees_a_code(
    engine: Engine, broker_url: str, sandbox: Sandbox
) -> None:
    sandbox.arm("accept_then_drop", "verify/lookup", count=1)
    otp_request: dict[str, Any] = {"number": NUMBER, "template": "verify", "token": CODE}
    wishes = [
        {**otp_request, "key": "first"},
        {**otp_request, "key": "first"},
        {**otp_request, "key": "second"},
        {**otp_request, "key": "second"},
        {**otp_request, "template": "none"},
        {**otp_request, "token": f"{CODE}_{CODE}"},
        {**otp_request, "number": f"{NUMBER}{NUMBER}"},
        {**otp_request, "key": "second", "template": "other"},
    ]
    done = subprocess.run(
        [sys.executable, "-c", WEB_PROCESS],
        input=json.dumps(wishes),
        env=environment(engine, broker_url, sandbox),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    printed = json.loads(done.stdout)
    endings = [ending for ending, *_ in printed]
    assert endings[:4] == ["OutcomeUnknown", "OutcomeUnknown", "accepted", "accepted"]
    assert endings[4:] == ["refused", "BadInput", "BadInput", "KeyConflict"]
    assert printed[2][1] == printed[3][1]
    assert printed[4][2] == 424
    assert "may have arrived" in printed[0][1]
    assert sandbox.summary()["messages"] == 2
    assert "verify/lookup" in done.stderr  # it did say what it did
    assert "INSERT INTO sms.otps" in done.stderr
    assert silent(done.stdout + done.stderr)


def test_an_engine_that_shows_its_parameters_shows_neither_the_code_nor_the_number(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """The web app's own engine, in whose transaction a code is ordered, need not hide anything."""
    own = create_engine(engine.url, echo=True)
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        with own.begin() as connection:
            campaigns.order_otp(connection, number=NUMBER, template="verify", token=CODE, token10=f"{CODE} x", key="k")
        with own.connect() as connection, pytest.raises(campaigns.KeyConflict) as conflict:
            campaigns.order_otp(connection, number=NUMBER, template="other", token=CODE, key="k")
        with own.begin() as connection:
            connection.execute(text("ALTER TABLE sms.otps RENAME TO elsewhere"))
        with own.connect() as connection, pytest.raises(Exception, match="otps") as broken:
            campaigns.order_otp(connection, number=NUMBER, template="verify", token=CODE, key="l")
    own.dispose()
    assert "INSERT INTO sms.otps" in caplog.text
    assert "***" in caplog.text
    assert silent(caplog.text + printed(conflict.value) + printed(broken.value))


def printed(error: BaseException) -> str:
    """An error with its whole chain, as a traceback shows it."""
    return "".join(traceback.format_exception(error)) + repr(error)


def test_no_record_and_no_error_of_the_way_shows_a_code(
    context: Context, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = {"token": CODE, "token20": f"{CODE}{CODE}"}
    otp_request = parse_otp_request(
        kind="sms", number=NUMBER, template="verify", tokens=tokens, key=f"{NUMBER}:{CODE}", tag=None,
        call_after=timedelta(seconds=30), lifetime=timedelta(minutes=2),
    )  # fmt: skip
    sandbox.arm("bad_json", "verify/lookup", count=1)
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(OutcomeUnknown) as unknown:
            send_at_once(context, otp_request)
        claimed = context.database(
            otps.claim, ordered(engine), owner=uuid4(), now=context.now(), lease=context.policy.lease
        )
    assert claimed is not None
    found = state_of(engine, claimed.otp_id)
    assert silent("".join(map(repr, (otp_request, claimed, found))) + printed(unknown.value) + caplog.text)


@contextmanager
def watched(app: Celery) -> Iterator[list[dict[str, Any]]]:
    """Every event that Flower sees."""
    seen: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        watcher = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        watcher.start()
        try:
            yield seen
        finally:
            receiver.should_stop = True
            watcher.join(60)


def test_an_app_rings_for_a_code_and_a_worker_sends_it_while_flower_sees_an_id(
    engine: Engine, broker_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    sandbox.turn(fates={"undelivered": 1.0})
    with (
        Celery("a web app", broker=broker_url, set_as_current=False) as app,
        watched(app) as seen,
        celery_worker(
            environment(engine, broker_url, sandbox), log, queues="send,otp,poll,maint", threads=4, loglevel="DEBUG"
        ),
    ):
        otp_id = ordered(engine, call_after=timedelta(seconds=30))
        for _ in range(2):
            app.send_task("campaigns.send_otp", args=[otp_id], queue="otp")
        until(lambda: state_of(engine, otp_id).state is OtpState.ACCEPTED, "the code's way out")
        until(lambda: sum(event["type"] == "task-succeeded" for event in seen) >= 2, "both events")
        with engine.begin() as connection:
            connection.execute(text("UPDATE sms.otps SET poll_at = now(), sent_at = sent_at - interval '30 seconds'"))
        app.send_task("campaigns.follow_otps", queue="poll")
        until(lambda: state_of(engine, otp_id).call_state is OtpState.ACCEPTED, "the call")

    assert sandbox.summary()["messages"] == 2
    assert {event["args"] for event in seen if event["type"] == "task-received"} >= {f"[{otp_id}]"}
    results = sorted(event["result"] for event in seen if event["type"] == "task-succeeded")[:3]
    assert "'accepted'" in results
    assert silent(repr(seen) + log.read_text())


def test_an_app_without_a_database_cannot_order_because_codes_do_not_travel(described_tasks: set[str]) -> None:
    assert {name for name in described_tasks if "otp" in name} == {"campaigns.send_otp", "campaigns.follow_otps"}


@pytest.fixture
def described_tasks() -> set[str]:
    """The names of all tasks, from a process of its own."""
    script = "import json, sys\nfrom kavenegar_worker.tasks import app\njson.dump(list(app.tasks), sys.stdout)"
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere", "BROKER_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **nowhere},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))
