"""The record of a storm: a line on the screen for each act, and a line of JSON in a file."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO


class Timeline:
    """Writes the record; shared by all threads of a storm. `counts` counts the acts by name."""

    def __init__(self, path: Path, *, quiet: bool = False, out: TextIO = sys.stdout) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.counts: Counter[str] = Counter()
        self._file = path.open("w", encoding="utf-8")
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._out = out
        self._quiet = quiet

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began

    def note(self, what: str, **facts: Any) -> None:
        """Record an act, on the screen and in the file."""
        with self._lock:
            self.counts[what] += 1
            self._write(what, facts)
        if not self._quiet:
            described = " ".join(f"{name}={value}" for name, value in facts.items())
            self.say(f"{self.age_s:7.1f}  {what} {described}")

    def keep(self, what: str, **facts: Any) -> None:
        """Record an observation, in the file only."""
        with self._lock:
            self._write(what, facts)

    def say(self, line: str) -> None:
        self._out.write(line.rstrip() + "\n")
        self._out.flush()

    def close(self) -> None:
        self._file.close()

    def _write(self, what: str, facts: dict[str, Any]) -> None:
        if not self._file.closed:
            line = {"at_s": round(self.age_s, 3), "what": what, **facts}
            self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
            self._file.flush()
