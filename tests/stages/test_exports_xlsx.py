"""Exports as workbooks: real XLSX, text where a spreadsheet would change a number, no formula, and flat memory."""

from __future__ import annotations

import io
import tempfile
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.cell import Cell
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.api.suppression import SUPPRESSED_COLUMNS, export_suppressed
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.exports import Layout, format_of, row_writer
from kavenegar_campaigns.stages.inbox.deliver import INBOUND_COLUMNS as INBOX_COLUMNS
from kavenegar_campaigns.stages.inbox.deliver import export_inbound as export_inbox
from kavenegar_campaigns.stages.report import REPORT_COLUMNS, export_report_file
from kavenegar_campaigns.store import inbound
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from tests.world import SENDER, Sandbox, numbers, run_due_work, running

LAYOUT = Layout("list", ("row", "text"), frozenset({"row"}))
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=", "#N/A", "x;=1+1"]


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def cells(content: bytes, sheet: str | None = None) -> list[tuple[Cell, ...]]:
    book = load_workbook(io.BytesIO(content))
    return list(book[sheet] if sheet else book.active)  # type: ignore[arg-type]


def values(rows: Sequence[tuple[Cell, ...]]) -> list[list[object]]:
    return [[cell.value for cell in row] for row in rows]


def written(rows: Sequence[Sequence[object]], **options: int) -> bytes:
    out = io.BytesIO()
    with row_writer(out, LAYOUT, "xlsx", **options) as write:
        for row in rows:
            write(row)
    return out.getvalue()


def test_the_report_is_a_workbook_whose_ids_and_numbers_are_text(
    context: Context, engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A spreadsheet keeps 15 digits of a number; a localid has up to 16, and a telephone number begins with a zero."""
    campaign = running(engine, 2)
    run_due_work(context)
    with engine.connect() as connection:
        assert export_report_file(connection, campaign, tmp_path / "report.xlsx") == 2
        (localid,) = connection.execute(text("SELECT id FROM sms.messages WHERE row_no = 1")).one()

    rows = cells((tmp_path / "report.xlsx").read_bytes())

    assert tuple(values(rows)[0]) == REPORT_COLUMNS
    first = dict(zip(REPORT_COLUMNS, rows[1], strict=True))
    assert first["number"].value == numbers(1)[0]
    assert first["localid"].value == str(localid)
    as_text = {name for name, cell in first.items() if cell.data_type in {"s", "inlineStr"}}
    assert {"number", "message_id", "localid"} <= as_text
    assert {first[name].number_format for name in ("number", "message_id", "localid")} == {"@"}
    assert (first["row"].value, first["parts"].value, first["cost_rial"].value) == (1, 1, 120)


def test_no_cell_of_a_workbook_is_a_formula_and_none_is_changed() -> None:
    rows = cells(written([(place, value) for place, value in enumerate(FORMULAS)]))
    assert [row[1].value for row in rows[1:]] == FORMULAS
    assert {row[1].data_type for row in rows[1:]} <= {"s", "inlineStr"}
    assert {row[1].number_format for row in rows[1:]} == {"@"}  # so that editing a cell makes no formula of it


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    rows = cells(written([(1, "a\x00b\x0bc\ud800d\uffff")]))
    assert rows[1][1].value == "a�b�c�d�"


def test_what_does_not_fit_into_a_sheet_goes_into_the_next() -> None:
    content = written([(place, str(place)) for place in range(5)], most_rows=3)
    assert load_workbook(io.BytesIO(content)).sheetnames == ["list", "list 2", "list 3"]
    assert values(cells(content, "list 2")) == [["row", "text"], [2, "2"], [3, "3"]]


def test_the_inbox_is_a_workbook_too(engine: Engine) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    arrived = Arrival(1234567890123456, "09701234567", "=1+1", at)
    with engine.begin() as connection:
        inbound.store_new(connection, SENDER, [arrived], via=Via.RECEIVE, watch=InboundPolicy(deliver=False), now=at)
    out = io.BytesIO()
    with engine.connect() as connection:
        assert export_inbox(connection, out, "xlsx") == 1
    found = dict(zip(INBOX_COLUMNS, values(cells(out.getvalue()))[1], strict=True))
    assert found["id"] == "1234567890123456"
    assert (found["line"], found["number"], found["text"]) == (SENDER, "09701234567", "=1+1")
    assert found["received_at"] == "2026-11-01T00:00:00+00:00"


def test_suppressed_numbers_are_a_workbook_too(engine: Engine) -> None:
    with engine.begin() as connection:
        campaigns.suppress(connection, numbers(2), reason="=cmd")
    out = io.BytesIO()
    with engine.connect() as connection:
        assert export_suppressed(connection, out, "xlsx") == 2
    rows = values(cells(out.getvalue()))
    assert tuple(rows[0]) == SUPPRESSED_COLUMNS
    assert [row[0] for row in rows[1:]] == sorted(numbers(2))
    assert rows[1][1] == "=cmd"


@pytest.mark.parametrize("name", ["report.xls", "report.ods", "report.XLSB", "report.txt", "report.csv.gz"])
def test_a_name_that_is_neither_csv_nor_xlsx_is_refused_and_nothing_is_written(
    name: str, engine: Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER)
        with pytest.raises(BadInput, match=r"name it \.xlsx for a workbook, or \.csv"):
            export_report_file(connection, campaign, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "means"), [("a.csv", "csv"), ("A.CSV", "csv"), ("a.XLSX", "xlsx"), ("a", "csv")])
def test_the_ending_of_a_name_says_the_format(name: str, means: str) -> None:
    assert format_of(Path(name)) == means


def test_the_python_door_takes_a_format_and_a_file_that_fits_it(engine: Engine) -> None:
    out = io.BytesIO()
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(3), text="سلام", sender=SENDER)
        assert campaigns.export(connection, campaign, out, "xlsx") == 3
        with pytest.raises(BadInput, match='no format "xls": it is csv or xlsx'):
            campaigns.export(connection, campaign, out, "xls")
        with pytest.raises(BadInput, match="opened as binary"):
            campaigns.export(connection, campaign, io.StringIO(), "xlsx")
        with pytest.raises(BadInput, match="opened as text"):
            campaigns.export(connection, campaign, io.BytesIO())
    assert len(cells(out.getvalue())) == 4


def test_a_workbook_that_is_given_up_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = io.BytesIO()
    waiting: list[int] = []

    def give_up() -> None:
        with row_writer(out, LAYOUT, "xlsx") as write:
            write((1, "x"))
            waiting.append(len(list(tmp_path.iterdir())))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    assert waiting == [1]
    assert list(tmp_path.iterdir()) == []
    assert out.getvalue() == b""


def _peak(rows: int) -> int:
    """Bytes that Python holds at most while a workbook of so many rows is written into a file."""
    tracemalloc.start()
    with tempfile.TemporaryFile() as out, row_writer(out, LAYOUT, "xlsx") as write:
        for place in range(rows):
            write((place, f"{place:016}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_stays_flat_however_many_rows_a_workbook_has() -> None:
    _peak(10)  # openpyxl is imported
    assert _peak(6000) < _peak(300) + 1_000_000
