"""The API key in the file that KAVENEGAR_API_KEY_FILE names, read again whenever the file is another one than before.

So a key that is corrected or rotated is used by every process from its next task on, without a restart. Of all settings
this holds for the key alone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from worker.settings.parsers import api_key
from worker.settings.variables import Unreadable, text_of

log = logging.getLogger(__name__)

VARIABLE: Final = "KAVENEGAR_API_KEY_FILE"


def path_of_key(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file that holds the key; None where the key stands in the environment, or nowhere."""
    named = (os.environ if environ is None else environ).get(VARIABLE)
    return Path(named) if named else None


class KeyFile:
    """The key that a file holds now."""

    def __init__(self, path: Path, key: str | None) -> None:
        """`key` is what the file was found to hold when the settings were read."""
        self._path = path
        self._key = key
        self._seen: object = None

    def key(self) -> str | None:
        """The key as the file has it now; the last one that could be read while it has none that can be used."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            self._read()
        return self._key

    def _stamp(self) -> object:
        """What changes when the file is written or replaced."""
        try:
            found = self._path.stat()
        except OSError as why:
            return why.errno
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self) -> None:
        try:
            text = text_of("KAVENEGAR_API_KEY", {VARIABLE: str(self._path)}, secret=True)
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
