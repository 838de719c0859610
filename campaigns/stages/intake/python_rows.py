"""Read recipients out of Python: numbers, mappings, pairs, rows of a database, querysets.

An item is a number; a mapping that holds one beside its values; a row with names (a named tuple, a row of SQLAlchemy);
or a tuple without names, of a number alone or of a number and one more thing: a mapping of its values, or the value of
the text's only placeholder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import chain, islice
from typing import Final, Protocol

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.arguments import is_phone_number, is_text
from kavenegar_campaigns.rules.phone import is_mobile
from kavenegar_campaigns.stages.intake.cells import Unreadable, as_text
from kavenegar_campaigns.stages.intake.columns import LOOK_AHEAD, Row, Table, number_position


class PhoneNumber(Protocol):
    """A number of the package phonenumbers, or of a field for Django that is made with it."""

    country_code: int | None
    national_number: int | None


Item = str | int | PhoneNumber | Mapping[str, object] | Sequence[object]
"""A number, a mapping, or a row: see above."""

_NUMBER: Final = "number"
_VALUE: Final = "value"
_NOTHING: Final[Mapping[str, object]] = {}

ROWS_OF_A_QUERY: Final = 2_000
"""Rows of a queryset of Django that are in memory at one time."""

_NAMES_NEEDED: Final = (
    'give mappings, as {"number": "09121234567", "name": "…"} or, in Django, .values("phone", "name"), so that each '
    "value has a name"
)
_FIELD_NEEDED: Final = (
    'name the field that holds the number: in Django .values_list("phone", flat=True), or .values("phone", "name") '
    'for placeholders; in SQLAlchemy select(Customer.phone, Customer.name); else (each.phone, {"name": each.name})'
)


def read_items(items: object, number_column: str | None, placeholders: Sequence[str]) -> Table:
    """Read items as rows: item 1 is row 1, the number is the first cell, the names of the first items are the columns.

    A queryset of Django is read through its `iterator()`: it does not cache what it read, and memory stays flat.

    Raises: BadInput for no items at all, for what is no iterable of recipients, for objects and for tuples whose values
    have no names, and for mappings where nobody can tell which key holds the number.
    """
    source = _iterable(items)
    reader = _ItemReader(_field_names(items), placeholders)
    rest = iter(source)
    first = list(islice(rest, LOOK_AHEAD))
    if not first:
        raise BadInput("there are no recipients: it is empty")
    split = _split_first(reader, first)
    keys = tuple(dict.fromkeys(key for _, values in split for key in values))
    bare = [values for number, values in split if number is None]
    key = _number_key(keys, bare, number_column) if bare else None
    columns = ("" if key or _NUMBER in keys else _NUMBER, *map(str, keys))
    return Table(
        columns, 0, _item_rows(chain(first, rest), reader, keys, key), _item_too_wide, header_row=0, from_file=False
    )


# ── what is iterated ──


def _iterable(items: object) -> Iterable[object]:
    """Return what is to be iterated. Raises: BadInput for what is none, or does not hold recipients."""
    if _is_queryset(items):
        return _rows_of_query(items)
    name = type(items).__name__
    if isinstance(items, (bytes, bytearray, memoryview)):
        raise BadInput(f"recipients cannot be a {name}: give io.BytesIO(…) of it, which is read as a file")
    if isinstance(items, Mapping):
        raise BadInput(
            f"recipients cannot be one {name}: give a list of mappings, or its .items() where the keys are the numbers "
            "and the values are mappings"
        )
    if hasattr(items, "itertuples"):
        raise BadInput(f'recipients cannot be a {name}, whose items are its columns: give its .to_dict("records")')
    if is_text(items) or isinstance(items, type) or not isinstance(items, Iterable):
        if hasattr(items, "__aiter__"):
            raise BadInput(f"recipients cannot be a {name}, which is async: collect its items first, and give the list")
        hint = f". Is it rows of a table? Then {_FIELD_NEEDED}" if hasattr(items, "get_queryset") else ""
        raise BadInput(f"recipients cannot be a {name}: give a path, an open file or an iterable{hint}")
    return items


def _is_queryset(items: object) -> bool:
    """Return whether it is a queryset, without importing Django: where it is not imported, nothing is one."""
    queryset = getattr(sys.modules.get("django.db.models.query"), "QuerySet", None)
    return queryset is not None and isinstance(items, queryset)


def _rows_of_query(queryset: object) -> Iterable[object]:
    rows: Iterable[object] = queryset.iterator(chunk_size=ROWS_OF_A_QUERY)  # type: ignore[attr-defined]
    return rows


def _field_names(items: object) -> tuple[str, ...]:
    """Return the names that `values_list` was given, which its tuples lack; empty where there are none."""
    names = getattr(items, "_fields", None) if _is_queryset(items) else None
    return tuple(names) if names and all(isinstance(name, str) for name in names) else ()


# ── one item ──


_PLAIN: Final = (float, Decimal, date, time, bytes, bytearray, type(None))
"""Types of what is no recipient, or only by mistake: it counts as a wrong number."""


class _ItemReader:
    """Splits an item into its number and its values by name."""

    def __init__(self, names: tuple[str, ...], placeholders: Sequence[str]) -> None:
        self._names = names
        self._lone = placeholders[0] if len(placeholders) == 1 else _VALUE
        self._several = len(placeholders) > 1

    def split(self, item: object) -> tuple[object, Mapping[str, object]]:
        """Return the number, None if it is among the values, and the values.

        Raises: BadInput for values without names, and for objects that are neither numbers nor rows, such as models.
        """
        if isinstance(item, (str, int)):
            return item, _NOTHING
        if isinstance(item, Mapping):
            return None, item
        if not isinstance(item, Sequence) or isinstance(item, (bytes, bytearray)):
            if not isinstance(item, _PLAIN) and not is_phone_number(item) and not is_mobile(as_text(item)):
                raise BadInput(f"a recipient cannot be a {type(item).__name__}: {_FIELD_NEEDED}")
            return "" if item is None else item, _NOTHING
        names = getattr(item, "_fields", None) or self._names  # of a named tuple, and of a row of SQLAlchemy
        if names and len(names) == len(item):
            return None, dict(zip(names, item, strict=True))
        return self._nameless(item)

    def _nameless(self, item: Sequence[object]) -> tuple[object, Mapping[str, object]]:
        match item:
            case []:
                return "", _NOTHING
            case [number]:
                return number, _NOTHING
            case [number, Mapping() as values]:
                return number, values
            case [number, value] if not self._several:
                return number, {self._lone: value}
        kind = type(item).__name__
        if len(item) == 2:
            raise BadInput(f"a {kind} of two has one value without a name, and the text has several: {_NAMES_NEEDED}")
        raise BadInput(f"a {kind} of {len(item)} values without names: {_NAMES_NEEDED}")


def _split_first(reader: _ItemReader, first: Sequence[object]) -> list[tuple[object, Mapping[str, object]]]:
    """Split the first items; those without a right shape are left out. Raises: BadInput if none has one."""
    split, wrong = [], []
    for item in first:
        try:
            split.append(reader.split(item))
        except BadInput as why:
            wrong.append(why)
    if not split:
        raise wrong[0]
    return split


def _number_key(keys: tuple[str, ...], bare: list[Mapping[str, object]], number_column: str | None) -> str:
    sample = [[as_text(values.get(key)) for key in keys] for values in bare]
    return keys[number_position([str(key) for key in keys], sample, number_column)] if keys else _NUMBER


def _item_rows(
    items: Iterable[object], reader: _ItemReader, keys: tuple[str, ...], number_key: str | None
) -> Iterator[Row]:
    for row_no, item in enumerate(items, 1):
        try:
            number, values = reader.split(item)
        except BadInput as why:
            yield row_no, [Unreadable.of(str(why))]
            continue
        given = values.get(number_key or _NUMBER) if number is None else number
        yield row_no, [as_text(given), *[as_text(values.get(key)) for key in keys]]


def _item_too_wide(cells: Sequence[str], columns: int) -> str:
    return f"the item has {len(cells)} values and there are {columns} keys"
