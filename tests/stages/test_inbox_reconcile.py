"""What a lost answer marked read, or others have read before us, is found: every message exactly once, however old."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.stages.inbox import pull, reconcile
from kavenegar_campaigns.store import inbound, lines
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from tests import waiting
from tests.stages.inboxes import DAY_S, at_rest, came_in, crowd, line_added, missing, row, stored, turns
from tests.world import SENDER, Sandbox, at


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


# ── answers that are lost on the way ──


def test_an_answer_that_is_lost_leaves_the_line_in_doubt_and_is_found_once_it_has_settled(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 250)
    sandbox.arm("accept_then_drop", "sms/receive", skip=1, count=1)

    before = context.now()

    lost = pull.pull_line(context, SENDER)

    line = row(engine)
    assert (lost.stored, missing(engine, sandbox)) == (100, 150)
    assert line.needs_reconcile_since is not None
    assert before + context.policy.unknown_grace <= line.due_at <= context.now() + context.policy.unknown_grace
    context.database(lines.make_due, SENDER, now=context.now())
    assert (
        pull.pull_line(context, SENDER).summary == "not due"
    )  # whoever is in a hurry: the gateway may still act on it
    sandbox.advance(seconds=91)
    asked = sandbox.summary()["requests"]["sms/receive"]
    pull.pull_line(context, SENDER)
    assert sandbox.summary()["requests"]["sms/receive"] == asked  # not before everything is found
    assert missing(engine, sandbox) == 0
    assert row(engine).needs_reconcile_since is None


@pytest.mark.parametrize("fault", ["accept_then_drop", "http_5xx_html_after", "bad_json", "html_200"])
def test_one_answer_in_ten_is_lost(context: Context, engine: Engine, sandbox: Sandbox, fault: str) -> None:
    options = {"processed": True} if fault == "html_200" else {}
    line_added(context)
    crowd(sandbox, 3_000, age_s=30 * DAY_S)
    sandbox.arm(fault, "sms/receive", share=0.1, **options)
    sandbox.arm(fault, "sms/inboxpaged", share=0.1, **options)

    at_rest(context, sandbox)

    assert stored(engine) == came_in(sandbox)


def test_a_page_of_old_messages_is_found_as_far_back_as_the_horizon(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 100, age_s=55 * DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)

    at_rest(context, sandbox)

    assert missing(engine, sandbox) == 0


def test_once_a_line_was_complete_a_loss_is_looked_for_only_since_then(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 300, age_s=40 * DAY_S)
    at_rest(context, sandbox)
    sandbox.advance(minutes=20)
    crowd(sandbox, 50, age_s=60)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    before = sandbox.summary()["requests"]["sms/inboxpaged"]

    pull.pull_line(context, SENDER)
    sandbox.advance(seconds=91)
    pull.pull_line(context, SENDER)

    assert missing(engine, sandbox) == 0
    assert row(engine).needs_reconcile_since is None
    assert sandbox.summary()["requests"]["sms/inboxpaged"] - before == 2  # one window, unread and read


def test_in_doubt_a_count_that_happens_to_agree_proves_nothing(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """One message that a callback brought, and the gateway dates otherwise or has deleted, stands for the lost one."""
    line_added(context)
    turns(context)
    sandbox.advance(minutes=20)
    sandbox.inject({"line": SENDER, "sender": "09121234567", "text": "x", "age_s": 60})
    arrivals = [Arrival(1, "09121234567", "x", context.now() - timedelta(minutes=2))]
    context.database(inbound.store_new, SENDER, arrivals, via=Via.CALLBACK, watch=InboundPolicy(), now=context.now())
    sandbox.arm("accept_then_drop", "sms/receive", count=1)

    pull.pull_line(context, SENDER)
    sandbox.advance(seconds=91)
    pull.pull_line(context, SENDER)

    assert stored(engine) == [1, *came_in(sandbox)]


def test_a_request_that_the_gateway_still_acts_on_is_waited_for(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """We give up after two seconds, and look only when the gateway cannot act any more."""
    line_added(context)
    crowd(sandbox, 80)
    sandbox.arm("late_accept", "sms/receive", count=1, seconds=3)
    pull.pull_line(at(context, sandbox.url, deadline_s=0.5), SENDER)

    assert row(engine).due_at - context.now() > timedelta(seconds=80)
    waiting.until(lambda: sandbox.inbox_summary()[SENDER]["unread"] == 0, "the late acceptance")
    assert missing(engine, sandbox) == 80
    sandbox.advance(seconds=91)
    at_rest(context, sandbox)
    assert missing(engine, sandbox) == 0


def test_a_late_request_about_the_window_that_reaches_to_now_is_not_taken_for_settled(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """It marks read what came in after we looked: only somebody who still doubts finds that."""
    line_added(context)
    sandbox.arm("late_accept", "sms/inboxpaged", skip=2, count=1, seconds=4)  # of two windows, the second
    pull.pull_line(at(context, sandbox.url, deadline_s=1), SENDER)
    sandbox.inject({"line": SENDER, "sender": "09121234567", "text": "x"})

    waiting.until(lambda: sandbox.inbox_summary()[SENDER]["unread"] == 0, "the late request")
    at_rest(context, sandbox)

    assert missing(engine, sandbox) == 0


def test_a_loss_while_reconciling_leaves_the_doubt_and_what_was_gone_through_stays_gone_through(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 500, age_s=50 * DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.pull_line(context, SENDER)
    sandbox.advance(seconds=91)
    sandbox.arm("accept_then_drop", "sms/inboxpaged", skip=20, count=reconcile.TRIES)

    pull.pull_line(context, SENDER)

    line = row(engine)
    assert line.needs_reconcile_since is not None
    assert line.complete_to is not None
    assert timedelta(days=30) < context.now() - line.complete_to < timedelta(days=45)
    at_rest(context, sandbox)
    assert missing(engine, sandbox) == 0


def test_windows_that_hold_much_are_gone_through_in_parts_and_in_several_turns(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    hasty = replace(context, policy=replace(context.policy, inbox_pull_time=timedelta(milliseconds=1)))
    line_added(context)
    crowd(sandbox, 6_000, age_s=DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.pull_line(hasty, SENDER)
    sandbox.advance(seconds=91)

    found = turns(hasty, most=120)

    assert missing(engine, sandbox) == 0
    assert row(engine).needs_reconcile_since is None
    assert max(pulled.pages for pulled in found) <= 4 * reconcile.MAX_PAGES


def test_days_that_the_gateway_tells_nobody_of_any_more_do_not_stop_the_line(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 150, age_s=DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.pull_line(context, SENDER)
    sandbox.advance(seconds=91)
    sandbox.arm("code", "sms/inboxpaged", count=10, code=417)

    at_rest(context, sandbox)

    assert missing(engine, sandbox) == 0


def test_a_date_refused_that_the_gateway_surely_tells_of_is_asked_for_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A stray refusal passes over nothing."""
    line_added(context)
    turns(context)
    sandbox.advance(days=1)
    crowd(sandbox, 150, age_s=DAY_S / 2)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.pull_line(context, SENDER)
    sandbox.advance(seconds=91)
    sandbox.arm("code", "sms/inboxpaged", count=1, code=417)

    refused = pull.pull_line(context, SENDER)

    assert "417" in refused.trouble
    assert row(engine).needs_reconcile_since is not None
    sandbox.advance(minutes=16)
    at_rest(context, sandbox)
    assert missing(engine, sandbox) == 0


def test_a_window_in_which_messages_become_read_meanwhile_is_gone_through_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Others read some that stand on a page that has been passed already: the gateway's total tells."""

    class Busy:
        """While the second page of read messages is asked for, other software reads a few of the newest."""

        def __getattr__(self, name: str) -> Any:
            return getattr(context.gateway, name)

        def inboxpaged(self, line: str, **options: Any) -> Any:
            if options["isread"] and options["page"] == 2 and not late:
                late.extend(sandbox.inject([{"line": SENDER, "sender": "09121234567", "text": "x", "age_s": 400}] * 3))
                context.gateway.receive(SENDER)
            return context.gateway.inboxpaged(line, **options)

    late: list[int] = []
    line_added(context)
    crowd(sandbox, 500, age_s=DAY_S / 4)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.pull_line(context, SENDER)
    sandbox.advance(seconds=91)

    pull.pull_line(replace(context, gateway=cast("PacedClient", Busy())), SENDER)

    assert len(late) == 3
    assert row(engine).needs_reconcile_since is None
    assert missing(engine, sandbox) == 0
