"""What the tests of following messages take for granted: a campaign that the gateway has, and the calls made so far."""

from __future__ import annotations

from sqlalchemy import Engine

from campaigns.house import House
from tests.world import answer_bells, running, states


def accepted(house: House, engine: Engine, count: int) -> int:
    """A campaign whose messages the gateway has since now."""
    campaign = running(engine, count)
    answer_bells(house)
    assert states(engine, campaign) == {"accepted": count}
    return campaign


def calls(house: House) -> int:
    """How many calls of all lanes the pace has let out within a minute."""
    return sum(lane.calls for lane in house.pace.view().lanes.values())
