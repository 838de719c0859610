"""Files and folders that only their owner may read, and logs that do not grow without end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_LOG_BYTES_AT_MOST = 8 << 20
_TAIL_BYTES = 4096


def make_private_folder(path: Path) -> None:
    path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace the file as a whole: a reader, or an interruption, sees the old text or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def open_log(path: Path) -> BinaryIO:
    """Open it for appending; one past 8 MiB is set aside as `<name>.1` first."""
    if path.exists() and path.stat().st_size > _LOG_BYTES_AT_MOST:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE_FILE), "wb")


def last_lines(path: Path, *, at_most: int = 12) -> list[str]:
    """The end of a log, or nothing where there is none."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-at_most:]
