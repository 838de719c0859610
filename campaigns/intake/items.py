"""Recipients that a Python program hands over: numbers, mappings, or pairs of a number and a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final

from campaigns.errors import BadInput
from campaigns.intake.cells import as_text
from campaigns.intake.columns import LOOK_AHEAD, Row, Table, number_position

Item = str | int | Mapping[str, object] | tuple[str | int, Mapping[str, object]]
"""A number; a mapping that holds one beside its values; or a number and its values."""

_NUMBER: Final = "number"
_NOTHING: Final[Mapping[str, object]] = {}


def read_table(items: Iterable[Item], number_column: str | None) -> Table:
    """The items as rows: item 1 is row 1, the number is the first cell, the keys of the first items are the columns.

    Raises: BadInput for no items at all, and for mappings where nobody can tell which key holds the number.
    """
    rest = iter(items)
    first = list(islice(rest, LOOK_AHEAD))
    if not first:
        raise BadInput("there are no recipients: it is empty")
    keys = tuple(dict.fromkeys(key for item in first for key in _split(item)[1]))
    bare = [values for number, values in map(_split, first) if number is None]
    key = _number_key(keys, bare, number_column) if bare else None
    columns = ("" if key or _NUMBER in keys else _NUMBER, *map(str, keys))
    return Table(columns, 0, _rows(chain(first, rest), keys, key), _too_wide, header_row=0)


def _too_wide(cells: Sequence[str], columns: int) -> str:
    return f"the item has {len(cells)} values and there are {columns} keys"


def _split(item: object) -> tuple[object, Mapping[str, object]]:
    """The number, None if it is among the values; and the values. What is neither counts as a number, a wrong one."""
    match item:
        case Mapping():
            return None, item
        case (number, Mapping() as values):
            return number, values
    return "" if item is None else item, _NOTHING


def _number_key(keys: tuple[str, ...], bare: list[Mapping[str, object]], number_column: str | None) -> str:
    sample = [[as_text(values.get(key)) for key in keys] for values in bare]
    return keys[number_position([str(key) for key in keys], sample, number_column)] if keys else _NUMBER


def _rows(items: Iterable[object], keys: tuple[str, ...], number_key: str | None) -> Iterator[Row]:
    for row_no, (number, values) in enumerate(map(_split, items), 1):
        given = values.get(number_key or _NUMBER) if number is None else number
        yield row_no, [as_text(given), *[as_text(values.get(key)) for key in keys]]
