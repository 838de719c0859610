"""Files that are not what they seem: a clear sentence, little memory, and nothing else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import Estimate, Recipients, estimate

PERSIAN_CSV = "موبایل,نام\n09121234567,علی رضایی\n"


def small_workbook() -> bytes:
    workbook = Workbook()
    workbook.active.append(["mobile", "name"])
    workbook.active.append(["09121234567", "علی"])
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


XLSX = small_workbook()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "there are no recipients"),
        (b"\xef\xbb\xbf", "there are no recipients"),
        (b"\n\n , ,\n", "there are no recipients"),
        (PERSIAN_CSV.encode("utf-16")[:-1], "not UTF-16"),
        (PERSIAN_CSV.encode("utf-16-le"), "looks like UTF-16"),
        ("علي,09121234567\n".encode("cp1256"), "looks like Windows-1256.*save it as CSV UTF-8"),
        (b"<html><body><table><tr><td>09121234567", "a web page or XML.*save it as XLSX"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Workbook/>', "a web page or XML"),
        ("09121234567,café\n".encode("latin-1"), "not UTF-8"),
        (b"09121234567\n0935\x001234567\n", "binary"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, r"workbook.*by the name of a \.csv"),
        (XLSX, r"workbook.*by the name of a \.csv"),
    ],
)
def test_a_csv_that_is_none_is_told_what_it_looks_like_and_what_to_do(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=sentence):
        estimate(path, "سلام")


@pytest.mark.parametrize("content", [b"", b"09121234567\n", XLSX[: len(XLSX) // 2], b"PK\x03\x04 nothing more"])
def test_a_workbook_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "people.xlsx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"no \.?xlsx|no XLSX"):
        estimate(path, "سلام")


@pytest.mark.parametrize("name", ["none.csv", ".", "a\0b", "x" * 300])
def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot be opened"):
        estimate(tmp_path / name, "سلام")


def test_a_number_taken_for_a_path_does_not_appear_in_the_message() -> None:
    with pytest.raises(BadInput, match="a string is taken for a path") as refusal:
        estimate("09121234567", "سلام")
    assert "09121234567" not in str(refusal.value)


@pytest.mark.parametrize("thing", [42, None, object()])
def test_what_holds_no_recipients_is_refused(thing: Recipients) -> None:
    with pytest.raises(BadInput, match="give a path, an open file or an iterable"):
        estimate(thing, "سلام")


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match="there are no recipients"):
        estimate([], "سلام")


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        return self._content.read(size)


def test_a_csv_is_read_from_a_pipe_and_a_workbook_is_not() -> None:
    assert estimate(Pipe(PERSIAN_CSV.encode()), "سلام {نام}").messages == 1
    with pytest.raises(BadInput, match="a file that can seek"):
        estimate(Pipe(XLSX), "سلام")


def test_a_closed_file_and_a_text_file_of_another_encoding_are_refused() -> None:
    closed = io.BytesIO(b"09121234567")
    closed.close()
    with pytest.raises(BadInput, match="cannot be read"):
        estimate(closed, "سلام")
    with pytest.raises(BadInput, match="not utf-8"):
        estimate(io.TextIOWrapper(io.BytesIO(PERSIAN_CSV.replace("ی", "ي").encode("cp1256")), "utf-8"), "سلام")


class Endless(io.RawIOBase):
    """A stream without an end, which counts what was taken from it."""

    def __init__(self, beginning: bytes, rest: bytes) -> None:
        self.taken = 0
        self._beginning, self._rest = beginning, rest

    def read(self, size: int = -1, /) -> bytes:
        start, self.taken = self.taken, self.taken + size
        head = self._beginning[start : start + size]
        return head + (self._rest * (size // len(self._rest) + 1))[: size - len(head)]


@pytest.mark.parametrize(
    ("beginning", "rest"),
    [
        (b"09121234567\n09351234567\n", b"a"),
        (b"09121234567\n09351234567\n", b","),
    ],
    ids=["a line without an end", "cells without an end"],
)
def test_a_row_without_an_end_is_refused_by_its_number_before_it_fills_the_memory(
    beginning: bytes, rest: bytes
) -> None:
    stream = Endless(beginning, rest)
    with pytest.raises(BadInput, match=r"row 3: the row goes on for more than 64 KiB"):
        estimate(stream, "سلام")
    assert stream.taken <= 512 * 1024


def test_a_long_row_that_ends_is_read() -> None:
    file = io.BytesIO(b"09121234567," + b"a" * 60_000 + b"\n09351234567,b\n" * 20_000)
    assert estimate(file, "سلام").rows_read == 20_001


def test_the_row_where_the_encoding_breaks_is_named() -> None:
    with pytest.raises(BadInput, match="row 3: the file is not UTF-8"):
        estimate(io.BytesIO("09121234567,علی\n09351234567,مریم\n".encode() + b"09191234567,\xe3\xd1\xed\xe3\n"), "سلام")


def test_a_workbook_that_unpacks_to_a_thousand_times_its_size_is_refused_unopened() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        with zipfile.ZipFile(io.BytesIO(XLSX)) as workbook:
            for part in workbook.infolist():
                archive.writestr(part, workbook.read(part))
        archive.writestr("xl/sharedStrings2.xml", b" " * 20_000_000)
    bomb.seek(0)
    with pytest.raises(BadInput, match="unpacks to far more"):
        estimate(bomb, "سلام")


def test_a_sheet_with_more_rows_than_the_format_has_is_refused() -> None:
    odd = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(XLSX)) as workbook, zipfile.ZipFile(odd, "w") as archive:
        for part in workbook.infolist():
            sheet = workbook.read(part).replace(b'<row r="2"', b'<row r="2000000000"')
            archive.writestr(part, sheet)
    odd.seek(0)
    with pytest.raises(BadInput, match="more than 1048576 rows"):
        estimate(odd, "سلام")


def test_a_number_in_a_date_cell_is_rejected_and_quoted_nowhere(recwarn: pytest.WarningsRecorder) -> None:
    workbook = Workbook()
    workbook.active.append([9351234567])
    workbook.active["A1"].number_format = "yyyy-mm-dd"
    workbook.active.append(["09121234567"])
    file = io.BytesIO()
    workbook.save(file)
    file.seek(0)
    found = estimate(file, "سلام")
    assert (found.messages, found.rejects) == (1, 1)
    assert not any("9351234567" in said for said in [*found.reasons, *(str(one.message) for one in recwarn)])


def anything(recipients: Recipients, text: str = "سلام {2}") -> Estimate | None:
    """An estimate, or None for bad input. Any other exception is the finding."""
    try:
        return estimate(recipients, text)
    except BadInput:
        return None


@settings(deadline=None)
@given(st.binary(max_size=400) | st.text('09123456 ,;"\n\t\r|aعلی', max_size=400).map(str.encode))
@example(b"09121234567\n" * 100 + b"\xff")
@example("09121234567,\ud800".encode("utf-8", "surrogatepass"))
def test_any_bytes_are_recipients_or_bad_input(content: bytes) -> None:
    found = anything(io.BytesIO(content), "سلام")
    assert found is None or found.rows_read == found.messages + found.duplicates + found.rejects


@settings(deadline=None)
@given(st.data())
def test_any_damage_to_a_workbook_is_bad_input_at_worst(data: st.DataObject) -> None:
    content = bytearray(XLSX)
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    anything(io.BytesIO(bytes(content)))


def damaged_parts() -> Iterator[tuple[str, bytes]]:
    """Every part of a workbook, with each of several kinds of damage inside an intact archive."""
    with zipfile.ZipFile(io.BytesIO(XLSX)) as workbook:
        for part in workbook.namelist():
            content = workbook.read(part)
            yield part, b""
            yield part, content[: len(content) // 2]
            yield part, content.replace(b"1", b"x")
            yield part, content.replace(b'"', b"'-")
            yield part, b'<?xml version="1.0"?><a/>'


def test_a_workbook_with_one_damaged_part_is_bad_input_at_worst() -> None:
    for name, content in damaged_parts():
        odd = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(XLSX)) as workbook, zipfile.ZipFile(odd, "w") as archive:
            for part in workbook.namelist():
                archive.writestr(part, content if part == name else workbook.read(part))
        odd.seek(0)
        anything(odd)
