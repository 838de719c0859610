"""Who asks to be left alone: the message is an opt-out word, however it is written, and never merely contains one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.rules.suppression import OPT_OUT_WORDS, is_opt_out, word_runs

OUT = [
    "لغو",
    "لغو۱۱",
    "لغو 11",
    "لغو ١١",  # Arabic digits
    "لغو\u200c۱۱",  # a half-space
    "\u200fلغو 11\u200e",  # bidi marks
    "لغـــو",  # tatweel
    "لَغو",  # a vowel sign
    "«لغو»",
    "لغو!",
    "لغو.\n",
    "🙏 لغو 🙏",
    "11",
    "۱۱",
    "١١",
    " 11 ",
    "(11)",
    "1️⃣1️⃣",  # keycap emoji
    "STOP",
    " Stop. ",
    "sToP",
    "ＳＴＯＰ",  # full width
    "\ufeffSTOP",
]

NOT_OUT = [
    "",
    "   ",
    "؟!",
    "ساعت 11 می‌آیم",
    "2011",
    "۱۱۰",
    "1 1",
    "1.1",
    "11:30",
    "11 11",
    "stopover",
    "STOP11",
    "s t o p",
    "don't stop",
    "لغوی",
    "ملغو",
    "لغو ۱۲",
    "لغو۱۱۰",
    "لغو نکنید",
    "لطفا لغو کنید",
]


@pytest.mark.parametrize("text", OUT)
def test_an_opt_out_word_is_understood_however_it_is_written(text: str) -> None:
    assert is_opt_out(text)


@pytest.mark.parametrize("text", NOT_OUT)
def test_what_merely_contains_an_opt_out_word_opts_nobody_out(text: str) -> None:
    assert not is_opt_out(text)


@pytest.mark.parametrize("text", ["لطفا لغو کنید", "please STOP it", "دیگر پیام ندهید. لغو", "لغو 11 لطفا"])
def test_anywhere_a_word_counts_within_a_sentence(text: str) -> None:
    assert not is_opt_out(text)
    assert is_opt_out(text, anywhere=True)


@pytest.mark.parametrize("text", ["ساعت 11 می‌آیم", "2011", "stopover", "لغوی", "11 نفر هستیم", "the unstoppable"])
def test_anywhere_means_whole_words_and_never_a_bare_number(text: str) -> None:
    assert not is_opt_out(text, anywhere=True)


def test_the_words_are_those_that_are_given() -> None:
    assert is_opt_out("ارسال نکن", ["ارسال نکن"])
    assert is_opt_out("  ارسال   نکن ", ["ارسال نکن"])
    assert not is_opt_out("لغو", ["ارسال نکن"])
    assert not is_opt_out("", ["", "!"])
    assert not is_opt_out("نکن ارسال", ["ارسال نکن"], anywhere=True)
    assert is_opt_out("لطفا ارسال نکن دیگر", ["ارسال نکن"], anywhere=True)
    assert is_opt_out("لغو كنيد", ["لغو کنید"])  # the letters of an Arabic keyboard


_DIGITS = ["0123456789", "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩"]
_MARKS = st.text(
    st.sampled_from("\u200c\u200d\u200e\u200f\u202a\u202c\u2066\u2069\ufeff\u00ad\u0640\u064e"), max_size=3
)
_EDGES = st.text(st.sampled_from(" \t\n.,!?؟،؛«»\"'()[]…-—*🙏😡❌"), max_size=4)


@st.composite
def respelled(draw: st.DrawFn) -> str:
    """One of the words as people and keyboards vary it."""
    word = draw(st.sampled_from(OPT_OUT_WORDS))
    spelt = ""
    for letter in word:
        digits = draw(st.sampled_from(_DIGITS))
        changed = digits[_DIGITS[1].index(letter)] if letter in _DIGITS[1] else letter
        changed = digits[int(letter)] if letter in _DIGITS[0] else changed
        spelt += draw(st.sampled_from([changed.lower(), changed.upper()])) + draw(_MARKS)
    return draw(_EDGES) + spelt + draw(_EDGES)


@given(respelled())
def test_no_respelling_of_a_word_hides_it(text: str) -> None:
    assert is_opt_out(text)


@given(respelled(), st.sampled_from("ابپصنمazZ0۵٧"))
def test_one_more_letter_or_digit_on_a_word_makes_another_word(text: str, letter: str) -> None:
    base = "".join(word_runs(text))
    assert not is_opt_out(base + letter) or word_runs(base + letter) in map(word_runs, OPT_OUT_WORDS)
    assert not is_opt_out(letter + base) or word_runs(letter + base) in map(word_runs, OPT_OUT_WORDS)


@given(st.text(), st.booleans())
def test_any_text_has_an_answer_and_being_folded_again_changes_nothing(text: str, anywhere: bool) -> None:
    folded = word_runs(text)
    assert word_runs(" ".join(folded)) == folded
    assert is_opt_out(text, anywhere=anywhere) == is_opt_out(" ".join(folded), anywhere=anywhere)
    assert not is_opt_out(text) or is_opt_out(text, anywhere=True)
