"""Openpyxl's parsers for XLSX with little memory: they keep no row, and read no part that is not used."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import IO, Any, Final, NamedTuple
from xml.etree.ElementTree import Element

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.cell import coordinate_to_tuple
from openpyxl.worksheet._reader import DATA_TAG, FORMULA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake.workbooks import Part, Parts

MAX_STRINGS: Final = 128 * 1024**2
"""Bytes of the table of strings, unpacked: a million people with a number, a name and a code have 100 MB."""

_SHORT: Final = 200
"""Characters. A text that is longer is held once, however many cells refer to it at the same time."""

_STRING: Final = f"{{{SHEET_MAIN_NS}}}si"
_PLAIN: Final = f"{{{SHEET_MAIN_NS}}}t"


class Sheet(NamedTuple):
    """A sheet of a workbook: its name, whether it is shown, and the part that holds it."""

    title: str
    visible: bool
    part: str


class Strings:
    """The texts that cells refer to by number, one after the other in memory."""

    def __init__(self) -> None:
        self._texts = bytearray()
        self._ends = array("Q", [0])
        self._long: dict[int, str] = {}

    def append(self, text: str) -> None:
        """Add the next text."""
        if len(text) > _SHORT:
            self._long[len(self._ends) - 1] = text
        else:
            self._texts += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._texts))

    def __getitem__(self, at: int) -> str:
        if at < 0:
            raise IndexError(at)
        if at in self._long:
            return self._long[at]
        return self._texts[self._ends[at] : self._ends[at + 1]].decode("utf-8", "surrogatepass")


class Reader(ExcelReader):
    """Reads the properties and the strings of a workbook, but no rows. `sheets` are the sheets with cells."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, read_only=True, data_only=True, keep_links=False)
        self.archive.close()
        self.archive = self.parts = Parts(file)
        self.strings = Strings()
        self.sheets: list[Sheet] = []

    def read_strings(self) -> None:
        """Read the table of strings. Raises: BadInput for one that is too large."""
        package: Any = self.package
        found = package.find(SHARED_STRINGS)
        if found is None:
            return
        name = found.PartName[1:]
        if self.parts.getinfo(name).file_size > MAX_STRINGS:
            raise BadInput("the workbook holds far more text than a list of recipients: save it as CSV UTF-8")
        with self.parts.open(name) as part:
            for text in _texts(part):
                self.strings.append(text)

    def read_worksheets(self) -> None:
        """Find the sheets."""
        for sheet, relation in self.parser.find_sheets():
            if relation.target in self.valid_files and "chartsheet" not in relation.Type:
                self.sheets.append(Sheet(sheet.name, sheet.state == "visible", relation.target))

    def read_properties(self) -> None:
        """Skip the properties of the workbook."""

    def read_custom(self) -> None:
        """Skip its custom properties."""

    def read_theme(self) -> None:
        """Skip its theme."""


def _texts(part: Part) -> Iterator[str]:
    root: Element | None = None
    for event, element in iterparse(part, events=("start", "end")):
        if root is None:
            root = element
        elif event == "end" and element.tag == _STRING:
            plain = element[0] if len(element) == 1 and element[0].tag == _PLAIN else None
            text = _rich(element) if plain is None else plain.text or ""
            part.next_piece(1, 1)
            root.clear()
            yield text.replace("x005F_", "")  # as openpyxl does


def _rich(element: Any) -> str:
    """Return a text without its formats."""
    text: Any = Text.from_tree(element)
    return str(text.content)


class RowParser(WorkSheetParser):
    """Openpyxl's parser of cells, which also gives the type of each value and whether it is a formula's.

    Cells that hold nothing are skipped, and nothing that stands behind the rows is read.
    """

    _blank: str | None = None  # where the last cell stood, if it was skipped

    def __init__(self, part: Part, strings: Strings, workbook: Any) -> None:
        super().__init__(
            part,
            strings,
            data_only=True,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,  # noqa: SLF001 - as openpyxl itself calls the parser
            timedelta_formats=workbook._timedelta_formats,  # noqa: SLF001
        )
        self._part = part

    def rows(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield the number of each row and its cells that are not empty."""
        rows: Element | None = None
        for event, element in iterparse(self._part, events=("start", "end")):
            if element.tag == DATA_TAG:
                if event == "end":
                    return
                rows = element
            elif event == "end" and element.tag == ROW_TAG and rows is not None:
                width, self._blank = len(element), None
                row_no, cells = self.parse_row(element)
                rows.clear()
                self._part.next_piece(row_no + 1, width)
                yield row_no, [cell for cell in cells if cell]

    def parse_cell(self, element: Any) -> dict[str, Any]:
        """Return the cell's value and place as openpyxl does; an empty dictionary for an empty cell."""
        place = element.get("r")
        if place is None and self._blank is not None:
            self.col_counter = coordinate_to_tuple(self._blank)[1]
        self._blank = None
        if not len(element):
            self._blank = place
            self.col_counter += place is None
            return {}
        cell: dict[str, Any] = super().parse_cell(element)
        cell["formula"] = element.find(FORMULA_TAG) is not None
        cell["stored"] = element.get("t", "n")
        return cell
