"""What Prometheus is told: true figures, to whoever knows the password, also while half of the system is away."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from campaigns_devkit import servers
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.store import due
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_worker import wiring
from kavenegar_worker.metrics import MetricsCollector, bind_metrics_server, metrics_application
from kavenegar_worker.metrics.families import DATABASE_METRICS, PACE_METRICS, UP
from kavenegar_worker.settings import load
from tests.store.given import NOW, accepted, draft
from tests.waiting import until
from tests.web import TOKEN
from tests.web import served as on_the_web
from tests.worker.conftest import Command
from tests.world import Sandbox, numbers, run_due_work, running

WHO = ("prometheus", "hunter2:with a colon")
NAME_AND_PASSWORD = ":".join(WHO)
NAMES = {UP.name} | {family.name for family in PACE_METRICS} | {family.name for family in DATABASE_METRICS}
Samples = dict[tuple[str, str], float]
Scrape = Callable[[], Samples]


@contextmanager
def served(figures: MetricsCollector) -> Iterator[str]:
    """The address of a process's server."""
    with on_the_web(metrics_application(figures, NAME_AND_PASSWORD), listening=bind_metrics_server) as url:
        yield url


def scraped(url: str) -> Samples:
    """Every sample by its name and the value of its one label, as Prometheus itself reads them."""
    answer = requests.get(f"{url}/metrics", auth=WHO, timeout=30)
    assert answer.ok, answer.text
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            assert len(sample.labels) <= 1
            found[sample.name, "".join(sample.labels.values())] = sample.value
    return found


@pytest.fixture
def url(context: Context) -> Iterator[str]:
    """Where the metrics of the installation are."""
    with served(MetricsCollector(lambda: context.pace, context.database)) as address:
        yield address


# ── the figures ──


def test_every_metric_is_there_and_nothing_has_happened_yet(url: str) -> None:
    found = scraped(url)

    missing = {"kavenegar_pace_learnt_calls_per_second", "kavenegar_pace_refused_calls_per_second",
               "kavenegar_pace_learnt_age_seconds", "kavenegar_account_credit_rial",
               "kavenegar_account_debug_mode", "kavenegar_callback_age_seconds"}  # fmt: skip
    assert {name for name, _ in found} == NAMES - missing
    assert found["kavenegar_up", "redis"] == found["kavenegar_up", "postgresql"] == 1
    assert found["kavenegar_tick_age_seconds", ""] == float("inf")
    exposition = {name: value for (name, _), value in found.items() if value}
    assert set(exposition) == {
        "kavenegar_up", "kavenegar_tick_age_seconds",
        "kavenegar_pace_calls_per_second", "kavenegar_pace_max_calls_per_second",
    }  # fmt: skip


def test_the_pace_is_told_as_it_is(url: str, context: Context) -> None:
    context.pace.take(Lane.POLL)
    context.pace.report_throttled(context.pace.take(Lane.SEND), 451, 60)
    context.pace.report_throttled(context.pace.reserve(Lane.OTP, max_wait_s=60), 409, 300)

    found, view = scraped(url), context.pace.view()

    assert found["kavenegar_pace_calls_per_second", ""] == pytest.approx(view.rate)
    assert view.rate < found["kavenegar_pace_max_calls_per_second", ""] == 500
    assert found["kavenegar_pace_fixed", ""] == 0
    assert found["kavenegar_pace_pause_code", ""] == 409
    assert 200 < found["kavenegar_pace_pause_seconds", ""] <= 300
    assert found["kavenegar_pace_refusals_last_hour", ""] == view.refusals == 1
    assert found["kavenegar_pace_pauses_last_hour", ""] == view.pauses >= 1
    assert found["kavenegar_pace_queue_seconds", ""] == pytest.approx(view.queue_s, abs=5)
    assert found["kavenegar_pace_calls_last_minute", "poll"] == 1
    assert view.learnt is not None
    assert found["kavenegar_pace_refused_calls_per_second", ""] == pytest.approx(view.learnt.refused)


def test_what_waits_is_counted_by_its_state(url: str, context: Context, engine: Engine) -> None:
    running(engine, 1000)
    held = running(engine, 500)
    accepted(engine, 400, now=NOW)
    with engine.begin() as connection:
        draft(connection, 3)
        campaigns.pause(connection, held)
        connection.execute(
            text("UPDATE sms.batches SET due_at = now() - interval '1 h' WHERE campaign_id = :held"), {"held": held}
        )
        due.record_heartbeat(connection, now=context.now())
        some = f"(SELECT id FROM sms.batches WHERE state = 'ready' AND campaign_id <> {held} ORDER BY id LIMIT 2)"
        connection.execute(
            text(f"UPDATE sms.batches SET state = 'unknown', due_at = now() - interval '90 s' WHERE id IN {some}")
        )
        connection.execute(text("UPDATE sms.installation SET credit_rial = 1234567"))

    found = scraped(url)

    by_state = {state: found["kavenegar_campaigns", state] for state in ("draft", "running", "paused", "scheduled")}
    assert by_state == {"draft": 1, "running": 2, "paused": 1, "scheduled": 0}
    assert {state: found["kavenegar_batches", state] for state in ("ready", "claimed", "unknown")} == {
        "ready": 6, "claimed": 0, "unknown": 2,
    }  # fmt: skip
    assert 90 <= found["kavenegar_batches_overdue_seconds", "unknown"] < 300
    assert found["kavenegar_batches_overdue_seconds", "ready"] < 90
    assert found["kavenegar_batches_overdue_seconds", "claimed"] == 0
    assert found["kavenegar_polls_overdue", ""] == 2
    assert found["kavenegar_polls_overdue_seconds", ""] > 86400
    assert found["kavenegar_tick_age_seconds", ""] < 60
    assert found["kavenegar_account_credit_rial", ""] == 1_234_567


