"""A sandbox that remembers: what happened to the account, one line of JSON for each request, replayed at start.

A line is in the hands of the operating system before its request is answered, so it outlives a kill -9 of the
process (not a power cut). A last line that was torn is dropped: its request was never answered.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

from kavenegar_sandbox.ledger import Accepted, MessageOptions

T = TypeVar("T", bound=Hashable)
Event = dict[str, Any]
_REPEATING = ("texts", "senders", "options")  # columns the journal holds each different value of once
_RENAMED_COLUMNS = {"fates": "outcomes", "manners": "options"}  # names in older journals
_FIRST = b'{"event":"opened"'  # how every journal begins


class BadJournal(ValueError):
    """The file is no journal of this sandbox; the message says which line."""


class Journal:
    """The lines of one file; without a path, a journal that forgets."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = None if path is None else path.open("ab", buffering=0)

    @property
    def enabled(self) -> bool:
        return self._file is not None

    def write(self, event: Event) -> None:
        if self._file is not None:
            self._file.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))

    def events(self) -> Iterator[Event]:
        """What was written so far; a torn end is cut off the file first. Raises BadJournal."""
        if self._path is None:
            return
        self._cut_torn_end(self._path)
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _event(line, number)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @staticmethod
    def _cut_torn_end(path: Path) -> None:
        with path.open("rb+") as file:
            whole = 0
            for line in file:
                if not whole and not _is_first(line):
                    raise BadJournal("the file is no journal of a sandbox; it was left as it is")
                whole += len(line) if line.endswith(b"\n") else 0
            file.truncate(whole)


def _is_first(line: bytes) -> bool:
    return line.startswith(_FIRST) or _FIRST.startswith(line)


def _event(line: bytes, number: int) -> Event:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError as why:
        raise BadJournal(f"line {number} of the journal is no JSON") from why
    if not isinstance(event, dict) or "event" not in event:
        raise BadJournal(f"line {number} of the journal is no event")
    return event


def fold_columns(new: Accepted) -> dict[str, Any]:
    """Columns as they go to the journal: a text or a line that repeats is written once."""
    columns = {name: getattr(new, name) for name in Accepted.__slots__}
    return {**columns, **{name: _deduplicate(columns[name]) for name in _REPEATING}}


def unfold_columns(event: Event) -> Accepted:
    renamed = {_RENAMED_COLUMNS.get(name, name): column for name, column in event.items()}
    known = {"options": ([{}], [0] * len(event["receptors"])), **renamed}  # the oldest journals hold no options
    columns: dict[str, Any] = {name: known[name] for name in Accepted.__slots__}
    distinct, at = known["options"]
    return Accepted(
        **{
            **columns,
            "texts": _expand(*known["texts"]),
            "senders": _expand(*known["senders"]),
            "options": _expand([MessageOptions(**each) for each in distinct], at),
        }
    )


def _deduplicate(values: Sequence[T]) -> tuple[list[T], list[int]]:
    """The different values, and for each value its place among them."""
    places: dict[T, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    return list(places), at


def _expand(distinct: list[T], at: list[int]) -> list[T]:
    return [distinct[place] for place in at]
