"""What a bank would find in production about the inbox."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages.inbox import pull
from tests.kavenegar.scripted_server import ScriptedServer, http_answer
from tests.stages.inboxes import DAY_S, came_in, crowd, line_added, line_claimed, missing, row, stored, turns
from tests.web import expecting, web
from tests.world import SENDER, Sandbox, at, run_due_work

NUMBER = "09121234567"


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def page_of(rows: list[dict[str, Any]], **metadata: int) -> bytes:
    """An answer of sms/inboxpaged."""
    answer = {"return": {"status": 200, "message": ""}, "entries": rows, "metadata": {**metadata}}
    return http_answer(json.dumps(answer).encode())


def somebody_reads(sandbox: Sandbox, method: str = "receive") -> None:
    """Other software takes what is unread."""
    url = f"{sandbox.url}/v1/{sandbox.api_key}/sms/{method}.json"
    assert requests.post(url, data={"linenumber": SENDER, "isread": 0}, timeout=60).ok


def test_what_others_read_while_nobody_worked_for_three_days_is_found(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    turns(context)
    assert row(engine).reconciled_at is not None
    sandbox.advance(hours=1)
    crowd(sandbox, 20, age_s=60)
    somebody_reads(sandbox)
    sandbox.advance(days=3)

    turns(context)

    assert missing(engine, sandbox) == 0


def test_what_callbacks_told_while_the_workers_were_away_for_three_days_is_found(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    hinted = expecting(context)
    line_added(hinted)
    turns(hinted)
    sandbox.advance(hours=1)
    with web(hinted) as url:
        crowd(sandbox, 1, age_s=1)
        (message,) = sandbox.came_in()
        form = {"from": message["sender"], "to": SENDER, "message": "?", "messageid": message["messageid"]}
        assert requests.post(f"{url}/receive", data=form, timeout=60).status_code == 200
        somebody_reads(sandbox)  # which is what the 200 does at the gateway
    sandbox.advance(days=3)

    turns(hinted)

    assert missing(engine, sandbox) == 0


def test_an_answer_lost_while_looking_back_leaves_the_line_in_doubt_whatever_comes_next(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 250, age_s=DAY_S, seed=1)
    sandbox.inject({"line": SENDER, "count": 250, "text": "دیر {n}", "age_s": 2 * DAY_S - 600, "seed": 2})
    sandbox.arm("missing_rows", "sms/receive", count=1, rows=1)  # a page that is not full ends the pull
    sandbox.arm("accept_then_drop", "sms/inboxpaged", count=1)
    sandbox.arm("code", "sms/inboxpaged", count=3, code=409)

    pull.pull_line(context, SENDER)

    assert missing(engine, sandbox) > 200
    assert row(engine).needs_reconcile_since is not None


def test_a_gateway_that_hands_out_the_same_unread_page_again_does_not_hold_a_line_for_ever(
    context: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    line_added(context)
    line_claimed(context)
    sandbox.advance(minutes=5)  # that worker died
    date = int(context.now().timestamp()) - 60
    rows = [
        {"messageid": 1000 + number, "message": "a", "sender": "09121234567", "receptor": SENDER, "date": date}
        for number in range(200)
    ]
    server.will(server.raw(page_of(rows, totalcount=200, currentpage=1, totalpages=2, pagesize=200)))
    hasty = replace(context, policy=replace(context.policy, inbox_pull_time=timedelta(seconds=0.3)))
    there = at(hasty, server.url, deadline_s=5.0)

    found = turns(there, most=60)

    assert len(stored(engine)) == 200
    assert not found[-1].more
    assert row(engine).needs_reconcile_since is None


def test_a_quiet_line_is_gone_through_in_a_few_calls_where_totals_count_all_messages_ever(
    context: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    """The specification says that totalcount of read messages is "the number of all read messages"."""
    line_added(context)
    nothing = page_of([], totalcount=0, currentpage=1, totalpages=0, pagesize=200)
    nothing_here = page_of([], totalcount=50_000, currentpage=1, totalpages=250, pagesize=200)

    def answer(wire: Any) -> None:
        if len(server.received) > 100:
            server.answer(412)(wire)  # enough is enough
        else:
            wire.sock.sendall(nothing_here if server.received[-1].form.get("isread") == "1" else nothing)

    server.will(answer)
    pull.pull_line(at(context, server.url, deadline_s=5.0), SENDER)

    assert len(server.received) <= 20, len(server.received)


def test_one_message_with_an_impossible_sender_does_not_keep_its_page_from_being_stored(
    context: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    line_added(context)
    sender = random.Random(1).randbytes(4_500).hex()
    rows = [
        {"messageid": 1, "message": "a", "sender": sender, "receptor": SENDER, "date": int(context.now().timestamp())},
        {"messageid": 2, "message": "b", "sender": NUMBER, "receptor": SENDER, "date": int(context.now().timestamp())},
    ]
    server.will(server.answer(200, rows), server.answer(200, []))
    there = at(context, server.url, deadline_s=5.0)
    there = replace(there, database=type(context.database)(engine, patience_s=0.5))

    pull.pull_line(there, SENDER)

    assert stored(engine) == [1, 2]


def test_what_others_read_is_found_though_as_many_were_deleted_at_the_gateway(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """As many in both places are not the same ones."""
    line_added(context)
    turns(context)
    with engine.begin() as connection:  # two that stand here, and that somebody deleted in the panel since
        connection.execute(
            text("""
                INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, stored_at, via)
                SELECT id, :line, '09120000000', 'a', :at, :at, 'receive' FROM generate_series(1, 2) AS id
            """),
            {"line": SENDER, "at": context.now() - timedelta(minutes=2)},
        )
    crowd(sandbox, 2, age_s=60)
    somebody_reads(sandbox)
    sandbox.advance(minutes=5)
    crowd(sandbox, 300, age_s=60, seed=7)
    turns(context)
    for _ in range(6):
        sandbox.advance(hours=8)
        turns(context)

    assert len(set(came_in(sandbox)) - set(stored(engine))) == 0


def test_a_message_told_of_a_line_that_nobody_pulls_is_not_answered_200_and_forgotten(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    form = {"from": NUMBER, "to": "30002626", "message": "سلام", "messageid": "77"}
    with web(expecting(context)) as url:
        answered = requests.post(f"{url}/receive", data=form, timeout=60).status_code
    with engine.connect() as connection:
        known = connection.execute(text("SELECT count(*) FROM sms.lines WHERE line = '30002626'")).scalar_one()
    assert answered != 200 or stored(engine) or known


def test_callbacks_about_a_line_that_the_gateway_refuses_do_not_become_as_many_calls(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    hinted = expecting(context)
    line_added(hinted)
    turns(hinted)
    sandbox.advance(hours=1)
    sandbox.arm("code", "sms/receive", share=1.0, code=412)
    with web(hinted) as url:
        for number in range(10):
            form = {"from": NUMBER, "to": SENDER, "message": "a", "messageid": str(100 + number)}
            assert requests.post(f"{url}/receive", data=form, timeout=60).status_code == 200
            run_due_work(hinted)
            sandbox.advance(seconds=1)
    asked = sandbox.summary()["requests"]["sms/receive"]
    assert asked <= 4, asked


def test_a_count_that_the_gateway_refuses_does_not_have_the_last_two_days_gone_through_with_every_pull(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    sandbox.arm("code", "sms/countinbox", share=1.0, code=427)
    turns(context)
    once = sandbox.summary()["requests"]["sms/inboxpaged"]
    for _ in range(5):
        sandbox.advance(minutes=1)
        turns(context)

    assert row(engine).reconciled_at is not None
    assert sandbox.summary()["requests"]["sms/inboxpaged"] == once
