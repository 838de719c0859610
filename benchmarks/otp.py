"""One-time passwords at no load: from the order to the acceptance on record, beside a bare POST of the same call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from statistics import quantiles
from typing import Final

import requests
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from benchmarks.bench import Bench, Gateway, Unfinished
from benchmarks.figures import Row, Table, ratio
from campaigns_devkit import SANDBOX_API_KEY
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.otp_request import parse_otp_request
from kavenegar_campaigns.stages.otp.send import send_at_once
from kavenegar_campaigns.store.database import Database

RATE: Final = 1000.0
LOOK_EVERY_S: Final = 0.001
AT_MOST_S: Final = 30.0
BY_THE_TICK: Final = "ordered in a transaction"
GOLDEN_RATIO: Final = 0.618
NUMBER: Final = "09121234567"
CODE: Final = "481516"

_NOTE: Final = (
    "The ways take turns, one code at a time. The bare POST is requests with a connection kept alive: no order on "
    "record, no pace, no claim. The straight call makes five short transactions in PostgreSQL and takes a slot in "
    "Valkey beside the same POST. An order in a transaction is found by the tick, which beat publishes each second, "
    "and is looked for every millisecond; orders are spread over that second."
)

Code = Callable[[], object]
_keys = count(1)


def measure(bench: Bench, codes: int, latency_ms: float = 0.0) -> list[Table]:
    """A row for each way. Every code must be accepted, and the gateway must have as many messages as were sent."""
    with bench.database() as engine, bench.gateway(latency_ms=latency_ms) as gateway:
        with _ways(bench, engine, gateway) as ways:
            for send_one in ways.values():
                send_one()  # what is made once, such as connections, is made
            took: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(codes):
                for name, send_one in ways.items():
                    if name == BY_THE_TICK:  # otherwise each order would come just after the tick that took the last
                        time.sleep(number * GOLDEN_RATIO % 1)
                    took[name].append(_took_ms(send_one))
        if gateway.summary()["messages"] != len(ways) * (codes + 1):
            raise Unfinished("the gateway has not as many messages as codes were sent")
    return [Table(f"otp: {codes} codes each way, a gateway of {latency_ms:.0f} ms", _rows(took), _NOTE)]


def _rows(took: dict[str, list[float]]) -> list[Row]:
    percentiles = {name: quantiles(each, n=100) for name, each in took.items()}
    bare = next(iter(percentiles.values()))
    return [
        {
            "way": name,
            "p50 ms": each[49],
            "p99 ms": each[98],
            "max ms": max(took[name]),
            "× bare p50": ratio(each[49], bare[49]),
            "× bare p99": ratio(each[98], bare[98]),
        }
        for name, each in percentiles.items()
    ]


def _took_ms(send_one: Code) -> float:
    began = time.perf_counter()
    send_one()
    return (time.perf_counter() - began) * 1000


@contextmanager
def _ways(bench: Bench, engine: Engine, gateway: Gateway) -> Iterator[dict[str, Code]]:
    """The bare POST comes first."""
    database = Database(engine)
    pace = Throttle(connect_redis(bench.broker_url), account="benchmarks", start_rate=RATE, max_rate=RATE)
    with (
        bench.workers(engine, gateway, start_rate=RATE, max_rate=RATE, senders=1),
        requests.Session() as session,
        closing(Client(SANDBOX_API_KEY, gateway.url)) as client,
    ):
        context = Context(database, PacedClient(client, pace), pace, database.now)
        yield {
            "bare POST": lambda: _post(session, gateway),
            "straight call": lambda: _straight(context),
            BY_THE_TICK: lambda: _by_the_tick(engine),
        }


def _post(session: requests.Session, gateway: Gateway) -> None:
    form = {"receptor": NUMBER, "token": CODE, "template": "verify"}
    session.post(f"{gateway.url}/v1/{SANDBOX_API_KEY}/verify/lookup.json", data=form, timeout=30).raise_for_status()


def _straight(context: Context) -> None:
    two_minutes = timedelta(minutes=2)
    tokens = {"token": CODE}
    otp_request = parse_otp_request(
        "sms", NUMBER, "verify", tokens, key=None, tag=None, call_after=None, lifetime=two_minutes
    )
    if send_at_once(context, otp_request).gateway_id is None:
        raise Unfinished("a code was not accepted")


def _by_the_tick(engine: Engine) -> None:
    with engine.begin() as connection:
        otp_id = campaigns.order_otp(
            connection, number=NUMBER, template="verify", token=CODE, key=f"bench-{next(_keys)}"
        )
    deadline = time.monotonic() + AT_MOST_S
    while not _accepted(engine, otp_id):
        if time.monotonic() > deadline:
            raise Unfinished("a code was not accepted")
        time.sleep(LOOK_EVERY_S)


def _accepted(engine: Engine, otp_id: int) -> bool:
    with engine.connect() as connection:
        return campaigns.otp_state(connection, otp_id).gateway_id is not None
