"""Chance that repeats: the same numbers give the same roll in every process and on every run."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


_WORD = (1 << 64) - 1


def uniform(seed: int, *numbers: int) -> float:
    """A number in [0, 1), fixed by its arguments (splitmix64's mixing, once for each number)."""
    state = seed & _WORD
    for number in numbers:
        state = (state + number) * 0x9E3779B97F4A7C15 & _WORD
        state = (state ^ state >> 31) * 0xBF58476D1CE4E5B9 & _WORD
        state ^= state >> 29
    return state / (_WORD + 1)


def shuffled(rows: list[T], *numbers: int) -> list[T]:
    """The same rows in an order fixed by `numbers`."""
    places = sorted(range(len(rows)), key=lambda place: uniform(*numbers, place, 4))
    return [rows[place] for place in places]
