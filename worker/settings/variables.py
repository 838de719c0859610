"""The text of a setting: from its environment variable, from the file that `…_FILE` names, or from its old name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from worker.settings.parsers import decoded

ALIASES: Final[Mapping[str, str]] = {
    "UNKNOWN_SETTLE": "UNKNOWN_GRACE",
    "RING_AGAIN": "REENQUEUE_AFTER",
    "ACCOUNT_PROBE": "HOLD_RECHECK",
    "INBOX_HORIZON": "INBOX_LOOKBACK",
    "MAY_SELECT": "SELECT_ALLOWED",
    "CALLBACK_PARKED": "CALLBACK_BACKLOG_MAX",
    "CALLBACK_GATHER": "CALLBACK_BATCH_WINDOW",
    "CALLBACK_SILENCE": "CALLBACK_TIMEOUT",
}
"""Old names of settings, each with the name that it has now. They are accepted in this release and not in the next."""


class Unreadable(ValueError):
    """A variable, or the file that it names, holds no text. The message is a whole sentence that names the variable."""


def text_of(name: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    """Return the text of the setting `name`, stripped; None where it is unset or blank.

    The old name of a setting counts only where the new one is unset. A secret may stand in a file that `…_FILE` names;
    the file goes before the variable. Raises: Unreadable.
    """
    names = (name, *(old for old, new in ALIASES.items() if new == name))
    texts = (_text(each, environ, secret=secret) for each in names)
    return next((text for text in texts if text is not None), None)


def _text(variable: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    path = environ.get(f"{variable}_FILE") if secret else None
    if path:
        return _content(variable, path)
    try:
        return decoded(environ.get(variable, "")).strip() or None
    except ValueError as why:
        raise Unreadable(f"{variable}: its value is not {why}") from None


def _content(variable: str, path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as why:
        raise Unreadable(f"{variable}_FILE: {path} cannot be read: {why.strerror}") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{variable}_FILE: {path} is not a text file") from None


def variable_of(name: str, environ: Mapping[str, str]) -> str:
    """Return the variable that a setting is read from: `name`, or an old name where only that is set."""
    given = (f"{old} (now {new})" for old, new in ALIASES.items() if new == name and environ.get(old, "").strip())
    return name if environ.get(name, "").strip() else next(given, name)


def old_names(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each old name that is set: its new name, and whether the old one still counts."""
    for old, new in ALIASES.items():
        if not environ.get(old, "").strip():
            continue
        if environ.get(new, "").strip():
            yield f"{old} is ignored, because {new}, its new name, is set too: remove {old}"
        else:
            yield f"{old} is now called {new}: rename it, the next release does not read the old name"
