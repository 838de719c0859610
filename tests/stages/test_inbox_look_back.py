"""The last days are gone through from time to time, for what others have read before us."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
import requests
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.stages.inbox import pull
from kavenegar_campaigns.store import inbound
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from tests.stages.inboxes import DAY_S, at_rest, came_in, crowd, line_added, missing, row, stored, turns
from tests.world import SENDER, Sandbox


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def test_what_other_software_read_before_us_is_found_within_the_last_two_days(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    turns(context)
    crowd(sandbox, 120, age_s=47 * 3600)
    while context.gateway.receive(SENDER).row_count:
        pass  # somebody else's software
    sandbox.advance(minutes=1)
    turns(context)
    assert missing(engine, sandbox) == 120

    sandbox.advance(hours=1)
    turns(context)

    assert missing(engine, sandbox) == 0
    line = row(engine)
    assert line.reconciled_at is not None
    assert timedelta(minutes=50) < line.reconcile_at - context.now() <= timedelta(hours=1)


def test_a_look_back_that_finds_nothing_costs_two_calls_a_window_however_much_there_is(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 5_000, age_s=40 * 3600)
    turns(context)
    before = sandbox.summary()["requests"]
    sandbox.advance(hours=1, minutes=1)

    turns(context)

    after = sandbox.summary()["requests"]
    assert after["sms/inboxpaged"] - before["sms/inboxpaged"] == 4
    assert after["sms/countinbox"] - before["sms/countinbox"] == 1


def test_a_few_that_others_read_among_many_are_found(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    line_added(context)
    crowd(sandbox, 4_000, age_s=40 * 3600)
    turns(context)
    crowd(sandbox, 7, age_s=30 * 3600, seed=77)
    context.gateway.receive(SENDER)
    sandbox.advance(hours=1, minutes=1)

    turns(context)

    assert missing(engine, sandbox) == 0


def test_a_fault_of_the_look_back_costs_the_pull_before_it_nothing(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 20)
    sandbox.arm("code", "sms/inboxpaged", count=3, code=409)

    turns(context)

    line = row(engine)
    assert missing(engine, sandbox) == 0
    assert line.needs_reconcile_since is None
    assert line.complete_to is not None
    assert line.reconciled_at is None


def test_when_the_gateway_counts_more_than_is_stored_somebody_is_told(
    context: Context, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    class Counting:
        """A gateway that counts one more than it hands out."""

        def __getattr__(self, name: str) -> Any:
            return getattr(context.gateway, name)

        def countinbox(self, *span: Any) -> Any:
            counted = context.gateway.countinbox(*span)
            return replace(counted, sumcount=counted.sumcount + 1)

    line_added(context)
    crowd(sandbox, 30, age_s=3600)
    caplog.set_level(logging.WARNING)

    pull.pull_line(replace(context, gateway=cast("PacedClient", Counting())), SENDER)

    (event,) = [record for record in caplog.records if record.message == "inbox messages found missing"]
    assert vars(event)["gateway"] == vars(event)["ours"] + 1


# ── however long nobody looked ──


def somebody_reads(sandbox: Sandbox) -> None:
    """Other software takes what is unread, 100 at most."""
    url = f"{sandbox.url}/v1/{sandbox.api_key}/sms/receive.json"
    assert requests.post(url, data={"linenumber": SENDER, "isread": 0}, timeout=60).ok


def looked_through(engine: Engine) -> dict[str, Any]:
    """Where the line's look back stands."""
    with engine.connect() as connection:
        found = (
            connection.execute(text("SELECT reconcile_began_at, reconciled_to, full_reconcile_at FROM sms.lines"))
            .mappings()
            .one()
        )
        return dict(found)


def test_a_line_that_was_never_gone_through_is_looked_through_from_when_it_came_to_be_pulled(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)  # and then nobody works
    sandbox.advance(minutes=1)
    crowd(sandbox, 20, age_s=30)
    somebody_reads(sandbox)
    sandbox.advance(days=3)

    turns(context)

    assert missing(engine, sandbox) == 0


