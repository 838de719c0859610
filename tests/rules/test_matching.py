"""Which answered row belongs to which message, when answers come reordered, short, doubled or from strangers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.rules.batches import match_answer, same_sender, same_text

SENDER = "10004346"


@dataclass(frozen=True)
class Row:
    """A row of an answer, with an id to know it by."""

    messageid: int
    receptor: str
    sender: str = SENDER
    message: str = "سلام"


def answer(count: int) -> list[Row]:
    return [Row(place, f"0912{place:07d}", message=f"سلام {place}") for place in range(count)]


def texts(rows: Sequence[Row]) -> dict[str, str]:
    return {row.receptor: row.message for row in rows}


def keyed(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    return [(row.receptor, row) for row in rows]


@given(st.data())
def test_whatever_the_order_and_the_gaps_each_row_comes_to_its_own_number(data: st.DataObject) -> None:
    whole = answer(data.draw(st.integers(1, 30)))
    came = data.draw(st.permutations(whole))[: data.draw(st.integers(0, len(whole)))]
    doubled = data.draw(st.lists(st.sampled_from(came), max_size=5)) if came else []

    found = match_answer(texts(whole), SENDER, keyed([*came, *doubled]))

    assert dict(found.rows) == {row.receptor: row for row in came}
    assert found.foreign == []


@given(st.data())
def test_a_row_that_is_not_ours_is_a_stranger_and_takes_nobodys_place(data: st.DataObject) -> None:
    ours = answer(data.draw(st.integers(1, 10)))
    victim = data.draw(st.sampled_from(ours))
    stranger = data.draw(
        st.sampled_from(
            [
                Row(99, "09350000000", message=victim.message),
                Row(99, victim.receptor, message="متن کس دیگر"),
                Row(99, victim.receptor, sender="30002626", message=victim.message),
                Row(99, victim.receptor, message=victim.message[:-1]),
                Row(99, victim.receptor, message=""),
            ]
        )
    )
    rows = data.draw(st.permutations([*ours, stranger]))

    found = match_answer(texts(ours), SENDER, keyed(rows))

    assert dict(found.rows) == {row.receptor: row for row in ours}
    assert [row.messageid for row in found.foreign] == [stranger.messageid]


def test_a_number_answered_twice_keeps_the_first_answer() -> None:
    first, second = Row(1, "09121234567"), Row(2, "09121234567")
    assert match_answer({"09121234567": "سلام"}, SENDER, keyed([first, second])).rows == {"09121234567": first}


@pytest.mark.parametrize("theirs", ["10004346", "+9810004346", "009810004346", "9810004346", "010004346", ""])
def test_one_line_has_many_spellings(theirs: str) -> None:
    assert same_sender("10004346", theirs)


@pytest.mark.parametrize("theirs", ["30002626", "1000434", "100043466", "4346", "+98"])
def test_another_line_is_another_line(theirs: str) -> None:
    assert not same_sender("10004346", theirs)


@pytest.mark.parametrize(
    "theirs",
    [
        "سلام علی، سفارش شما آماده است",
        "سلام علی،  سفارش شما\nآماده است",
        " سلام علی، سفارش شما آماده است ",
        "سلام علی، سفارش شما آماده است\nلغو۱۱",
    ],
)
def test_an_echo_may_fold_white_space_and_carry_a_footer(theirs: str) -> None:
    assert same_text("سلام علی، سفارش شما آماده است", theirs)


@pytest.mark.parametrize("theirs", ["", "سلام", "سلام مریم، سفارش شما آماده است", "علی، سفارش شما آماده است"])
def test_an_echo_of_another_text_is_not_ours(theirs: str) -> None:
    assert not same_text("سلام علی، سفارش شما آماده است", theirs)


@given(st.text(min_size=1).filter(str.strip))
def test_every_text_is_its_own_echo(text: str) -> None:
    assert same_text(text, text)
    assert same_text(text, f"{text} لغو11")
