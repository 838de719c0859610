"""The times of the acts of a storm. The seed decides them all before the start, so that a storm can be replayed.

Acts are dealt like cards: whatever the seed, a short storm sees every kind, and a long one each in its share. There are
two decks: after each act of the second, sending stops for a while, so that it is dealt from seldom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

GAP_S: Final = (0.7, 4.0)
"""Between the starts of two acts. Many last for some seconds, so that they overlap."""

FIRST_S: Final = 3.0

RARE_GAP_S: Final = (60.0, 80.0)
RARE_FIRST_S: Final = 12.0
"""Seconds for the acts of the second deck: a storm of ten minutes sees some nine, and each at least once."""


@dataclass(frozen=True, slots=True)
class Cue:
    """`act` begins `at_s` seconds into the storm; `seed` is the seed of its random choices."""

    at_s: float
    act: str
    seed: str


def plan(seed: int, *, lasting_s: float, cards: Mapping[str, int], rare: Mapping[str, int]) -> list[Cue]:
    """Return the cues of a storm, in order. `cards` and `rare`: how often each act is in its deck."""
    often = _dealt(str(seed), cards, Random(seed), at_s=FIRST_S, gap_s=GAP_S, until_s=lasting_s)
    second = f"{seed}/rare"
    seldom = _dealt(second, rare, Random(second), at_s=RARE_FIRST_S, gap_s=RARE_GAP_S, until_s=lasting_s)
    return sorted([*often, *seldom], key=lambda cue: cue.at_s)


def _dealt(
    name: str, cards: Mapping[str, int], rng: Random, *, at_s: float, gap_s: tuple[float, float], until_s: float
) -> Iterator[Cue]:
    """Deal one deck again and again; yields nothing where it is empty."""
    whole = [act for act, copies in cards.items() for _ in range(copies)]
    deck: list[str] = []
    number = 0
    while whole and at_s < until_s:
        if not deck:
            deck = rng.sample(whole, len(whole))
        yield Cue(round(at_s, 2), deck.pop(), f"{name}/{number}")
        number += 1
        at_s += rng.uniform(*gap_s)