def test_it_is_not_looked_back_beyond_the_horizon(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    near = replace(context, policy=replace(context.policy, inbox_lookback=timedelta(days=7)))
    line_added(near)
    turns(near)
    for _ in range(2):
        sandbox.advance(days=5)
        crowd(sandbox, 20, age_s=60)
        somebody_reads(sandbox)

    turns(near)
    assert missing(engine, sandbox) == 0

    sandbox.advance(days=1)
    crowd(sandbox, 20, age_s=60)
    somebody_reads(sandbox)
    sandbox.advance(days=8)
    before = sandbox.summary()["requests"]["sms/inboxpaged"]
    turns(near)
    assert missing(engine, sandbox) == 20
    assert sandbox.summary()["requests"]["sms/inboxpaged"] - before <= 2 * 5


def test_a_loss_on_the_way_does_not_make_up_for_the_days_before_it(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    turns(context)
    sandbox.advance(hours=1)
    crowd(sandbox, 20, age_s=60)
    somebody_reads(sandbox)
    sandbox.advance(days=3)
    sandbox.arm("accept_then_drop", "sms/receive", skip=1, count=1)
    sandbox.arm("code", "sms/inboxpaged", count=3, code=409)
    pull.pull_line(context, SENDER)  # it does not come to look back
    sandbox.advance(minutes=1)
    pull.pull_line(context, SENDER)  # loses an answer

    at_rest(context, sandbox)
    turns(context)

    assert missing(engine, sandbox) == 0


def test_a_long_look_back_is_gone_on_with_turn_by_turn(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    hasty = replace(context, policy=replace(context.policy, inbox_pull_time=timedelta(milliseconds=1)))
    line_added(context)
    turns(context)
    sandbox.advance(days=20)

    first = pull.pull_line(hasty, SENDER)

    assert first.more
    assert looked_through(engine)["reconciled_to"] is not None
    found = turns(hasty)
    assert max(pulled.pages for pulled in found) <= 4
    assert 8 <= len(found) <= 14
    assert looked_through(engine)["reconciled_to"] is None
    reconciled_at = row(engine).reconciled_at
    assert reconciled_at is not None
    assert context.now() - reconciled_at < timedelta(hours=1)


def test_a_fault_on_the_way_leaves_the_look_back_where_it_has_come_to(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    turns(context)
    sandbox.advance(days=20)
    sandbox.arm("code", "sms/inboxpaged", skip=6, count=3, code=409)
    pull.pull_line(context, SENDER)

    reconciled_to = looked_through(engine)["reconciled_to"]

    assert timedelta(days=10) < context.now() - reconciled_to < timedelta(days=16)


# ── counts that agree ──


def stands_here_and_not_there(context: Context, *ids: int) -> None:
    """Messages that somebody has deleted in the panel since, or that the gateway dates otherwise."""
    gone = [Arrival(id_, "09121234567", "x", context.now() - timedelta(minutes=2)) for id_ in ids]
    context.database(inbound.store_new, SENDER, gone, via=Via.RECEIVE, watch=InboundPolicy(), now=context.now())


def test_after_a_loss_a_count_that_agrees_is_no_proof_for_the_days_before_it(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    turns(context)
    sandbox.advance(hours=1)
    stands_here_and_not_there(context, 1, 2)
    sandbox.inject([{"line": SENDER, "sender": "09121234567", "text": "x", "age_s": 60}] * 2)
    somebody_reads(sandbox)
    sandbox.advance(minutes=5)
    crowd(sandbox, 300, age_s=60)  # all that the first page shows
    turns(context)
    sandbox.advance(hours=1)
    turns(context)
    assert set(came_in(sandbox)) - set(stored(engine))  # hidden by the two
    sandbox.advance(minutes=1)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.pull_line(context, SENDER)

    sandbox.advance(seconds=91)
    turns(context)

    assert not set(came_in(sandbox)) - set(stored(engine))


def test_an_answer_lost_in_an_old_window_is_looked_for_from_there_on(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Although the line was complete up to a moment ago, so far as anybody knew."""
    line_added(context)
    turns(context)
    sandbox.advance(hours=1, minutes=1)
    crowd(sandbox, 250, age_s=3600, seed=1)
    sandbox.inject({"line": SENDER, "count": 250, "text": "دیر {n}", "age_s": 2 * DAY_S - 900, "seed": 2})
    sandbox.arm("missing_rows", "sms/receive", count=1, rows=1)  # a page that is not full ends the pull
    sandbox.arm("accept_then_drop", "sms/inboxpaged", count=1)
    sandbox.arm("code", "sms/inboxpaged", count=3, code=409)
    pull.pull_line(context, SENDER)
    complete_to = row(engine).complete_to
    assert complete_to is not None
    assert context.now() - complete_to > timedelta(days=1)

    sandbox.advance(seconds=91)
    pull.pull_line(context, SENDER)

    assert missing(engine, sandbox) == 0
    assert row(engine).needs_reconcile_since is None
