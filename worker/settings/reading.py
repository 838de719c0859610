"""A variable's text to its value, and a value to a line for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaigns.errors import BadInput
from worker.spelling import decoded


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `campaigns settings`."""

    name: str
    value: str
    default: str
    meaning: str


def read(name: str, about: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    """The value of one setting. Raises: BadInput that names the variable and what would be right."""
    variable = name.upper()
    text = _text(variable, environ, secret=about["secret"])
    text = about["default"] if text is None else text
    if text is None:
        return None
    try:
        return about["parse"](text)
    except ValueError as why:
        shown = repr(text) if about["quoted"] else "its value"
        raise BadInput(f"{variable}: {shown} is not {why}") from None


def _text(variable: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    """A variable's text; a secret may stand in a file that `…_FILE` names. An empty variable counts as unset."""
    path = environ.get(f"{variable}_FILE") if secret else None
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except OSError as why:
            raise BadInput(f"{variable}_FILE: {path} cannot be read: {why.strerror}") from None
        except UnicodeDecodeError:
            raise BadInput(f"{variable}_FILE: {path} is not a text file") from None
    try:
        return decoded(environ.get(variable, "")).strip() or None
    except ValueError as why:
        raise BadInput(f"{variable}: its value is not {why}") from None


def told(name: str, about: Mapping[str, Any], value: object, environ: Mapping[str, str]) -> Row:
    """One setting for a person; of a secret it is said whether it is set, and no more than its `shown` leaves."""
    variable = name.upper()
    text = _text(variable, environ, secret=about["secret"])
    if about["secret"] and value and about["shown"]:
        shown = about["shown"](str(value))
    elif about["secret"]:
        shown = "set" if value else "not set"
    else:
        shown = text if text is not None else about["default"] or "not set"
    return Row(variable, shown, about["default"] or "", about["meaning"])
