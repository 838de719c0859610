"""Chance that repeats: the same numbers give the same roll in every process and on every run."""

from __future__ import annotations

_WORD = (1 << 64) - 1


def roll(seed: int, *numbers: int) -> float:
    """A number in [0, 1), fixed by its arguments (splitmix64's mixing, once for each number)."""
    state = seed & _WORD
    for number in numbers:
        state = (state + number) * 0x9E3779B97F4A7C15 & _WORD
        state = (state ^ state >> 31) * 0xBF58476D1CE4E5B9 & _WORD
        state ^= state >> 29
    return state / (_WORD + 1)
