"""What the gateway tells by itself: written down at once, heeded a moment later.

Nothing proves that a callback comes from the gateway. So by default it is a hint: the gateway is asked about the
message, together with all others of which it told in the same few seconds. Where callbacks are trusted, what they say
is merged like any other fact: late, twice or out of order, it only ever moves a message forward.

    note    what was told, as it comes in: no more than one short statement
    look    what became due: whose message is it, and is it news?
    ask     the gateway, about what was gathered
"""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.errors import Postpone
from campaigns.heed.ask import ask, to_be_asked
from campaigns.heed.look import look
from campaigns.heed.note import LineNotPulled, Received, received, statuses
from campaigns.house import House
from campaigns.kavenegar.pace import Lane

__all__ = ["Heeded", "LineNotPulled", "Received", "received", "run", "statuses"]


@dataclass(frozen=True, slots=True)
class Heeded:
    """What came of one ring: callbacks looked at, messages asked about, messages moved."""

    looked: int = 0
    asked: int = 0
    moved: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """What Flower shows."""
        told = f"looked at {self.looked}, asked {self.asked}, moved {self.moved}"
        return told + (f", {self.trouble}" if self.trouble else "")


def run(house: House) -> Heeded:
    """Look at the callbacks that are due, then ask about 500 of those that were gathered.

    Ringing twice is harmless: nobody looks at what another looks at, and the claim decides who asks.
    """
    looked, moved = look(house)
    if not house.database(to_be_asked, now=house.now()):
        return Heeded(looked, moved=moved)
    try:
        house.gateway.admit(Lane.POLL)
    except Postpone as why:
        return Heeded(looked, moved=moved, trouble=f"put off for {why.retry_after_s:.0f} s")
    asked, confirmed, trouble = ask(house)
    return Heeded(looked, asked, moved + confirmed, trouble)
