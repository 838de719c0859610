"""A line is pulled: everything that came in is stored once, however often and by whom it is brought."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from campaigns.house import House
from campaigns.inbox import pull
from campaigns.store import lines
from tests.kavenegar.scripted_server import ScriptedServer
from tests.stations.inboxes import came_in, crowd, line_added, missing, row, stored, turns
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
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house, every=timedelta(minutes=5))
    crowd(sandbox, 250)

    (pulled,) = turns(house)

    assert (pulled.stored, pulled.trouble, pulled.more) == (250, "", False)
    assert stored(engine) == came_in(sandbox)
    now, line = house.now(), row(engine)
    assert (line.doubtful_since, line.leased_until, line.trouble) == (None, None, None)
    assert timedelta(minutes=4) < line.due_at - now <= timedelta(minutes=5)
    assert line.complete_to is not None
    assert timedelta(minutes=5) <= now - line.complete_to < timedelta(minutes=7)
    assert pull.run(house, SENDER).summary == "not due"


def test_what_comes_in_later_is_stored_by_the_next_pull(house: House, engine: Engine, sandbox: Sandbox) -> None:
    line_added(house)
    turns(house)
    crowd(sandbox, 3, age_s=0)
    sandbox.advance(minutes=1)

    (pulled,) = turns(house)

    assert pulled.summary == "1 pages, 3 new"
    assert missing(engine, sandbox) == 0


def test_a_line_that_nobody_writes_to_costs_one_call_a_pull(house: House, engine: Engine, sandbox: Sandbox) -> None:
    line_added(house)
    turns(house)
    sandbox.advance(minutes=1)
    before = sandbox.summary()["requests"]["sms/receive"]

    turns(house)

    assert sandbox.summary()["requests"]["sms/receive"] == before + 1


@pytest.mark.parametrize("empty", ["null", "[]", "449"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_whatever_the_gateway_says_to_an_empty_inbox_and_in_whatever_order(
    house: House, engine: Engine, sandbox: Sandbox, empty: str, order: str
) -> None:
    sandbox.turn(inbox_empty=empty, inbox_order=order)
    line_added(house)
    crowd(sandbox, 200)

    turns(house)

    assert missing(engine, sandbox) == 0
    assert row(engine).trouble is None


def test_a_backlog_is_drained_in_turns_that_leave_room_for_others(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    hasty = replace(house, policy=replace(house.policy, inbox_turn=timedelta(milliseconds=1)))
    line_added(house)
    crowd(sandbox, 450, age_s=0)

    first = pull.run(hasty, SENDER)

    assert (first.stored, first.more) == (100, True)
    assert first.summary == "1 pages, 100 new, more to come"
    line = row(engine)
    assert (line.doubtful_since, line.complete_to, line.leased_until) == (None, None, None)
    assert line.due_at <= house.now()
    turns(hasty)
    assert missing(engine, sandbox) == 0
    assert sandbox.inbox_summary()[SENDER]["unread"] == 0


# ── one worker at a time ──


def test_while_one_worker_has_the_line_nobody_else_pulls_it(house: House, engine: Engine, sandbox: Sandbox) -> None:
    line_added(house)
    crowd(sandbox, 5)
    claim = house.database(lines.claim, SENDER, owner=uuid4(), now=house.now(), **_times(house))
    assert claim is not None

    assert pull.run(house, SENDER).summary == "not due"
    assert row(engine).doubtful_since is not None  # written down before anything is asked
    assert stored(engine) == []


def test_a_worker_that_lost_the_line_still_stores_what_it_was_given_and_asks_for_nothing_more(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 300, age_s=0)

    class Overtaking:
        """While the first answer is under way, somebody else takes the line."""

        def __getattr__(self, name: str) -> object:
            return getattr(house.gateway, name)

        def receive(self, line: str, **options: object) -> object:
            page = house.gateway.receive(line, **options)  # type: ignore[arg-type]
            with engine.begin() as connection:
                connection.execute(text("UPDATE sms.lines SET attempt = attempt + 1"))
            return page

    pulled = pull.run(replace(house, gateway=Overtaking()), SENDER)  # type: ignore[arg-type]

    assert (pulled.stored, pulled.pages) == (100, 1)
    assert "another worker" in pulled.trouble
    assert len(stored(engine)) == 100
    assert row(engine).doubtful_since is not None


# ── the gateway says not now, or no ──


@pytest.mark.parametrize("code", [409, 451])
def test_a_gateway_that_is_busy_costs_nothing_but_time(
    house: House, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    line_added(house)
    crowd(sandbox, 250, age_s=0)
    sandbox.arm("code", "sms/receive", skip=1, count=3, code=code)

    (first,) = turns(house)

    line = row(engine)
    assert first.stored == 100
    assert (line.doubtful_since, line.trouble, line.leased_until) == (None, None, None)
    assert line.due_at > house.now()


def test_no_connection_is_no_loss(house: House, engine: Engine, sandbox: Sandbox, closed_port_url: str) -> None:
    line_added(house)
    crowd(sandbox, 5)

    pulled = pull.run(at(house, closed_port_url), SENDER)

    line = row(engine)
    assert "no connection" in pulled.trouble
    assert line.doubtful_since is None
    assert line.trouble is not None
    sandbox.advance(seconds=10)
    turns(house)
    assert missing(engine, sandbox) == 0
    assert row(engine).trouble is None


@pytest.mark.parametrize("code", [412, 407])
def test_a_line_that_is_refused_waits_long_is_shown_and_stops_no_other(
    house: House, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    line_added(house)
    line_added(house, "30002626")
    crowd(sandbox, 5)
    sandbox.arm("code", "sms/receive", count=1, code=code)

    refused = pull.run(house, "30002626")
    turns(house)

    line = row(engine, "30002626")
    assert str(code) in refused.trouble
    assert str(code) in (line.trouble or "")
    assert line.doubtful_since is None
    assert line.due_at - house.now() > timedelta(minutes=14)
    assert missing(engine, sandbox) == 0


@pytest.mark.parametrize("code", [401, 403, 416, 418])
def test_a_line_waits_no_longer_than_the_account_where_the_key_or_the_account_was_refused(
    house: House, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    line_added(house, "30002626")
    sandbox.arm("code", "sms/receive", count=1, code=code)

    assert str(code) in pull.run(house, "30002626").trouble

    line = row(engine, "30002626")
    assert line.due_at - house.now() <= max(house.policy.hold_recheck, timedelta(minutes=1))
    sandbox.advance(seconds=120)
    assert pull.run(house, "30002626").trouble == ""


def test_a_failure_without_a_cause_leaves_the_line_in_doubt(house: House, engine: Engine, sandbox: Sandbox) -> None:
    """The gateway may have marked messages read before it failed."""
    line_added(house)
    sandbox.arm("code", "sms/receive", count=1, code=402)

    pull.run(house, SENDER)

    assert row(engine).doubtful_since is not None


def test_pages_of_which_nothing_can_be_read_come_to_an_end_and_have_the_days_gone_through(
    house: House, engine: Engine, scripted: ScriptedServer
) -> None:
    line_added(house, every=timedelta(hours=1))
    with engine.begin() as connection:
        later = {"at": house.now() + timedelta(hours=1)}
        connection.execute(text("UPDATE sms.lines SET reconcile_at = :at, thorough_at = :at"), later)
    scripted.will(scripted.answer(200, [{"messageid": "?", "message": "x"}] * 100))

    pulled = pull.run(at(house, scripted.url), SENDER)

    assert (pulled.more, len(scripted.received)) == (False, 2)
    with engine.connect() as connection:
        thorough_at = connection.execute(text("SELECT thorough_at FROM sms.lines")).scalar_one()
    assert thorough_at <= house.now()


# ── nothing is told that is nobody's business ──


def test_no_number_and_no_text_is_in_the_logs_or_the_summary(
    house: House, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    line_added(house)
    sandbox.inject({"line": SENDER, "sender": "09123334455", "text": "راز من", "age_s": 5})
    sandbox.arm("accept_then_drop", "sms/receive", skip=1, count=1)

    told = " ".join(pulled.summary for pulled in turns(house))

    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "inbox page stored" in logged
    for secret in ("9123334455", "راز", "v1/sandbox"):
        assert secret not in told + logged


def _times(house: House) -> dict[str, timedelta]:
    return {"lease": house.policy.lease, "settle": house.policy.unknown_grace}
