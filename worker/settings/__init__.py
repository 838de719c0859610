"""The settings of one process, from its environment: the only place that reads it.

    model        every setting with its type, its default and its meaning
    environment  reads the environment into the model, reports all wrong values at once, and lists the settings
    parsers      parse the text of a value

This file reads the text of a setting from a variable, a file or an old name, and reads the API key again whenever its
file changes. Importing it does not import pydantic, which takes a tenth of a second: `load` does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kavenegar_worker.addresses import broker_url
from kavenegar_worker.settings.parsers import api_key, decoded

if TYPE_CHECKING:
    from pydantic import SecretStr

    from kavenegar_worker.settings.environment import Row
    from kavenegar_worker.settings.model import Settings

__all__ = ["ignored_brokers", "load", "old_names", "revealed", "rows"]

log = logging.getLogger(__name__)

# ── the text of a setting: from its variable, from the file that `…_FILE` names, or from its old name ──

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
"""Old names of settings, each with its present name. They are accepted in this release and not in the next."""

SECOND_NAMES: Final[Mapping[str, str]] = {"CAMPAIGNS_BROKER_URL": "BROKER_URL"}
"""Settings with a second name, which counts where the first is unset. BROKER_URL is also the variable of Celery's own
`celery --broker`, and outranks the settings of every Celery app in that environment; so it is the second."""

CELERY_BROKER_VARIABLES: Final = (
    "BROKER_URL",
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
)
"""Variables that Celery reads by itself, each before the settings of an app. Source: celery.app.utils.Settings, and
celery.bin.celery for BROKER_URL."""


class Unreadable(ValueError):
    """A variable, or the file that it names, holds no text. The message is a whole sentence that names the variable."""


def text_of(name: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    """Return the text of the setting `name`, stripped; None where it is unset or blank.

    The second or old name of a setting counts only where the first is unset. A secret may stand in a file that `…_FILE`
    names; the file goes before the variable. Raises: Unreadable.
    """
    texts = (_text(each, environ, secret=secret) for each in _names(name))
    return next((text for text in texts if text is not None), None)


def _names(name: str) -> list[str]:
    second = [SECOND_NAMES[name]] if name in SECOND_NAMES else []
    return [name, *second, *(old for old, new in ALIASES.items() if new == name)]


def _text(variable: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    path = environ.get(f"{variable}_FILE") if secret else None
    if path:
        return _file_text(variable, path)
    try:
        return decoded(environ.get(variable, "")).strip() or None
    except ValueError as why:
        raise Unreadable(f"{variable}: its value is not {why}") from None


def _file_text(variable: str, path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as why:
        raise Unreadable(f"{variable}_FILE: {path} cannot be read: {why.strerror}") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{variable}_FILE: {path} is not a text file") from None


def variable_of(name: str, environ: Mapping[str, str]) -> str:
    """Return the variable that a setting is read from: `name`, or another of its names where only that is set."""
    given = (each for each in _names(name) if environ.get(each, "").strip() or environ.get(f"{each}_FILE"))
    found = next(given, name)
    return f"{found} (now {name})" if found in ALIASES else found


def old_names(environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield a sentence for each old name that is set: its new name, and whether the old one still counts."""
    environ = os.environ if environ is None else environ
    for old, new in ALIASES.items():
        if not environ.get(old, "").strip():
            continue
        if environ.get(new, "").strip():
            yield f"{old} is ignored, because {new}, its new name, is set too: remove {old}"
        else:
            yield f"{old} is now called {new}: rename it, the next release does not read the old name"


def ignored_brokers(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the variables that name another broker than ours: they move a shop's Celery apps, and never ours."""
    environ = os.environ if environ is None else environ
    ours = revealed(settings.campaigns_broker_url)
    named = {environ[name]: name for name in reversed(CELERY_BROKER_VARIABLES) if environ.get(name)}
    return [name for value, name in reversed(named.items()) if _broker(value) != ours]


def _broker(value: str) -> str | None:
    try:
        return broker_url(value)
    except ValueError:
        return None  # a broker of another kind


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ`, by default the environment of this process. Old names are logged as warnings.

    Raises: BadInput that names every wrong variable, its value where it is no secret, and what would be right.
    """
    from kavenegar_worker.settings import environment  # noqa: PLC0415 - it imports pydantic

    return environment.load(os.environ if environ is None else environ)


def rows(settings: Settings, environ: Mapping[str, str] | None = None) -> Iterator[Row]:
    """Yield every setting as a line for a person; of a secret it says only whether it is set."""
    from kavenegar_worker.settings import environment  # noqa: PLC0415 - it imports pydantic

    return environment.rows(settings, os.environ if environ is None else environ)


def revealed(secret: SecretStr | None) -> str | None:
    """Return the text of a secret, for the library that needs it; None where there is none."""
    return None if secret is None else secret.get_secret_value()


# ── the API key in the file that KAVENEGAR_API_KEY_FILE names, read again when the file changes ──
#
# So every process uses a corrected or rotated key from its next task on, without a restart. The key is the only setting
# that is read again.

API_KEY_FILE_VARIABLE: Final = "KAVENEGAR_API_KEY_FILE"


def path_of_key(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the path of the file that holds the key; None where the key is in the environment, or missing."""
    named = (os.environ if environ is None else environ).get(API_KEY_FILE_VARIABLE)
    return Path(named) if named else None


class KeyFile:
    """The API key in a file, read again when the file changes."""

    def __init__(self, path: Path, key: str | None) -> None:
        """Watch the file `path`; `key` is the key that it held when the settings were read."""
        self._path = path
        self._key = key
        self._seen: object = None

    def key(self) -> str | None:
        """Return the key in the file now. While the file holds no usable key, return the last usable one."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            self._read()
        return self._key

    def _stamp(self) -> object:
        """Return a value that changes when the file is written or replaced."""
        try:
            found = self._path.stat()
        except OSError as why:
            return why.errno
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self) -> None:
        try:
            text = text_of("KAVENEGAR_API_KEY", {API_KEY_FILE_VARIABLE: str(self._path)}, secret=True)
            key = None if text is None else api_key(text)
        except Unreadable as why:
            log.warning("key file not read", extra={"why": str(why)})
        except ValueError as why:
            log.warning("key file not read", extra={"why": f"KAVENEGAR_API_KEY: its value is not {why}"})
        else:
            self._take(key)

    def _take(self, key: str | None) -> None:
        if key is None:
            log.warning("key file empty")
        elif key != self._key:
            if self._key is not None:
                log.warning("key read again")
            self._key = key
