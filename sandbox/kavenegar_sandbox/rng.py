"""Random numbers that repeat: the same arguments give the same number in every process and on every run."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")
_WORD = (1 << 64) - 1


def uniform(seed: int, *numbers: int) -> float:
    """Return a number in [0, 1), determined by its arguments (the mixing function of splitmix64, once per number)."""
    state = seed & _WORD
    for number in numbers:
        state = (state + number) * 0x9E3779B97F4A7C15 & _WORD
        state = (state ^ state >> 31) * 0xBF58476D1CE4E5B9 & _WORD
        state ^= state >> 29
    return state / (_WORD + 1)


def shuffled(rows: list[T], *numbers: int) -> list[T]:
    """Return the rows in an order determined by `numbers`."""
    places = sorted(range(len(rows)), key=lambda place: uniform(*numbers, place, 4))
    return [rows[place] for place in places]
