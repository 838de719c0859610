"""A stray quote costs its own row: it never joins the cells of several people, and no row is lost without a reject."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import estimate
from tests.stages.recipients import sift

NAMES = ["سارا", "علی", "مینا", "رضا", "زهرا", "امیر"]
ROWS = [f"{name},0970555000{at}" for at, name in enumerate(NAMES, 1)]


def file_of(rows: list[str], header: str = "name,mobile") -> io.BytesIO:
    return io.BytesIO("\n".join([header, *rows, ""]).encode())


def test_two_stray_quotes_cost_their_rows_and_no_text_holds_another_persons_data() -> None:
    rows = ['"' + row if at in {0, 3} else row for at, row in enumerate(ROWS)]
    messages, rejects = sift(file_of(rows), "سلام {name}")
    assert [(row_no, text) for row_no, _, text in messages] == [
        (3, "سلام علی"),
        (4, "سلام مینا"),
        (6, "سلام زهرا"),
        (7, "سلام امیر"),
    ]
    assert [(reject.row_no, reject.kind, reject.value) for reject in rejects] == [
        (2, "shape", rows[0]),
        (5, "shape", rows[3]),
    ]
    assert "a quote is left open" in rejects[0].reason


def test_quotes_that_close_properly_join_no_rows_either() -> None:
    rows = ['"' + ROWS[0], ROWS[1], 'مینا",09705550003', *ROWS[3:]]
    messages, rejects = sift(file_of(rows), "سلام {name}")
    assert [text for _, _, text in messages] == ["سلام علی", "سلام رضا", "سلام زهرا", "سلام امیر"]
    assert [reject.row_no for reject in rejects] == [2, 4]


def test_rows_that_would_be_rejected_are_not_swallowed_unseen() -> None:
    rows = ['"دفتر,02100000001', "انبار,02100000002", 'سارا",09705550001', ROWS[1]]
    messages, rejects = sift(file_of(rows), "سلام {name}")
    assert [text for _, _, text in messages] == ["سلام علی"]
    assert [reject.row_no for reject in rejects] == [2, 3, 4]


def test_a_quote_that_is_left_open_at_the_end_costs_one_row() -> None:
    messages, rejects = sift(file_of([*ROWS[:3], '"' + ROWS[3]]))
    assert [row_no for row_no, _, _ in messages] == [2, 3, 4]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(5, "shape")]


@pytest.mark.parametrize("many", [10, 10_000])
def test_a_quote_that_is_left_open_costs_one_row_however_long_the_file_is(many: int) -> None:
    rows = [f"کسی,0970{at:07d}" for at in range(many)]
    found = estimate(file_of(['"' + rows[0], *rows[1:]]), "سلام {name}")
    assert (found.rows_read, found.messages, found.rejects) == (many, many - 1, 1)


def test_rows_below_an_open_quote_are_read_even_where_none_of_them_holds_a_number() -> None:
    found = estimate(file_of([ROWS[0], '"', *["هیچ"] * 5_000, ROWS[1]]), "سلام {name}")
    assert (found.rows_read, found.messages, found.rejects) == (5_003, 2, 5_001)


def test_text_behind_a_closing_quote_is_refused_by_its_row() -> None:
    messages, rejects = sift(file_of([ROWS[0], '"مینا" الف,09705550003', ROWS[1]]))
    assert [row_no for row_no, _, _ in messages] == [2, 4]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(3, "shape")]
    assert "behind a closing quote" in rejects[0].reason


def test_a_cell_of_one_line_that_holds_another_persons_number_is_refused() -> None:
    messages, rejects = sift(file_of(['"سارا,09705550001",09705550002', ROWS[2]]), "سلام {name}")
    assert [text for _, _, text in messages] == ["سلام مینا"]
    assert [reject.row_no for reject in rejects] == [2]


def test_quotes_that_are_right_keep_their_line_ends_commas_and_quotes() -> None:
    rows = ['"سارا\nکریمی",09705550001', '"الف، ""ب"", پ",09705550002', 'پیچ 5" ریز,09705550003', '"",09705550004']
    messages, rejects = sift(file_of(rows), "{name}")
    assert [text for _, _, text in messages] == ["سارا کریمی", 'الف، "ب", پ', 'پیچ 5" ریز']
    assert [reject.kind for reject in rejects] == ["placeholder"]


def test_a_header_with_a_stray_quote_is_refused_by_its_row() -> None:
    with pytest.raises(BadInput, match="row 1: the header cannot be read: a quote is left open"):
        sift(file_of(ROWS, header='"name,mobile'), "سلام {name}")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=4))
def test_wherever_quotes_stray_every_row_is_a_message_or_a_reject_and_holds_one_person(
    strays: list[tuple[int, int]],
) -> None:
    rows = list(ROWS)
    for row, place in strays:
        at = min(place, len(rows[row]))
        rows[row] = rows[row][:at] + '"' + rows[row][at:]
    messages, rejects = sift(file_of(rows), "سلام {name}")
    assert sorted([row for row, _, _ in messages] + [reject.row_no for reject in rejects]) == [2, 3, 4, 5, 6, 7]
    for row_no, number, text in messages:
        assert number == f"0970555000{row_no - 1}"
        assert sum(name in str(text) for name in NAMES) <= 1
