"""The Celery app: the configuration that survived the faults, tasks under their names, and rings that are ids only."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import redis
from sqlalchemy import Engine

import campaigns_devkit
from tests.conftest import _create
from tests.own_process import answer_of
from tests.world import batch_ids, numbers, running

# What losing nothing demands, and what Celery does without it.
DEMANDED: dict[str, Any] = {
    "broker_connection_retry_on_startup": True,  # start order matters
    "broker_connection_max_retries": None,  # gives up after 100
    "task_ignore_result": True,
    "result_backend": None,
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,  # makes unknown outcomes
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": False,  # halves the throughput of threads
    "task_serializer": "json",
    "accept_content": ["json"],
    "event_serializer": "json",
    "task_create_missing_queues": False,
    "worker_send_task_events": True,
    "task_send_sent_event": False,
    "worker_hijack_root_logger": False,
    "timezone": "UTC",
    "enable_utc": True,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
    # Deliberately absent: threads cannot be stopped, Redis doubles what waits, a rate is kept elsewhere.
    "task_time_limit": None,
    "task_soft_time_limit": None,
    "worker_max_tasks_per_child": None,
    "task_default_rate_limit": None,
    "task_annotations": None,
    "beat_scheduler": "kavenegar_worker.process:Scheduler",
}
TRANSPORT = {
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
}
# The names that two of them had in the version before: its processes may still publish them.
OLD_TASKS = {"campaigns.heed_callbacks", "campaigns.hand_inbound"}
TASKS = {
    "campaigns.tick",
    "campaigns.chores",
    "campaigns.send_batch",
    "campaigns.resolve_batch",
    "campaigns.withdraw_batch",
    "campaigns.poll_statuses",
    "campaigns.confirm_callbacks",
    "campaigns.check_account",
    "campaigns.check_database",
    "campaigns.watch_account",
    "campaigns.keep_ledger",
    "campaigns.sync_suppressions",
    "campaigns.send_otp",
    "campaigns.follow_otps",
    "campaigns.pull_inbox",
    "campaigns.deliver_inbound",
    "campaigns.create",
    "campaigns.resume",
}
QUEUES = {"otp", "send", "poll", "inbox", "maint"}

DESCRIBE = """
import json, sys
from kavenegar_worker.app import app
app.loader.import_default_modules()
app.finalize()
conf = app.conf
json.dump({
    "conf": {name: conf[name] for name in json.loads(sys.argv[1])},
    "transport": conf["broker_transport_options"],
    "queues": {queue.name: [queue.exchange.type, queue.routing_key] for queue in conf["task_queues"]},
    "tasks": {name: [task.acks_late, task.rate_limit, task.max_retries, task.ignore_result]
              for name, task in app.tasks.items() if not name.startswith("celery.")},
    "routes": conf["task_routes"],
    "beat": conf["beat_schedule"],
}, sys.stdout)
"""
TICK = """
import json, sys
import redis
from kavenegar_worker import wiring
from kavenegar_worker.tasks import app, send_batch, tick
broker = redis.Redis.from_url(wiring.endpoints().broker_url)
queues = ("otp", "send", "poll", "inbox", "maint")
waiting = lambda: {name: [raw.decode() for raw in broker.lrange(name, 0, -1)] for name in queues}
results = {"summary": tick(), "first": waiting()}
broker.flushall()
while tick() == "another tick was just now":
    pass
results["after a flush"] = waiting()
try:
    send_batch.apply_async((1,), queue="sned")
except LookupError as why:
    results["misspelt"] = type(why).__name__
results["keys"] = sorted(key.decode() for key in broker.keys())
json.dump(results, sys.stdout)
"""
TICK_WITHOUT_BROKER = """
import json, sys, time
from kavenegar_worker.queues import Publisher
from kavenegar_worker.tasks import send_batch
began, publish = time.monotonic(), Publisher()
for _ in range(10):
    publish(send_batch, [(each,) for each in range(10)])
