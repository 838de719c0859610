"""XLS is read where what it holds is what a person sees, and refused with a cure where nobody can tell."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import estimate
from kavenegar_campaigns.stages.intake.calamine_child import MAX_MEMORY, MAX_OUTPUT
from kavenegar_campaigns.stages.intake.xls import XLSB, read_rows
from tests.stages.test_intake_ods import PEOPLE, ods, text_cell

XLS = Path(__file__).parent / "files" / "old_excel.xls"
"""A sheet of two people: one's number and amount are numbers, the other's are texts."""


def test_an_xls_is_read_once_its_hidden_rows_are_meant() -> None:
    with pytest.raises(BadInput, match="which rows of the XLS a filter hides: save it as XLSX"):
        estimate(XLS, "سلام")
    found = estimate(XLS, "سلام {نام}", include_hidden=True)
    assert (found.messages, found.rejects) == (2, 0)
    amounts = estimate(XLS, "{مبلغ}", include_hidden=True)
    assert (amounts.messages, amounts.rejects) == (1, 1)
    with pytest.raises(BadInput, match="there is no sheet other: the sheets are لیست"):
        estimate(XLS, "سلام", sheet="other", include_hidden=True)


@pytest.mark.parametrize("at", [8, 600, 3000])
def test_damage_to_an_xls_is_bad_input_at_worst(at: int) -> None:
    content = XLS.read_bytes()
    with pytest.raises(BadInput, match="no XLS that can be read, or it is very large, or has a password"):
        estimate(io.BytesIO(content[:at]), "سلام", include_hidden=True)


def test_a_sheet_of_more_cells_than_a_list_has_is_refused() -> None:
    far = f'<table:table-cell table:number-columns-repeated="15999"/>{text_cell("far")}'
    file = ods(*PEOPLE, *[[text_cell("09705550003")]] * 330, [far])  # calamine reads it alike
    with pytest.raises(BadInput, match="no XLSB that can be read, or it is very large"):
        next(read_rows(file, XLSB, sheet=None, include_hidden=True))


@pytest.mark.parametrize(
    "greedy",
    [
        pytest.param(f"bytearray({2 * MAX_MEMORY})", id="memory"),
        pytest.param(f"os.ftruncate(1, {MAX_OUTPUT + 1})", id="output"),
    ],
)
def test_the_process_that_reads_a_workbook_may_take_so_much_and_no_more(greedy: str, tmp_path: Path) -> None:
    programs = [
        f"import os; from kavenegar_campaigns.stages.intake import calamine_child; {limit}{greedy}"
        for limit in ("", "calamine_child.limit(); ")
    ]
    free, limited = (_code(program, tmp_path / "written") for program in programs)
    assert free == 0
    assert limited != 0


def _code(program: str, written: Path) -> int:
    with written.open("wb") as out:
        said = subprocess.run([sys.executable, "-c", program], stdout=out, stderr=subprocess.DEVNULL, check=False)
    return said.returncode
