"""Opt-out words: a message opts out if it *is* an opt-out word, however it is written.

«ساعت ۱۱ می‌آیم» is no opt-out, and neither are 2011 and «لغوی»: a number that is suppressed by mistake misses messages
that its owner wants, and nobody notices.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

WORDS: Final = ("لغو", "لغو۱۱", "لغو 11", "11", "STOP")
"""What people send to be left alone; 11 and «لغو۱۱» are what Iranian operators tell them to send."""

_ONE_LETTER: Final = str.maketrans("يىك", "ییک")  # Arabic keyboards write these for the Persian letters
_TATWEEL: Final = "\u0640"
_UNSEEN: Final = frozenset({"Cf", "Mn", "Me"})  # half-spaces and bidi marks, vowel signs, the frame of a keycap emoji
_RUNS: Final = re.compile(r"[^\W\d_]+|[0-9]+")

Runs = tuple[str, ...]
"""Runs of letters and runs of digits: «لغو ۱۱» and «لغو۱۱» are both ("لغو", "11"), and «1 1» is not ("11",)."""


def opts_out(text: str, words: Sequence[str] = WORDS, *, anywhere: bool = False) -> bool:
    """Whether `text` is one of `words`.

    What people and keyboards vary does not matter: case, Arabic or Persian letters and digits, half-spaces, vowel
    signs, spaces between a word and its digits, and the punctuation and emoji around it.

    With `anywhere`, a word that has a letter in it also counts as a whole word within a sentence: «لطفا لغو کنید».
    """
    said = runs(text)
    asked = [_of_a_word(word) for word in words]
    if said and said in asked:
        return True
    return anywhere and any(_within(said, word) for word in asked if _has_letter(word))


def runs(text: str) -> Runs:
    """What is left of a text when everything is gone that may vary; nothing where there is no letter and no digit."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_ONE_LETTER)
    return tuple(_RUNS.findall("".join(map(_seen, folded))))


_of_a_word = lru_cache(maxsize=64)(runs)


def _seen(letter: str) -> str:
    if letter == _TATWEEL or unicodedata.category(letter) in _UNSEEN:
        return ""
    digit = unicodedata.decimal(letter, None)
    return letter if digit is None else str(digit)


def _has_letter(word: Runs) -> bool:
    return any(not run.isdecimal() for run in word)


def _within(said: Runs, word: Runs) -> bool:
    return any(said[at : at + len(word)] == word for at in range(len(said) - len(word) + 1))
