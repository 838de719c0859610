"""A file that holds the text of a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from campaigns import BadInput

LARGEST: Final = 64 * 1024
"""Bytes. A file with more is another file than the one that was meant, and is not read."""


def read(path: Path) -> str:
    """What the file holds. Raises: BadInput; OSError where it cannot be read."""
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise BadInput("it is far longer than a text may be: is it the file you meant?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as why:
        raise BadInput("the text must be UTF-8: save it as UTF-8") from why
