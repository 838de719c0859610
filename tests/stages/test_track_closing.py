"""Windows that are about to close: asked about first, and ahead of the sends."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages import track
from tests.stages.accepted import accepted, calls
from tests.world import Sandbox, states


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def test_a_window_that_is_about_to_close_is_asked_about_ahead_of_older_polls_and_of_the_sends(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """500 messages in their last minutes, due since a moment; 600 others have been due for two days."""
    closing = accepted(context, engine, 500)
    sandbox.advance(minutes=1)
    others = accepted(context, engine, 600)
    sandbox.advance(hours=47, minutes=50)
    with engine.begin() as connection:
        connection.execute(
            text("""
                UPDATE sms.batches SET poll_at = CASE WHEN campaign_id = :closing THEN CAST(:now AS timestamptz)
                                                      ELSE poll_at END,
                                       closes_at = CASE WHEN campaign_id = :closing THEN closes_at
                                                        ELSE closes_at + interval '1 hour' END
            """),
            {"closing": closing, "now": context.now()},
        )
    before = context.pace.view().lanes

    assert track.poll_statuses(context, closing=True).moved == 500

    after = context.pace.view().lanes
    assert "accepted" not in states(engine, closing)
    assert states(engine, others) == {"accepted": 600}
    assert after[Lane.CLOSING].calls == before[Lane.CLOSING].calls + 1
    assert after[Lane.POLL].calls == before[Lane.POLL].calls


def test_a_poll_of_closing_windows_takes_along_what_else_is_due(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    accepted(context, engine, 10)
    sandbox.advance(minutes=30)
    accepted(context, engine, 20)
    sandbox.advance(hours=47, minutes=20)
    assert track.poll_statuses(context, closing=True).asked == 30


def test_where_no_window_is_about_to_close_a_poll_that_was_rung_for_one_costs_nothing(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    accepted(context, engine, 10)
    sandbox.advance(hours=1)
    before = calls(context)
    assert track.poll_statuses(context, closing=True).summary == "nothing due"
    assert calls(context) == before


def test_an_ordinary_poll_asks_about_the_oldest_due_whether_they_close_or_not(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    accepted(context, engine, 10)
    sandbox.advance(hours=47, minutes=50)
    before = context.pace.view().lanes
    assert track.poll_statuses(context).moved == 10
    after = context.pace.view().lanes
    assert after[Lane.POLL].calls == before[Lane.POLL].calls + 1
    assert after[Lane.CLOSING].calls == before[Lane.CLOSING].calls
