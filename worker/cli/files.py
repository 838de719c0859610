"""Files that commands write: named by --out, in the format of its ending, and there whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click
from sqlalchemy import Connection

from campaigns import BadInput
from campaigns.spreadsheet_files import FileFormat, format_of, open_new
from worker import wiring
from worker.cli import options

Command = TypeVar("Command", bound=Callable[..., Any])
Export = Callable[[Connection, IO[Any], FileFormat], int]

_ENDINGS: Final = "by its ending a CSV (.csv) or a workbook (.xlsx)"


def out(says: str, *, required: bool = False, to_standard_output: bool = True) -> Callable[[Command], Command]:
    """--out FILE; `says` is the sentence of its help that the formats are added to."""
    dash = "; - for CSV on standard output" if to_standard_output else ""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, allow_dash=to_standard_output),
        callback=checked,
        required=required,
        metavar="FILE",
        help=f"{says}, {_ENDINGS}{dash}.",
    )


def checked(_: click.Context, __: click.Parameter, given: Path | None) -> Path | None:
    """The name of a file to write. Raises: BadInput for an ending that nothing is written as."""
    if given is not None:
        format_of(given)
    return given


def exported(path: Path, export: Export) -> int:
    """Write a file that is there whole or not at all; how many lines. `export` reads in short transactions.

    Raises: BadInput, and what `export` does.
    """
    with wiring.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection, written(path) as file:
        return export(connection, file, format_of(path))


@contextmanager
def written(path: Path) -> Iterator[IO[Any]]:
    """A file that is there whole or not at all; a CSV opens as UTF-8 in Excel. `-` is standard output."""
    if str(path) == options.DASH:
        yield sys.stdout
        return
    fresh = path if path.exists() and not path.is_file() else path.with_name(f"{path.name}.part")
    try:
        with open_new(fresh, format_of(path)) as file:
            yield file
        if fresh != path:
            fresh.replace(path)
    except OSError as why:
        raise BadInput(f"the report cannot be written to {path}: {why.strerror}") from why
    finally:
        if fresh != path:
            fresh.unlink(missing_ok=True)
