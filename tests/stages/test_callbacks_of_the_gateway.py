"""The gateway itself calls back: late, twice and out of order; every message comes to the verdict it really has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from sqlalchemy import Engine, text

from campaigns_devkit import servers
from kavenegar_campaigns.context import Context
from tests.stages.accepted import accepted
from tests.stages.inboxes import came_in, line_added, stored, turns
from tests.stages.test_callbacks import asked, truthful
from tests.waiting import until
from tests.web import TOKEN, expecting, parked, web
from tests.world import SENDER, Sandbox, run_due_work, states

both = pytest.mark.parametrize("trust", [True, False], ids=["trusted", "hints"])


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def port() -> int:
    return servers.find_free_port()


@pytest.fixture(params=["get", "post"])
def sandbox(request: pytest.FixtureRequest, port: int) -> Iterator[Sandbox]:
    """A gateway that calls us back, three in ten times twice, and not in the order in which things happen."""
    url = f"http://127.0.0.1:{port}/callbacks/{TOKEN}"
    with Sandbox.start(
        status_callback_url=f"{url}/status",
        receive_callback_url=f"{url}/receive",
        callback_method=request.param,
        callback_double_share=0.3,
        callback_delay_s=[0, 30],
    ) as gateway:
        yield gateway


def let_all_callbacks_arrive(sandbox: Sandbox, kind: str) -> None:
    """Let time pass until the gateway has made all its callbacks, repeated ones included, and each was answered."""
    until(lambda: _seen(sandbox, kind), "the gateway having a callback to make")
    sandbox.advance(minutes=2)
    until(lambda: not sandbox.callbacks()["expected"], "everything having happened")
    sandbox.advance(seconds=31)
    until(lambda: _answered(sandbox, kind), "the gateway having called")


def _seen(sandbox: Sandbox, kind: str) -> bool:
    counted = sandbox.callbacks()
    return bool(counted["expected"] or counted[kind]["news"])


def _answered(sandbox: Sandbox, kind: str) -> bool:
    tally = sandbox.callbacks()[kind]
    return bool(tally["answered"] == tally["news"] - tally["lost"] + tally["doubled"] > 0)


def as_the_gateway_has_it(engine: Engine, sandbox: Sandbox) -> bool:
    """Whether every message with a verdict stands here as it does there."""
    ledger = requests.get(f"{sandbox.url}/_sandbox/ledger/stream", timeout=60).text.splitlines()
    theirs = {(row["messageid"], row["status"]) for row in map(json.loads, ledger) if row["status"] != 4}
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT gateway_id, status FROM sms.messages WHERE state <> 'accepted'"))
        return theirs == {(row.gateway_id, row.status) for row in rows}


@both
def test_every_message_comes_to_its_verdict_by_callbacks_alone(
    context: Context, engine: Engine, sandbox: Sandbox, port: int, trust: bool
) -> None:
    ours = expecting(context, trust_callbacks=trust)
    fates = {"delivered": 0.6, "undelivered": 0.1, "failed": 0.1, "blocked": 0.1, "stuck": 0.1}
    sandbox.turn(fates=fates, delivery_s=[1, 100])
    with web(ours, port=port):
        campaign = accepted(ours, engine, 200)
        let_all_callbacks_arrive(sandbox, "status")
    run_due_work(ours)
    sandbox.advance(seconds=21)
    run_due_work(ours)  # the first poll comes after five minutes

    found = states(engine, campaign)
    assert found["accepted"] < 60
    assert found["delivered"] > 80
    assert as_the_gateway_has_it(engine, sandbox)
    assert asked(sandbox) == 0 if trust else 1 <= asked(sandbox) <= 8
    assert truthful(engine)
    assert parked(engine) == []


def test_what_nobody_took_is_told_again_and_polls_find_what_was_never_told(
    context: Context, engine: Engine, sandbox: Sandbox, port: int
) -> None:
    """Nobody listens for a while, and three in ten calls are never made."""
    ours = expecting(context, trust_callbacks=True)
    sandbox.turn(fates={"delivered": 1.0}, callback_lost_share=0.3, callback_delay_s=[0, 0])
    campaign = accepted(ours, engine, 100)
    until(lambda: _seen(sandbox, "status"), "the gateway having a callback to make")
    sandbox.advance(minutes=1)
    until(lambda: sandbox.callbacks()["status"]["retried"] > 100, "calls without an answer")
    assert states(engine, campaign) == {"accepted": 100}
    with web(ours, port=port):
        let_all_callbacks_arrive(sandbox, "status")
    run_due_work(ours)
    delivered = states(engine, campaign)["delivered"]
    assert 40 < delivered < 100
    assert asked(sandbox) == 0
    sandbox.advance(minutes=3)
    run_due_work(ours)
    assert states(engine, campaign) == {"delivered": 100}
    assert asked(sandbox) == 1


@both
def test_what_the_gateway_pushed_is_stored_once_though_it_counts_as_read_there(
    context: Context, engine: Engine, sandbox: Sandbox, port: int, trust: bool
) -> None:
    ours = expecting(context, trust_callbacks=trust)
    line_added(ours, every=timedelta(hours=6))
    turns(ours)
    sandbox.advance(minutes=10)
    with web(ours, port=port):
        sandbox.inject({"line": SENDER, "count": 20, "text": "پاسخ {n}"})
        let_all_callbacks_arrive(sandbox, "receive")
    assert sandbox.inbox_summary()[SENDER]["unread"] == 0
    assert len(stored(engine)) == (20 if trust else 0)
    turns(ours)
    assert stored(engine) == came_in(sandbox)
    sandbox.advance(hours=7)
    turns(ours)
    assert stored(engine) == came_in(sandbox)