def test_an_account_on_hold_and_uncertain_messages_are_told(
    url: str, context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    lost = accepted(engine, 150, now=context.now())
    sandbox.set_credit(0)
    running(engine, 3)
    run_due_work(context)
    with engine.begin() as connection:
        connection.execute(
            text("""UPDATE sms.batches SET state = 'uncertain', uncertain = accepted, accepted = 0, poll_at = NULL
                     WHERE campaign_id = :lost"""),
            {"lost": lost},
        )

    found = scraped(url)

    assert (found["kavenegar_account_on_hold", ""], found["kavenegar_account_hold_code", ""]) == (1, 418)
    assert found["kavenegar_messages_uncertain", ""] == 150


# ── while something is away ──


def test_with_redis_away_the_database_is_still_told(context: Context) -> None:
    nowhere = wiring.build_throttle(load({}), "redis://127.0.0.1:1/0", "nobody")
    with served(MetricsCollector(lambda: nowhere, context.database)) as url:
        found = scraped(url)

    assert (found["kavenegar_up", "redis"], found["kavenegar_up", "postgresql"]) == (0, 1)
    assert {name for name, _ in found} & {family.name for family in PACE_METRICS} == set()
    assert ("kavenegar_batches", "ready") in found


def test_with_postgresql_away_the_pace_is_still_told(context: Context) -> None:
    nowhere = make_engine("postgresql+psycopg://somebody:hunter2@127.0.0.1:1/nowhere")
    with served(MetricsCollector(lambda: context.pace, Database(nowhere, patience_s=0))) as url:
        found = scraped(url)

    assert (found["kavenegar_up", "redis"], found["kavenegar_up", "postgresql"]) == (1, 0)
    assert {name for name, _ in found} & {family.name for family in DATABASE_METRICS} == set()
    assert ("kavenegar_pace_calls_per_second", "") in found


def test_a_database_without_our_tables_is_as_good_as_away(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA sms CASCADE"))
    assert scraped(url)["kavenegar_up", "postgresql"] == 0


# ── who may ask ──


@pytest.mark.parametrize(
    "authorization",
    [
        {},
        {"Authorization": "Basic"},
        {"Authorization": "Basic ****"},
        {"Authorization": "Basic cHJvbWV0aGV1czpodW50ZXIy"},  # the right name, and a part of the password
        {"Authorization": "Bearer cHJvbWV0aGV1czpodW50ZXIyOndpdGggYSBjb2xvbg=="},  # right, and not basic
        {"Authorization": "Basic \xff\xfe"},
    ],
)
def test_whoever_does_not_know_the_password_is_told_nothing(url: str, authorization: dict[str, str]) -> None:
    answer = requests.get(f"{url}/metrics", headers=authorization, timeout=30)

    assert (answer.status_code, answer.text) == (401, "Unauthorized\n")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_nothing_but_the_metrics_and_a_sign_of_life_is_there_and_only_to_be_read(url: str) -> None:
    assert (requests.get(f"{url}/healthz", timeout=30)).text == "OK\n"
    assert requests.get(f"{url}/", auth=WHO, timeout=30).status_code == 404
    assert requests.get(f"{url}/metrics/../etc", auth=WHO, timeout=30).status_code == 404
    assert requests.post(f"{url}/metrics", auth=WHO, timeout=30).status_code == 405
    assert requests.delete(f"{url}/healthz", timeout=30).status_code == 405


def test_a_client_that_says_nothing_keeps_nobody_waiting(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30):
        assert ("kavenegar_up", "redis") in scraped(url)


def test_no_name_number_text_or_key_is_among_the_metrics(url: str, engine: Engine, sandbox: Sandbox) -> None:
    running(engine, 50, name="بهار محرمانه", text="متن محرمانه")

    exposition = requests.get(f"{url}/metrics", auth=WHO, timeout=30).text

    assert "محرمانه" not in exposition
    assert not any(number[1:] in exposition for number in numbers(50))
    assert sandbox.api_key not in exposition
    assert "hunter2" not in exposition


# ── the process ──


@contextmanager
def process(command: Command, **environment: str | None) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = servers.find_free_port()
    running_ = command.start("metrics", METRICS_PORT=str(port), **environment)
    assert running_.stdout is not None
    try:
        assert running_.stdout.readline().decode() == f"metrics at http://127.0.0.1:{port}/metrics\n"
        yield running_, f"http://127.0.0.1:{port}"
    finally:
        running_.kill()
        running_.communicate(timeout=30)


@pytest.mark.parametrize("served", ["metrics", "web"])
def test_a_process_that_serves_names_the_settings_that_are_set_by_their_old_names(
    command: Command, served: str
) -> None:
    ports = {f"{served}_PORT".upper(): str(servers.find_free_port())}
    secrets = {"METRICS_BASIC_AUTH": NAME_AND_PASSWORD, "CALLBACK_TOKEN": TOKEN}
    running_ = command.start(served, CALLBACK_PARKED="900000", **ports, **secrets)
    assert running_.stdout is not None
    try:
        running_.stdout.readline()
        running_.send_signal(signal.SIGINT)
        _, said = running_.communicate(timeout=30)
    finally:
        running_.kill()

    assert b"CALLBACK_PARKED" in said
    assert b"CALLBACK_BACKLOG_MAX" in said


def test_the_process_tells_the_pace_of_the_workers_without_holding_their_key(
    command: Command, broker_url: str, tmp_path: Path
) -> None:
    wiring.build_throttle(load({}), broker_url, wiring.account_label("the context", "default")).take(Lane.OTP)
    (tmp_path / "auth").write_text(f"{NAME_AND_PASSWORD}\n")

    secret = {"METRICS_BASIC_AUTH_FILE": str(tmp_path / "auth"), "PACE_NAME": "the context", "KAVENEGAR_API_KEY": None}
    with process(command, **secret) as (server, url):
        found = scraped(url)
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=30)

    assert found["kavenegar_pace_calls_last_minute", "otp"] == 1
    assert (server.returncode, said) == (130, b"campaigns: interrupted\n")


def test_the_process_goes_on_through_a_restart_of_what_it_reads(command: Command, broker_url: str) -> None:
    with process(command, METRICS_BASIC_AUTH=NAME_AND_PASSWORD) as (_, url):
        assert scraped(url)["kavenegar_up", "redis"] == 1
        with connect_redis(broker_url) as broker:
            broker.script_flush()
            broker.flushall()
            broker.client_kill_filter(_type="normal", skipme=True)
        assert scraped(url)["kavenegar_up", "redis"] == 1


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "METRICS_BASIC_AUTH is not set"),
        ({"METRICS_BASIC_AUTH": "nopassword"}, "METRICS_BASIC_AUTH"),
        ({"METRICS_BASIC_AUTH": "a:b", "BROKER_URL": None}, "BROKER_URL"),
        ({"METRICS_BASIC_AUTH": "a:b", "METRICS_ADDRESS": "192.0.2.1"}, "192.0.2.1:9540 cannot be had"),
        ({"METRICS_BASIC_AUTH": "a:b", "METRICS_PORT": "port"}, "METRICS_PORT"),
    ],
)
def test_the_process_says_what_is_missing_and_does_not_start(
    command: Command, environment: dict[str, str | None], named: str
) -> None:
    said = command("metrics", **environment)

    assert said.exit == 2
    assert named in said.sentence
    assert "nopassword" not in said.err


