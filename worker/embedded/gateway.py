"""The sandbox gateway in the place of Kavenegar, where no API key is configured."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from worker.embedded import ports
from worker.embedded.daemons import PROJECT
from worker.embedded.identity import Identity
from worker.embedded.locks import LockFile
from worker.embedded.servers import Server

API_KEY = "sandbox"


class Gateway(Server):
    """`python -m worker.sandbox`. Its journal remembers what it sent over its restarts."""

    name = "sandbox"
    ready_within_s = 30

    def __init__(self, home: Path, options: Sequence[str] = ()) -> None:
        super().__init__(home)
        self._options = tuple(options)
        self._journal = home / "sandbox.journal"
        self._ready_file = self.folder / "ready"

    @property
    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def working_folder(self) -> Path:
        return PROJECT

    def configure(self, _life: LockFile) -> Identity:
        self._ready_file.unlink(missing_ok=True)
        return Identity()

    def command(self) -> list[str | Path]:
        where = ("--host", ports.HOST, "--port", str(self.port), "--api-key", API_KEY)
        files = ("--journal", str(self._journal), "--ready-file", str(self._ready_file))
        return [sys.executable, "-m", "worker.sandbox", *where, *files, *self._options]

    def answers(self) -> bool:
        return self._ready_file.exists() and ports.accepts(self.port)
