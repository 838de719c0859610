"""The journal: one line of JSON for each change of the account, replayed at the next start.

A line is handed to the operating system before its request is answered, so it survives a kill -9 of the process (not a
power cut). A torn last line is dropped: its request was never answered.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

from kavenegar_sandbox.ledger import Accepted, MessageOptions

T = TypeVar("T", bound=Hashable)
Event = dict[str, Any]
_REPEATING = ("texts", "senders", "options")  # columns whose distinct values are stored once
_RENAMED_COLUMNS = {"fates": "outcomes", "manners": "options"}  # names in older journals
_FIRST = b'{"event":"opened"'  # the start of every journal


class BadJournal(ValueError):
    """The file is not a journal of this sandbox. The message names the line."""


class Journal:
    """The journal in one file. Without a path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = None if path is None else path.open("ab", buffering=0)

    @property
    def enabled(self) -> bool:
        """Return whether events are kept."""
        return self._file is not None

    def write(self, event: Event) -> None:
        """Append one event."""
        if self._file is not None:
            self._file.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))

    def events(self) -> Iterator[Event]:
        """Yield the events written so far. A torn last line is first cut off the file. Raises BadJournal."""
        if self._path is None:
            return
        self._cut_torn_end(self._path)
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _event(line, number)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    @staticmethod
    def _cut_torn_end(path: Path) -> None:
        with path.open("rb+") as file:
            whole = 0
            for line in file:
                if not whole and not _is_first(line):
                    raise BadJournal("the file is not a journal of a sandbox; it was not changed")
                whole += len(line) if line.endswith(b"\n") else 0
            file.truncate(whole)


def _is_first(line: bytes) -> bool:
    return line.startswith(_FIRST) or _FIRST.startswith(line)


def _event(line: bytes, number: int) -> Event:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError as why:
        raise BadJournal(f"line {number} of the journal is not JSON") from why
    if not isinstance(event, dict) or "event" not in event:
        raise BadJournal(f"line {number} of the journal is not an event")
    return event


def fold_columns(new: Accepted) -> dict[str, Any]:
    """Return the columns of accepted messages as the journal stores them: each text, sender and options once."""
    columns = {name: getattr(new, name) for name in Accepted.__slots__}
    return {**columns, **{name: _deduplicate(columns[name]) for name in _REPEATING}}


def unfold_columns(event: Event) -> Accepted:
    """Return the reverse of `fold_columns`, also for the column names of older journals."""
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
    """Return the distinct values, and for each value its index among them."""
    places: dict[T, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    return list(places), at


def _expand(distinct: list[T], at: list[int]) -> list[T]:
    return [distinct[place] for place in at]