# ── beside the callbacks ──


def test_web_serves_the_metrics_beside_the_callbacks_to_whoever_knows_the_password(
    command: Command, engine: Engine
) -> None:
    with web_process(command, METRICS_BASIC_AUTH=NAME_AND_PASSWORD) as url:
        found = scraped(url)
        assert found["kavenegar_up", "redis"] == found["kavenegar_up", "postgresql"] == 1
        assert {"kavenegar_batches", "kavenegar_pace_calls_per_second"} <= {name for name, _ in found}
        assert requests.get(f"{url}/metrics", timeout=30).status_code == 401
        assert requests.post(f"{url}/metrics", auth=WHO, timeout=30).status_code == 405
        exposition = requests.get(f"{url}/callbacks/{TOKEN}/status", {"messageid": 7, "status": 10}, timeout=30)
        assert exposition.status_code == 200
        assert requests.get(f"{url}/healthz", timeout=30).text == "OK\n"


def test_web_has_no_metrics_without_a_password_for_them(command: Command, engine: Engine) -> None:
    with web_process(command) as url:
        assert requests.get(f"{url}/metrics", auth=WHO, timeout=30).status_code == 404


def test_web_needs_no_key_for_its_metrics_which_then_say_that_the_pace_is_unknown(
    command: Command, engine: Engine
) -> None:
    with web_process(command, METRICS_BASIC_AUTH=NAME_AND_PASSWORD, KAVENEGAR_API_KEY=None) as url:
        found = scraped(url)
    assert (found["kavenegar_up", "redis"], found["kavenegar_up", "postgresql"]) == (0, 1)


@contextmanager
def web_process(command: Command, **environment: str | None) -> Iterator[str]:
    port = servers.find_free_port()
    running_ = command.start("web", WEB_PORT=str(port), CALLBACK_TOKEN=TOKEN, **environment)
    try:
        until(lambda: servers.accepts_connections(port), "the port being taken")
        yield f"http://127.0.0.1:{port}"
    finally:
        running_.kill()
        running_.communicate(timeout=30)
