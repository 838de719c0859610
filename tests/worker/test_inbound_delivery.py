"""The user's own Celery task: enqueued with an id and nothing else, again at growing
intervals, and never without bound."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import redis
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.store import inbound
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from kavenegar_worker.inbound_delivery import BACKLOG_THRESHOLD, MAX_QUEUED, REDELIVER_IN_BACKLOG_AFTER
from tests.own_process import answer_of
from tests.store.given import NOW

RUN = """
import json, sys
from kavenegar_worker import wiring
from kavenegar_worker.tasks import deliver_inbound
json.dump([deliver_inbound() for _ in range(int(sys.argv[1]))], sys.stdout)
"""


def run_delivery(database_url: str, broker_url: str, times: int = 1, **environment: str) -> list[str]:
    """What a worker's task says that hands over, in a process of its own."""
    surroundings = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": "4A6B7C8D9E0F",
        "KAVENEGAR_BASE_URL": "http://127.0.0.1:1",
        "INBOX_TASK": "shop.answered",
    }
    summaries: list[str] = answer_of("-c", RUN, str(times), **(surroundings | environment))
    return summaries


def wrote(engine: Engine, count: int) -> None:
    arrivals = [Arrival(id_, "09123334455", "راز", NOW) for id_ in range(1, count + 1)]
    with engine.begin() as connection:
        now = connection.exec_driver_sql("SELECT now()").scalar_one()
        inbound.store_new(connection, "10004346", arrivals, via=Via.RECEIVE, watch=InboundPolicy(deliver=True), now=now)


def queued(broker_url: str, queue: str) -> list[dict[str, Any]]:
    with redis.Redis.from_url(broker_url) as broker:
        return [json.loads(raw) for raw in broker.lrange(queue, 0, -1)]


def arguments(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))[0]


@pytest.mark.parametrize(("settings", "queue"), [({}, "celery"), ({"INBOX_TASK_QUEUE": "shop"}, "shop")])
def test_the_users_task_is_rung_by_its_name_on_its_queue_with_the_id_alone(
    engine: Engine, database_url: str, broker_url: str, settings: dict[str, str], queue: str
) -> None:
    wrote(engine, 3)

    assert run_delivery(database_url, broker_url, 2, **settings) == ["3 enqueued", "0 enqueued"]

    found = queued(broker_url, queue)
    assert sorted(arguments(message) for message in found) == [[1], [2], [3]]
    assert {message["headers"]["task"] for message in found} == {"shop.answered"}
    assert {(message["headers"]["expires"], message["headers"]["eta"]) for message in found} == {(None, None)}
    assert {message["properties"]["delivery_info"]["exchange"] for message in found} == {""}
    raw = json.dumps(found, ensure_ascii=False) + "".join(str(base64.b64decode(message["body"])) for message in found)
    assert "9123334455" not in raw
    assert "راز" not in raw


def test_a_ring_that_is_lost_is_rung_again_and_one_that_was_taken_is_not(
    engine: Engine, database_url: str, broker_url: str
) -> None:
    wrote(engine, 2)
    run_delivery(database_url, broker_url)
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushall()
    with engine.begin() as connection:
        campaigns.acknowledge(connection, 1)
        connection.exec_driver_sql(
            "UPDATE sms.inbound SET next_delivery_at = next_delivery_at - interval '1 minute' "
            "WHERE acknowledged_at IS NULL"
        )

    run_delivery(database_url, broker_url)

    assert [arguments(message) for message in queued(broker_url, "celery")] == [[2]]


def test_a_queue_that_nobody_consumes_does_not_grow_without_end(
    engine: Engine, database_url: str, broker_url: str
) -> None:
    wrote(engine, MAX_QUEUED + 500)

    assert run_delivery(database_url, broker_url, 3) == [f"{MAX_QUEUED} enqueued", "0 enqueued", "0 enqueued"]
    with engine.connect() as connection:
        assert inbound.count_unacknowledged(connection) == (MAX_QUEUED + 500, 0)


def test_a_consumer_that_is_slow_is_not_rung_again_for_what_waits_in_its_queue_already(
    engine: Engine, database_url: str, broker_url: str
) -> None:
    wrote(engine, BACKLOG_THRESHOLD)
    assert run_delivery(database_url, broker_url) == [f"{BACKLOG_THRESHOLD} enqueued"]
    _later(engine, minutes=2)
    assert run_delivery(database_url, broker_url) == ["0 enqueued"]

    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE sms.inbound SET delivery_attempts = 0 WHERE gateway_id = 7"
        )  # one that is new
    assert run_delivery(database_url, broker_url) == ["1 enqueued"]
    assert arguments(queued(broker_url, "celery")[0]) == [7]

    _later(engine, minutes=REDELIVER_IN_BACKLOG_AFTER.total_seconds() / 60 + 2)
    assert run_delivery(database_url, broker_url) == [f"{BACKLOG_THRESHOLD} enqueued"]


def test_what_a_consumer_took_out_and_did_not_say_that_it_took_is_rung_for_again_soon(
    engine: Engine, database_url: str, broker_url: str
) -> None:
    wrote(engine, BACKLOG_THRESHOLD)
    run_delivery(database_url, broker_url)
    with redis.Redis.from_url(broker_url) as broker:
        broker.rpop("celery")
    _later(engine, minutes=2)

    assert run_delivery(database_url, broker_url) == [f"{BACKLOG_THRESHOLD} enqueued"]


def _later(engine: Engine, *, minutes: float) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE sms.inbound SET next_delivery_at = next_delivery_at - interval '{minutes} minutes'"
        )


def test_a_broker_that_is_down_costs_a_moment_and_no_exception(engine: Engine, database_url: str) -> None:
    wrote(engine, 1)

    assert run_delivery(database_url, "redis://127.0.0.1:1/0") == ["0 enqueued"]
