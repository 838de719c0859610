"""A line is pulled: everything that came in is stored once, however often and by whom it is brought."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages.inbox import pull
from kavenegar_campaigns.store import lines
from tests.kavenegar.scripted_server import ScriptedServer
from tests.stages.inboxes import came_in, crowd, line_added, missing, row, stored, turns
from tests.world import SENDER, Sandbox, at


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A gateway that says what a test scripts."""
    found = ScriptedServer()
    yield found
    found.stop()


def test_everything_unread_is_stored_and_the_line_rests_until_its_interval_is_over(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context, every=timedelta(minutes=5))
    crowd(sandbox, 250)

    (pulled,) = turns(context)

    assert (pulled.stored, pulled.trouble, pulled.more) == (250, "", False)
    assert stored(engine) == came_in(sandbox)
    now, line = context.now(), row(engine)
    assert (line.needs_reconcile_since, line.leased_until, line.trouble) == (None, None, None)
    assert timedelta(minutes=4) < line.due_at - now <= timedelta(minutes=5)
    assert line.complete_to is not None
    assert timedelta(minutes=5) <= now - line.complete_to < timedelta(minutes=7)
    assert pull.pull_line(context, SENDER).summary == "not due"


def test_what_comes_in_later_is_stored_by_the_next_pull(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    line_added(context)
    turns(context)
    crowd(sandbox, 3, age_s=0)
    sandbox.advance(minutes=1)

    (pulled,) = turns(context)

    assert pulled.summary == "1 pages, 3 new"
    assert missing(engine, sandbox) == 0


def test_a_line_that_nobody_writes_to_costs_one_call_a_pull(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    line_added(context)
    turns(context)
    sandbox.advance(minutes=1)
    before = sandbox.summary()["requests"]["sms/receive"]

    turns(context)

    assert sandbox.summary()["requests"]["sms/receive"] == before + 1


@pytest.mark.parametrize("empty", ["null", "[]", "449"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_whatever_the_gateway_says_to_an_empty_inbox_and_in_whatever_order(
    context: Context, engine: Engine, sandbox: Sandbox, empty: str, order: str
) -> None:
    sandbox.turn(inbox_empty=empty, inbox_order=order)
    line_added(context)
    crowd(sandbox, 200)

    turns(context)

    assert missing(engine, sandbox) == 0
    assert row(engine).trouble is None


def test_a_backlog_is_drained_in_turns_that_leave_room_for_others(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    hasty = replace(context, policy=replace(context.policy, inbox_pull_time=timedelta(milliseconds=1)))
    line_added(context)
    crowd(sandbox, 450, age_s=0)

    first = pull.pull_line(hasty, SENDER)

    assert (first.stored, first.more) == (100, True)
    assert first.summary == "1 pages, 100 new, more to come"
    line = row(engine)
    assert (line.needs_reconcile_since, line.complete_to, line.leased_until) == (None, None, None)
    assert line.due_at <= context.now()
    turns(hasty)
    assert missing(engine, sandbox) == 0
    assert sandbox.inbox_summary()[SENDER]["unread"] == 0


# ── one worker at a time ──


def test_while_one_worker_has_the_line_nobody_else_pulls_it(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    line_added(context)
    crowd(sandbox, 5)
    claim = context.database(lines.claim, SENDER, owner=uuid4(), now=context.now(), **_times(context))
    assert claim is not None

    assert pull.pull_line(context, SENDER).summary == "not due"
    assert row(engine).needs_reconcile_since is not None  # written down before anything is asked
    assert stored(engine) == []


def test_a_worker_that_lost_the_line_still_stores_what_it_was_given_and_asks_for_nothing_more(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 300, age_s=0)

    class Overtaking:
        """While the first answer is under way, somebody else takes the line."""

        def __getattr__(self, name: str) -> object:
            return getattr(context.gateway, name)

        def receive(self, line: str, **options: object) -> object:
            page = context.gateway.receive(line, **options)  # type: ignore[arg-type]
            with engine.begin() as connection:
                connection.execute(text("UPDATE sms.lines SET attempt = attempt + 1"))
            return page

    pulled = pull.pull_line(replace(context, gateway=Overtaking()), SENDER)  # type: ignore[arg-type]

    assert (pulled.stored, pulled.pages) == (100, 1)
    assert "another worker" in pulled.trouble
    assert len(stored(engine)) == 100
    assert row(engine).needs_reconcile_since is not None


# ── the gateway says not now, or no ──


@pytest.mark.parametrize("code", [409, 451])
def test_a_gateway_that_is_busy_costs_nothing_but_time(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    line_added(context)
    crowd(sandbox, 250, age_s=0)
    sandbox.arm("code", "sms/receive", skip=1, count=3, code=code)

    (first,) = turns(context)

    line = row(engine)
    assert first.stored == 100
    assert (line.needs_reconcile_since, line.trouble, line.leased_until) == (None, None, None)
    assert line.due_at > context.now()


def test_no_connection_is_no_loss(context: Context, engine: Engine, sandbox: Sandbox, closed_port_url: str) -> None:
    line_added(context)
    crowd(sandbox, 5)

    pulled = pull.pull_line(at(context, closed_port_url), SENDER)

    line = row(engine)
    assert "no connection" in pulled.trouble
    assert line.needs_reconcile_since is None
    assert line.trouble is not None
    sandbox.advance(seconds=10)
    turns(context)
    assert missing(engine, sandbox) == 0
    assert row(engine).trouble is None


@pytest.mark.parametrize("code", [412, 407])
def test_a_line_that_is_refused_waits_long_is_shown_and_stops_no_other(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    line_added(context)
    line_added(context, "30002626")
    crowd(sandbox, 5)
    sandbox.arm("code", "sms/receive", count=1, code=code)

    refused = pull.pull_line(context, "30002626")
    turns(context)

    line = row(engine, "30002626")
    assert str(code) in refused.trouble
    assert str(code) in (line.trouble or "")
    assert line.needs_reconcile_since is None
    assert line.due_at - context.now() > timedelta(minutes=14)
    assert missing(engine, sandbox) == 0


@pytest.mark.parametrize("code", [401, 403, 416, 418])
def test_a_line_waits_no_longer_than_the_account_where_the_key_or_the_account_was_refused(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    line_added(context, "30002626")
    sandbox.arm("code", "sms/receive", count=1, code=code)

    assert str(code) in pull.pull_line(context, "30002626").trouble

    line = row(engine, "30002626")
    assert line.due_at - context.now() <= max(context.policy.hold_recheck, timedelta(minutes=1))
    sandbox.advance(seconds=120)
    assert pull.pull_line(context, "30002626").trouble == ""


def test_a_failure_without_a_cause_leaves_the_line_in_doubt(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """The gateway may have marked messages read before it failed."""
    line_added(context)
    sandbox.arm("code", "sms/receive", count=1, code=402)

    pull.pull_line(context, SENDER)

    assert row(engine).needs_reconcile_since is not None


def test_pages_of_which_nothing_can_be_read_come_to_an_end_and_have_the_days_gone_through(
    context: Context, engine: Engine, scripted: ScriptedServer
) -> None:
    line_added(context, every=timedelta(hours=1))
    with engine.begin() as connection:
        later = {"at": context.now() + timedelta(hours=1)}
        connection.execute(text("UPDATE sms.lines SET reconcile_at = :at, full_reconcile_at = :at"), later)
    scripted.will(scripted.answer(200, [{"messageid": "?", "message": "x"}] * 100))

    pulled = pull.pull_line(at(context, scripted.url), SENDER)

    assert (pulled.more, len(scripted.received)) == (False, 2)
    with engine.connect() as connection:
        full_reconcile_at = connection.execute(text("SELECT full_reconcile_at FROM sms.lines")).scalar_one()
    assert full_reconcile_at <= context.now()


# ── secrets are not logged ──


def test_no_number_and_no_text_is_in_the_logs_or_the_summary(
    context: Context, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    line_added(context)
    sandbox.inject({"line": SENDER, "sender": "09123334455", "text": "راز من", "age_s": 5})
    sandbox.arm("accept_then_drop", "sms/receive", skip=1, count=1)

    summaries = " ".join(pulled.summary for pulled in turns(context))

    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "inbox page stored" in logged
    for secret in ("9123334455", "راز", "v1/sandbox"):
        assert secret not in summaries + logged


def _times(context: Context) -> dict[str, timedelta]:
    return {"lease": context.policy.lease, "unknown_grace": context.policy.unknown_grace}