json.dump({"seconds": time.monotonic() - began}, sys.stdout)
"""


def run(script: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """What a process of its own tells; it has no environment but this."""
    found: dict[str, Any] = answer_of("-c", script, *arguments, **environment)
    return found


NOWHERE = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "KAVENEGAR_API_KEY": "4A6B7C8D9E0F",
    "KAVENEGAR_BASE_URL": "http://127.0.0.1:1",
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The app as a process finds it that can reach neither database nor broker."""
    return run(DESCRIBE, json.dumps(list(DEMANDED)), **NOWHERE)


@pytest.mark.parametrize("name", DEMANDED)
def test_the_configuration_is_the_one_that_survived_the_faults(described: dict[str, Any], name: str) -> None:
    assert described["conf"][name] == DEMANDED[name]


@pytest.mark.parametrize("name", TRANSPORT)
def test_nothing_waits_for_the_broker_for_ever(described: dict[str, Any], name: str) -> None:
    assert described["transport"][name] == TRANSPORT[name]


def test_the_broker_gives_no_lost_ring_back_for_a_while_and_needs_no_prefix_or_steps(described: dict[str, Any]) -> None:
    assert 60 <= described["transport"]["visibility_timeout"] <= 600
    assert not {"global_keyprefix", "priority_steps"} & set(described["transport"])


def test_every_task_is_registered_under_its_name_and_retries_nothing_by_itself(described: dict[str, Any]) -> None:
    assert set(described["tasks"]) == TASKS | OLD_TASKS
    for acks_late, rate_limit, _, ignore_result in described["tasks"].values():
        assert (acks_late, rate_limit, ignore_result) == (False, None, True)


def test_the_queues_are_plain_and_sends_wait_behind_nothing_else(described: dict[str, Any]) -> None:
    assert {name: kind for name, (kind, _) in described["queues"].items()} == dict.fromkeys(QUEUES, "direct")
    assert described["routes"]["campaigns.send_batch"] == {"queue": "send"}
    assert described["routes"]["campaigns.poll_statuses"] == {"queue": "poll"}
    assert {route["queue"] for route in described["routes"].values()} <= QUEUES
    assert set(described["routes"]) <= TASKS


def test_the_beat_ticks_every_second_on_the_steady_clock(described: dict[str, Any]) -> None:
    tick = described["beat"]["tick"]
    assert tick["task"] == "campaigns.tick"
    assert tick["schedule"] == 1.0
    assert tick["options"] == {"queue": "maint"}
    assert described["conf"]["beat_scheduler"] == "kavenegar_worker.process:Scheduler"


def test_the_beat_rings_for_chores_and_for_nothing_that_is_an_order(described: dict[str, Any]) -> None:
    assert {each["task"] for each in described["beat"].values()} == {"campaigns.tick", "campaigns.chores"}
    assert described["beat"]["chores"]["options"] == {"queue": "maint"}


# ── what is really on the wire ──


ACCEPTED_LONG_AGO = """
    UPDATE sms.messages SET state = 'accepted', gateway_id = id;
    UPDATE sms.batches SET state = 'accepted', pending = 0, accepted = 200, poll_at = now(),
                           accepted_at = now() - interval '30 hours', closes_at = now() + interval '18 hours';
    UPDATE sms.batches SET closes_at = now() + interval '9 minutes' WHERE id = (SELECT min(id) FROM sms.batches)
"""


