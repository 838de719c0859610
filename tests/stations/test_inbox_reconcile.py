"""What a lost answer marked read, or others have read before us, is found: every message exactly once, however old."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine, text

from campaigns.house import House
from campaigns.inbox import pull, reconcile
from campaigns.kavenegar.gateway import Gateway
from campaigns.store import inbound, lines
from campaigns.store.database import Database
from campaigns.store.inbound import Arrival, Via, Watch
from tests import waiting
from tests.stations.inboxes import DAY_S, at_rest, came_in, crowd, line_added, missing, row, stored, turns
from tests.world import SENDER, Sandbox, at


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


# ── answers that are lost on the way ──


def test_an_answer_that_is_lost_leaves_the_line_in_doubt_and_is_found_once_it_has_settled(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 250)
    sandbox.arm("accept_then_drop", "sms/receive", skip=1, count=1)

    lost = pull.run(house, SENDER)

    line = row(engine)
    assert (lost.stored, missing(engine, sandbox)) == (100, 150)
    assert line.doubtful_since is not None
    assert timedelta(seconds=80) < line.due_at - house.now() <= house.policy.settle
    house.database(lines.make_due, SENDER, now=house.now())
    assert pull.run(house, SENDER).summary == "not due"  # whoever is in a hurry: the gateway may still act on it
    sandbox.advance(seconds=91)
    asked = sandbox.summary()["requests"]["sms/receive"]
    pull.run(house, SENDER)
    assert sandbox.summary()["requests"]["sms/receive"] == asked  # not before everything is found
    assert missing(engine, sandbox) == 0
    assert row(engine).doubtful_since is None


@pytest.mark.parametrize("fault", ["accept_then_drop", "http_5xx_html_after", "bad_json", "html_200"])
def test_one_answer_in_ten_is_lost(house: House, engine: Engine, sandbox: Sandbox, fault: str) -> None:
    options = {"processed": True} if fault == "html_200" else {}
    line_added(house)
    crowd(sandbox, 3_000, age_s=30 * DAY_S)
    sandbox.arm(fault, "sms/receive", share=0.1, **options)
    sandbox.arm(fault, "sms/inboxpaged", share=0.1, **options)

    at_rest(house, sandbox)

    assert stored(engine) == came_in(sandbox)


def test_a_page_of_old_messages_is_found_as_far_back_as_the_horizon(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 100, age_s=55 * DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)

    at_rest(house, sandbox)

    assert missing(engine, sandbox) == 0


def test_once_a_line_was_complete_a_loss_is_looked_for_only_since_then(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 300, age_s=40 * DAY_S)
    at_rest(house, sandbox)
    sandbox.advance(minutes=20)
    crowd(sandbox, 50, age_s=60)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    before = sandbox.summary()["requests"]["sms/inboxpaged"]

    pull.run(house, SENDER)
    sandbox.advance(seconds=91)
    pull.run(house, SENDER)

    assert missing(engine, sandbox) == 0
    assert row(engine).doubtful_since is None
    assert sandbox.summary()["requests"]["sms/inboxpaged"] - before == 2  # one window, unread and read


def test_in_doubt_a_count_that_happens_to_agree_proves_nothing(house: House, engine: Engine, sandbox: Sandbox) -> None:
    """One message that a callback brought, and the gateway dates otherwise or has deleted, stands for the lost one."""
    line_added(house)
    turns(house)
    sandbox.advance(minutes=20)
    sandbox.inject({"line": SENDER, "sender": "09121234567", "text": "x", "age_s": 60})
    told = [Arrival(1, "09121234567", "x", house.now() - timedelta(minutes=2))]
    house.database(inbound.take_in, SENDER, told, via=Via.CALLBACK, watch=Watch(), now=house.now())
    sandbox.arm("accept_then_drop", "sms/receive", count=1)

    pull.run(house, SENDER)
    sandbox.advance(seconds=91)
    pull.run(house, SENDER)

    assert stored(engine) == [1, *came_in(sandbox)]


def test_a_request_that_the_gateway_still_acts_on_is_waited_for(house: House, engine: Engine, sandbox: Sandbox) -> None:
    """We give up after two seconds, and look only when the gateway cannot act any more."""
    line_added(house)
    crowd(sandbox, 80)
    sandbox.arm("late_accept", "sms/receive", count=1, seconds=3)
    pull.run(at(house, sandbox.url, deadline_s=0.5), SENDER)

    assert row(engine).due_at - house.now() > timedelta(seconds=80)
    waiting.until(lambda: sandbox.inbox_summary()[SENDER]["unread"] == 0, "the late acceptance")
    assert missing(engine, sandbox) == 80
    sandbox.advance(seconds=91)
    at_rest(house, sandbox)
    assert missing(engine, sandbox) == 0


def test_a_late_request_about_the_window_that_reaches_to_now_is_not_taken_for_settled(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """It marks read what came in after we looked: only somebody who still doubts finds that."""
    line_added(house)
    sandbox.arm("late_accept", "sms/inboxpaged", skip=2, count=1, seconds=4)  # of two windows, the second
    pull.run(at(house, sandbox.url, deadline_s=1), SENDER)
    sandbox.inject({"line": SENDER, "sender": "09121234567", "text": "x"})

    waiting.until(lambda: sandbox.inbox_summary()[SENDER]["unread"] == 0, "the late request")
    at_rest(house, sandbox)

    assert missing(engine, sandbox) == 0


def test_a_loss_while_reconciling_leaves_the_doubt_and_what_was_gone_through_stays_gone_through(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 500, age_s=50 * DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.run(house, SENDER)
    sandbox.advance(seconds=91)
    sandbox.arm("accept_then_drop", "sms/inboxpaged", skip=20, count=reconcile.TRIES)

    pull.run(house, SENDER)

    line = row(engine)
    assert line.doubtful_since is not None
    assert line.complete_to is not None
    assert timedelta(days=30) < house.now() - line.complete_to < timedelta(days=45)
    at_rest(house, sandbox)
    assert missing(engine, sandbox) == 0


def test_windows_that_hold_much_are_gone_through_in_parts_and_in_several_turns(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    hasty = replace(house, policy=replace(house.policy, inbox_turn=timedelta(milliseconds=1)))
    line_added(house)
    crowd(sandbox, 6_000, age_s=DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.run(hasty, SENDER)
    sandbox.advance(seconds=91)

    found = turns(hasty, most=120)

    assert missing(engine, sandbox) == 0
    assert row(engine).doubtful_since is None
    assert max(pulled.pages for pulled in found) <= 4 * reconcile.MOST_PAGES


def test_days_that_the_gateway_tells_nobody_of_any_more_do_not_stop_the_line(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 150, age_s=DAY_S)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.run(house, SENDER)
    sandbox.advance(seconds=91)
    sandbox.arm("code", "sms/inboxpaged", count=10, code=417)

    at_rest(house, sandbox)

    assert missing(engine, sandbox) == 0


def test_a_window_in_which_messages_become_read_meanwhile_is_gone_through_again(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """Others read some that stand on a page that has been passed already: the gateway's total tells."""

    class Busy:
        """While the second page of read messages is asked for, other software reads a few of the newest."""

        def __getattr__(self, name: str) -> Any:
            return getattr(house.gateway, name)

        def inboxpaged(self, line: str, **options: Any) -> Any:
            if options["isread"] and options["page"] == 2 and not late:
                late.extend(sandbox.inject([{"line": SENDER, "sender": "09121234567", "text": "x", "age_s": 400}] * 3))
                house.gateway.receive(SENDER)
            return house.gateway.inboxpaged(line, **options)

    late: list[int] = []
    line_added(house)
    crowd(sandbox, 500, age_s=DAY_S / 4)
    sandbox.arm("accept_then_drop", "sms/receive", count=1)
    pull.run(house, SENDER)
    sandbox.advance(seconds=91)

    pull.run(replace(house, gateway=cast("Gateway", Busy())), SENDER)

    assert len(late) == 3
    assert row(engine).doubtful_since is None
    assert missing(engine, sandbox) == 0


