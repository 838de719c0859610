"""What the doctor says of a dispatcher that does not tick: who is missing, as far as the ticks come."""

from __future__ import annotations

import time

import pytest
import redis
from sqlalchemy import Engine, text

from kavenegar_worker import queues
from tests.worker.conftest import Command


def dispatcher(command: Command) -> dict[str, str]:
    """The doctor's finding about the dispatcher."""
    (found,) = (each for each in command("doctor", "--json").answer["findings"] if each["name"] == "dispatcher")
    return {str(key): str(value) for key, value in found.items()}


def test_where_no_beat_runs_it_is_beat_that_is_missing(command: Command) -> None:
    found = dispatcher(command)
    assert found["level"] == "warn"
    assert "no tick has reached this database yet: no beat has given a sign of life for 30 s" in found["says"]
    assert "celery -A kavenegar_worker beat" in found["do"]


def test_where_ticks_wait_it_is_a_worker_that_is_missing(command: Command, broker_url: str) -> None:
    with redis.Redis.from_url(broker_url) as broker:
        assert queues.record_beat(broker, "maint") == 0
        broker.lpush("maint", "a tick", "another")
    found = dispatcher(command)
    assert "beat runs, and 2 messages wait in the queue maint that no worker takes" in found["says"]
    assert found["do"].startswith("start a worker for the queues")


def test_where_ticks_are_taken_and_none_arrives_it_is_not_said_that_beat_or_a_worker_is_missing(
    command: Command, engine: Engine, broker_url: str
) -> None:
    """As when workers of an older version discard what their clocks think is late, or work on another database."""
    with redis.Redis.from_url(broker_url) as broker:
        queues.record_beat(broker, "maint")
    assert "it has never run" not in dispatcher(command)["says"]
    assert "beat publishes ticks and a worker takes them, but none" in dispatcher(command)["says"]
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.installation SET ticked_at = now() - interval '10 minutes'"))
    found = dispatcher(command)
    assert "it has been silent for 10 min: beat publishes ticks and a worker takes them, but none" in found["says"]
    assert "logs" in found["do"]


@pytest.mark.parametrize("ahead_s", [-3600.0, 0.0, 6.0])
def test_what_time_it_is_where_beat_runs_is_read_off_its_sign_of_life(broker_url: str, ahead_s: float) -> None:
    with redis.Redis.from_url(broker_url, decode_responses=True) as broker:
        assert queues.read_beat_clock(broker) is None
        before = time.time()
        broker.set(queues.BEAT_KEY, repr(before + ahead_s - 10), px=(queues.BEAT_EXPIRES_S - 10) * 1000)
        beat_s = queues.read_beat_clock(broker)
        assert beat_s is not None
        assert before - 0.01 < beat_s - ahead_s < time.time() + 0.01


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    ],
)
def test_a_broker_that_takes_no_writes_is_what_is_wrong_and_not_a_missing_beat(
    command: Command, broker_url: str, spoil: tuple[str, ...], mend: tuple[str, ...]
) -> None:
    with redis.Redis.from_url(broker_url) as broker:
        broker.execute_command(*spoil)
        try:
            findings = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}
        finally:
            broker.execute_command(*mend)

    assert findings["broker"]["level"] == "bad"
    assert findings["broker"]["says"].startswith("it answers, and takes no writes")
    assert "let CAMPAIGNS_BROKER_URL lead to the primary" in findings["broker"]["do"]
    assert "takes no writes" in findings["dispatcher"]["says"]
    assert "beat" not in findings["dispatcher"]["do"]
