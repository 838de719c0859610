"""What a person lifted stays lifted until something happens after it, whatever the gateway's clock says.

And a number that the gateway takes for none keeps no other from its lists, and none on them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import SuppressionReason
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages.suppression import Synced, sync_due_line
from kavenegar_campaigns.store import suppressions
from tests.stages.test_suppress_gateway import block_on, calls, known, lift, one, suppress, there
from tests.world import SENDER, Sandbox, numbers

LONG_AGO = datetime(2019, 5, 1, tzinfo=UTC)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    """One database for all."""
    return emptied


def behind(context: Context, **span: float) -> Context:
    """The same context where the gateway's clock is ahead of ours."""
    return replace(context, clock=lambda: context.now() - timedelta(**span))


# ── whose entry it is ──


def test_an_entry_that_was_removed_and_still_shows_is_the_same_and_is_removed_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    made = context.now() - timedelta(hours=1)
    block_on(sandbox, made, *numbers(1), reason=1)
    one(context)
    lift(context, engine, *numbers(1))
    assert one(context).removed == 1
    block_on(sandbox, made, *numbers(1), reason=1)  # as if it had not been taken off

    sandbox.advance(minutes=5)
    assert one(context) == Synced(SENDER, seen=1, removed=1, whole=True)
    assert (known(engine), there(sandbox)) == ({}, {})


def test_an_entry_made_anew_between_two_looks_is_told_from_the_one_before(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Seen, lifted, looked at again, and only then made anew: by its date, which is compared with its own alone."""
    ours = behind(context, hours=-1)
    sandbox.block(SENDER, *numbers(1), reason=2)
    one(ours)
    sandbox.advance(minutes=1)
    lift(ours, engine, *numbers(1))
    one(ours)
    assert known(engine) == {}
    sandbox.advance(minutes=1)
    sandbox.block(SENDER, *numbers(1), reason=2)

    assert one(ours).suppressed == 1
    assert known(engine) == {numbers(1)[0]: "gateway_opt_out"}


def test_our_own_entry_whose_answer_was_lost_does_not_undo_a_lifting(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    ours = behind(context, hours=3, minutes=30)
    suppress(engine, *numbers(1))
    sandbox.arm("http_5xx_html_after", "line/blocked/add", count=9)
    assert one(ours).trouble
    sandbox.disarm()
    assert there(sandbox) == {numbers(1)[0]: 0}
    lift(ours, engine, *numbers(1))
    sandbox.advance(hours=2)

    assert one(ours).removed == 1
    assert (known(engine), there(sandbox)) == ({}, {})


@pytest.mark.parametrize("reason", [0, 2])
def test_an_entry_older_than_a_lifting_does_not_undo_it_where_the_list_was_never_looked_at(
    context: Context, engine: Engine, sandbox: Sandbox, reason: int
) -> None:
    suppress(engine, *numbers(1))
    lift(context, engine, *numbers(1))
    block_on(sandbox, LONG_AGO, *numbers(1), reason=reason)
    sandbox.advance(minutes=1)
    assert one(context).suppressed == 0
    assert known(engine) == {}


def test_what_happened_before_a_lifting_does_not_undo_it_and_a_persons_word_needs_no_date(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(engine, *numbers(1))
    happened_at = context.now()
    sandbox.advance(minutes=1)
    lift(context, engine, *numbers(1))
    with engine.begin() as connection:
        news = suppressions.NewSuppression(numbers(1)[0], SuppressionReason.GATEWAY_OPT_OUT, "a list", happened_at)
        assert suppressions.add_dated(connection, [news], now=context.now()) == 0
        assert suppressions.add_dated(connection, [news._replace(happened_at=None)], now=context.now()) == 0
        assert campaigns.suppress(connection, numbers(1)) == 1


def test_a_look_at_the_newest_alone_proves_nothing_about_an_entry_that_is_older(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The number was lifted after the last whole look, and the entry is too old for the looks since."""
    one(context)
    suppress(engine, *numbers(1), reason=SuppressionReason.BLOCKED)
    lift(context, engine, *numbers(1))
    sandbox.advance(hours=1)
    assert one(context).seen == 0
    block_on(sandbox, LONG_AGO, *numbers(1), reason=2)
    sandbox.advance(hours=25)

    assert one(context) == Synced(SENDER, seen=1, whole=True)
    assert known(engine) == {}


# ── numbers that the gateway refuses ──


def test_a_number_that_the_gateway_refuses_keeps_no_other_off_its_list_and_is_told(
    context: Context, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    suppress(engine, *numbers(5))
    sandbox.arm("code", "line/blocked/add", count=3, code=411)  # all five, the first two, the first

    found = one(context)

    assert (found.written, found.whole) == (4, True)
    assert "refuses 1 of the numbers" in found.trouble
    assert set(there(sandbox)) == set(numbers(5)[1:])
    assert not any(number in caplog.text for number in numbers(5))


def test_a_refused_number_is_not_asked_about_all_the_time_and_is_told_all_the_while(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(engine, *numbers(1))
    sandbox.arm("code", "line/blocked/add", count=1, code=411)
    one(context)
    before = calls(context)
    assert one(context).trouble
    assert calls(context) - before == 1
    sandbox.advance(days=8)
    assert one(context) == Synced(SENDER, written=1, whole=True)
    assert one(context).trouble == ""


def test_a_number_that_cannot_be_removed_keeps_no_other_on_the_list(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(engine, *numbers(4))
    one(context)
    lift(context, engine, *numbers(4))
    sandbox.arm("code", "line/blocked/remove", count=3, code=411)
    found = one(context)
    assert (found.removed, found.whole) == (3, True)
    assert set(there(sandbox)) == set(numbers(1))
    assert known(engine) == {}


def test_where_all_numbers_are_refused_a_scheduled_run_gets_on_and_comes_to_its_end(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(engine, *numbers(120))
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sms.blocklists (line, due_at) VALUES (:line, :now)"),
            {"line": SENDER, "now": context.now()},
        )
    sandbox.arm("code", "line/blocked/add", share=1.0, code=411)
    turns = next(turn for turn in range(1, 10) if sync_due_line(context, SENDER).whole)
    assert turns == 3  # 239 calls to find them all, and one to look at the list
    assert not there(sandbox)


def test_another_refusal_than_of_a_number_ends_the_turn(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    suppress(engine, *numbers(2))
    sandbox.arm("code", "line/blocked/add", count=1, code=604)
    before = calls(context)
    found = one(context)
    assert "604" in found.trouble
    assert not found.whole
    assert calls(context) - before == 2
