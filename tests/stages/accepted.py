"""What the tests of following messages take for granted: a campaign that the gateway has, and the calls made so far."""

from __future__ import annotations

from sqlalchemy import Engine

from kavenegar_campaigns.context import Context
from tests.world import run_due_work, running, states


def accepted(context: Context, engine: Engine, count: int) -> int:
    """A campaign whose messages the gateway has since now."""
    campaign = running(engine, count)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": count}
    return campaign


def calls(context: Context) -> int:
    """How many calls of all lanes the pace has let out within a minute."""
    return sum(lane.calls for lane in context.pace.view().lanes.values())
