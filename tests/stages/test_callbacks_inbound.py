"""The gateway tells of a message that came in: it is found soon, or stored at once; and once in either case."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import lines
from tests.stages.inboxes import line_added, turns
from tests.web import web
from tests.world import SENDER, Sandbox

MESSAGE = {"from": "+989121234567", "to": f"+98{SENDER}", "message": "لغو", "messageid": "77"}


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def call_back(context: Context, *, answered: int = 200, **changed: str) -> None:
    with web(context) as url:
        assert requests.post(f"{url}/receive", data={**MESSAGE, **changed}, timeout=60).status_code == answered


def pulled_and_at_rest(context: Context, sandbox: Sandbox) -> None:
    """The line was pulled and gone through a while ago, and is to be again in hours."""
    line_added(context, every=timedelta(hours=6))
    turns(context)
    sandbox.advance(minutes=10)


def due_in(context: Context) -> tuple[timedelta, timedelta]:
    """How long until the line is pulled, and until it is gone through."""
    line = context.database(lines.read, SENDER)
    return line.due_at - context.now(), line.reconcile_at - context.now()


def inbound(engine: Engine) -> list[tuple[int, str, str, str, bool]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT gateway_id, line, number, via, opted_out FROM sms.inbound ORDER BY 1"))
        return [(row.gateway_id, row.line, row.number, row.via, row.opted_out) for row in rows]


def test_a_line_that_we_pull_is_gone_through_soon(hinted: Context, engine: Engine, sandbox: Sandbox) -> None:
    pulled_and_at_rest(hinted, sandbox)
    assert min(due_in(hinted)) > timedelta(minutes=30)

    call_back(hinted)

    assert max(due_in(hinted)) <= timedelta(0)
    assert inbound(engine) == []


def test_a_line_is_not_gone_through_all_the_time(hinted: Context, sandbox: Sandbox) -> None:
    pulled_and_at_rest(hinted, sandbox)
    call_back(hinted)
    turns(hinted)
    call_back(hinted)
    assert timedelta(minutes=3) < max(due_in(hinted)) < timedelta(minutes=6)


def test_a_message_on_a_line_that_is_not_pulled_stays_unread_at_the_gateway(
    hinted: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Nobody would go and find it."""
    pulled_and_at_rest(hinted, sandbox)
    call_back(hinted, to="3000505", answered=503)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.lines SET enabled = false"))
    call_back(hinted, answered=503)
    assert min(due_in(hinted)) > timedelta(minutes=30)
    assert inbound(engine) == []


def test_of_a_call_that_tells_of_such_a_line_too_nothing_is_taken(hinted: Context, sandbox: Sandbox) -> None:
    pulled_and_at_rest(hinted, sandbox)
    strange = {**MESSAGE, "to": "3000505", "messageid": "78"}
    with web(hinted) as url:
        assert requests.post(f"{url}/receive", json=[MESSAGE, strange], timeout=60).status_code == 503
    assert min(due_in(hinted)) > timedelta(minutes=30)


def test_what_is_told_of_a_line_in_trouble_waits_until_it_is_tried_again(hinted: Context, sandbox: Sandbox) -> None:
    pulled_and_at_rest(hinted, sandbox)
    sandbox.arm("code", "sms/receive", count=1, code=412)
    hinted.database(lines.make_due, SENDER, now=hinted.now())
    turns(hinted)
    call_back(hinted)
    tried_again, gone_through = due_in(hinted)
    assert tried_again > timedelta(hours=5)
    assert gone_through <= timedelta(0)


def test_a_trusted_message_is_stored_though_its_line_is_not_pulled(trusting: Context, engine: Engine) -> None:
    call_back(trusting, to="3000505")
    assert [(id_, line) for id_, line, *_ in inbound(engine)] == [(77, "3000505")]


def test_a_trusted_message_is_stored_at_once_and_opts_its_sender_out(trusting: Context, engine: Engine) -> None:
    call_back(trusting)
    call_back(trusting)

    assert inbound(engine) == [(77, SENDER, "09121234567", "callback", True)]
    with engine.connect() as connection:
        found = connection.execute(text("SELECT number, reason FROM sms.suppressions")).one()
    assert tuple(found) == ("09121234567", "opted_out")


def test_whatever_somebody_wrote_can_be_stored(trusting: Context, engine: Engine) -> None:
    odd = "a\x00b\u202e😀" + "ی" * 5000
    call_back(trusting, message=odd, **{"from": "Bank"})
    with engine.connect() as connection:
        found = connection.execute(text("SELECT number, text FROM sms.inbound")).one()
    assert tuple(found) == ("Bank", odd.replace("\x00", ""))