# ── what others have read ──


def test_what_other_software_read_before_us_is_found_within_the_last_two_days(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    turns(house)
    crowd(sandbox, 120, age_s=47 * 3600)
    while house.gateway.receive(SENDER).rows:
        pass  # somebody else's software
    sandbox.advance(minutes=1)
    turns(house)
    assert missing(engine, sandbox) == 120

    sandbox.advance(hours=1)
    turns(house)

    assert missing(engine, sandbox) == 0
    line = row(engine)
    assert line.reconciled_at is not None
    assert timedelta(minutes=50) < line.reconcile_at - house.now() <= timedelta(hours=1)


def test_a_look_back_that_finds_nothing_costs_two_calls_a_window_however_much_there_is(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 5_000, age_s=40 * 3600)
    turns(house)
    before = sandbox.summary()["requests"]
    sandbox.advance(hours=1, minutes=1)

    turns(house)

    after = sandbox.summary()["requests"]
    assert after["sms/inboxpaged"] - before["sms/inboxpaged"] == 4
    assert after["sms/countinbox"] - before["sms/countinbox"] == 1


def test_a_few_that_others_read_among_many_are_found(house: House, engine: Engine, sandbox: Sandbox) -> None:
    line_added(house)
    crowd(sandbox, 4_000, age_s=40 * 3600)
    turns(house)
    crowd(sandbox, 7, age_s=30 * 3600, seed=77)
    house.gateway.receive(SENDER)
    sandbox.advance(hours=1, minutes=1)

    turns(house)

    assert missing(engine, sandbox) == 0


def test_a_fault_of_the_look_back_costs_the_pull_before_it_nothing(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 20)
    sandbox.arm("code", "sms/inboxpaged", count=3, code=409)

    turns(house)

    line = row(engine)
    assert missing(engine, sandbox) == 0
    assert line.doubtful_since is None
    assert line.complete_to is not None
    assert line.reconciled_at is None


def test_when_the_gateway_counts_more_than_is_stored_somebody_is_told(
    house: House, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    class Counting:
        """A gateway that counts one more than it hands out."""

        def __getattr__(self, name: str) -> Any:
            return getattr(house.gateway, name)

        def countinbox(self, *span: Any) -> Any:
            told = house.gateway.countinbox(*span)
            return replace(told, sumcount=told.sumcount + 1)

    line_added(house)
    crowd(sandbox, 30, age_s=3600)
    caplog.set_level(logging.WARNING)

    pull.run(replace(house, gateway=cast("Gateway", Counting())), SENDER)

    (told,) = [record for record in caplog.records if record.message == "inbox short"]
    assert vars(told)["gateway"] == vars(told)["ours"] + 1


# ── a worker that dies ──


class Death(BaseException):
    """The process ends here: nothing after it happens."""


class Deadly(Database):
    """Dies before or inside the commit of this number, or right after it."""

    def __init__(self, engine: Engine, *, at: int, where: str) -> None:
        super().__init__(engine)
        self._left, self._where = at, where

    def __call__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        if self._left or self._where == "between":
            found = super().__call__(work, *args, **kwargs)
            self._die(where="between")
            return found
        self._die(where="before")

        def dying(connection: Connection) -> Any:
            found = work(connection, *args, **kwargs)
            self._die(where="inside")
            return found

        return super().__call__(dying)

    def _die(self, *, where: str) -> None:
        if not self._left and self._where == where:
            raise Death


def _dies(house: House, engine: Engine, sandbox: Sandbox, *, at: int, where: str) -> None:
    """A turn that ends at a commit; then time for its lease to lapse and its last request to settle."""
    with pytest.raises(Death):
        pull.run(replace(house, database=Deadly(engine, at=at, where=where)), SENDER)
    sandbox.advance(seconds=121 + 90)


@pytest.mark.parametrize("where", ["before", "inside", "between"])
def test_a_worker_that_dies_at_any_commit_loses_nothing(
    house: House, engine: Engine, sandbox: Sandbox, where: str
) -> None:
    """Its turn: whether the line waits, the claim, three pages, the look back with its counts, and the end."""
    short = replace(house, policy=replace(house.policy, inbox_horizon=timedelta(days=7)))
    for at_commit in range(1, 11):
        _as_new(engine)
        line_added(short)
        crowd(sandbox, 250, age_s=6 * DAY_S, seed=1000 * at_commit)

        _dies(short, engine, sandbox, at=at_commit, where=where)

        at_rest(short, sandbox)
        assert missing(engine, sandbox) == 0, f"{where} commit {at_commit}"


def test_a_worker_that_dies_while_it_reconciles_loses_nothing(house: House, engine: Engine, sandbox: Sandbox) -> None:
    short = replace(house, policy=replace(house.policy, inbox_horizon=timedelta(days=7)))
    for at_commit in range(3, 16):
        _as_new(engine)
        line_added(short)
        crowd(sandbox, 700, age_s=6 * DAY_S, seed=1000 * at_commit)
        sandbox.arm("accept_then_drop", "sms/receive", count=1)
        pull.run(short, SENDER)
        sandbox.advance(seconds=91)

        _dies(short, engine, sandbox, at=at_commit, where="before")

        assert row(engine).doubtful_since is not None
        at_rest(short, sandbox)
        assert missing(engine, sandbox) == 0, f"commit {at_commit}"


def _as_new(engine: Engine) -> None:
    """Nobody has ever pulled the line; what was stored of it stays."""
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE sms.lines"))


def test_an_answer_lost_by_somebody_who_has_lost_the_line_puts_it_in_doubt_all_the_same(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """A worker that stood still past its lease learns late that its answer never came; another has the line by then."""
    line_added(house)
    frozen = _claimed(house)
    sandbox.advance(seconds=121 + 90)
    present = _claimed(house)

    house.database(lines.lose, frozen, complete_to=None, now=house.now(), settle=house.policy.settle, trouble="lost")
    ending = lines.Ending(due_at=house.now(), doubtful_since=None, complete_to=house.now())

    assert not house.database(lines.release, present, ending)
    line = row(engine)
    assert line.doubtful_since == frozen.claimed_at
    assert line.complete_to is None


def _claimed(house: House) -> lines.LineClaim:
    claim = house.database(
        lines.claim,
        SENDER,
        owner=house.owner,
        now=house.now(),
        lease=house.policy.lease,
        settle=house.policy.settle,
    )
    assert claim is not None
    return claim