@pytest.fixture(scope="module")
def published(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One tick of a process with 600 messages to send, and another after the broker was flushed."""
    return _publish(request, "rung")


@pytest.fixture(scope="module")
def published_polls(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The same where the gateway has the 600 messages, and 200 of them will soon be too old to be asked about."""
    return _publish(request, "rung_for_polls", ACCEPTED_LONG_AGO)


def _publish(request: pytest.FixtureRequest, database: str, story: str = "SELECT") -> dict[str, Any]:
    servers: campaigns_devkit.Attached = request.getfixturevalue("servers")
    engine: Engine = _create(servers, database, request.getfixturevalue("_template"))
    with redis.Redis.from_url(str(servers.broker_url)) as broker:
        broker.flushall()
    campaign = running(engine, 600, text="متن محرمانه برای {name}")
    with engine.begin() as connection:
        connection.exec_driver_sql(story)
    seen = run(
        TICK,
        DATABASE_URL=engine.url.render_as_string(hide_password=False),
        BROKER_URL=str(servers.broker_url),
        KAVENEGAR_API_KEY="4A6B7C8D9E0F",
        KAVENEGAR_BASE_URL="http://127.0.0.1:1",
        REENQUEUE_AFTER="1ms",
    )
    seen["batches"] = batch_ids(engine, campaign)
    engine.dispose()
    return seen


def bodies(messages: list[str]) -> list[Any]:
    return [json.loads(base64.b64decode(json.loads(raw)["body"])) for raw in messages]


def test_a_ring_carries_one_id_and_nothing_else(published: dict[str, Any]) -> None:
    assert published["summary"] == "send 3"
    found = bodies(published["first"]["send"])
    assert sorted(arguments[0] for arguments, _, _ in found) == published["batches"]
    assert all(len(arguments) == 1 and keywords == {} for arguments, keywords, _ in found)
    assert all(published["first"][queue] == [] for queue in QUEUES - {"send"})


def test_flower_finds_the_campaign_of_a_batch_in_the_message_and_the_messages_of_the_batch(
    published: dict[str, Any],
) -> None:
    seen = [json.loads(raw)["headers"]["kwargsrepr"] for raw in reversed(published["first"]["send"])]
    assert seen == [f"{{'campaign': 1, 'messages': '{first}-{first + 199}/600'}}" for first in (1, 201, 401)]


def test_flower_is_told_that_a_poll_is_for_windows_about_to_close(published_polls: dict[str, Any]) -> None:
    seen = {json.loads(raw)["headers"]["kwargsrepr"] for raw in published_polls["first"]["poll"]}
    assert seen == {"{}", "{'closing': True}"}


def test_a_poll_is_rung_for_without_any_id_and_says_whether_windows_are_about_to_close(
    published_polls: dict[str, Any],
) -> None:
    assert published_polls["summary"] == "poll 2 closing 1"
    found = bodies(published_polls["first"]["poll"])
    assert sorted(arguments for arguments, _, _ in found) == [[], [True]]
    assert all(keywords == {} for _, keywords, _ in found)


def test_no_number_and_no_text_is_anywhere_in_a_raw_message(published: dict[str, Any]) -> None:
    for raw in published["first"]["send"]:
        whole = json.dumps(json.loads(raw), ensure_ascii=False) + json.dumps(bodies([raw]), ensure_ascii=False)
        assert not any(number[1:] in whole for number in numbers(600))
        assert "محرمانه" not in whole
        assert "4A6B7C8D9E0F" not in whole


def test_a_ring_carries_no_moment_that_two_hosts_would_have_to_agree_on(published: dict[str, Any]) -> None:
    for raw in published["first"]["send"]:
        message = json.loads(raw)
        assert (message["headers"]["expires"], message["headers"]["eta"]) == (None, None)
        assert (message["headers"]["retries"], message["headers"]["timelimit"]) == (0, [None, None])
        assert message["content-type"] == "application/json"


def test_a_flushed_broker_loses_the_rings_in_it_and_none_after_it(published: dict[str, Any]) -> None:
    """What is published to a named exchange vanishes once a flush has taken its bindings, and nobody is told."""
    assert sorted(arguments[0] for arguments, *_ in bodies(published["after a flush"]["send"])) == published["batches"]
    assert all(json.loads(raw)["properties"]["delivery_info"]["exchange"] == "" for raw in published["first"]["send"])


def test_a_misspelt_queue_is_an_error_and_not_a_queue_that_nobody_reads(published: dict[str, Any]) -> None:
    assert published["misspelt"] == "QueueNotFound"
    assert "sned" not in published["keys"]


def test_a_broker_that_is_down_costs_a_tick_a_moment_and_no_exception() -> None:
    assert run(TICK_WITHOUT_BROKER, **NOWHERE)["seconds"] < 20
