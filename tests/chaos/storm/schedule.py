"""Which act comes when. The seed decides all of it before anything starts, so that a storm can be replayed.

Acts are dealt like cards: whatever the seed, a short storm sees every kind, and a long one each in its share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

GAP_S: Final = (0.7, 4.0)
"""Between the starts of two acts. Many last for some seconds, so that they overlap."""

FIRST_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Cue:
    """`act` begins `at_s` seconds into the storm; `seed` is of all that is random in it."""

    at_s: float
    act: str
    seed: str


def plan(seed: int, *, lasting_s: float, cards: Mapping[str, int]) -> list[Cue]:
    """The cues of a storm, in their order. `cards`: how often each act is in the deck."""
    dice = Random(seed)
    cues: list[Cue] = []
    deck: list[str] = []
    at_s = FIRST_S
    while at_s < lasting_s:
        if not deck:
            deck = [act for act, copies in cards.items() for _ in range(copies)]
            dice.shuffle(deck)
        cues.append(Cue(round(at_s, 2), deck.pop(), f"{seed}/{len(cues)}"))
        at_s += dice.uniform(*GAP_S)
    return cues
