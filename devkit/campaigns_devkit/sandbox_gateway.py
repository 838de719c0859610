"""Run the sandbox gateway in place of Kavenegar, where no API key is configured. The sandbox is a separate package."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from campaigns_devkit import servers
from campaigns_devkit.daemons import EmbeddedError, Identity
from campaigns_devkit.files import LockFile
from campaigns_devkit.servers import Server

API_KEY = "sandbox"
PACKAGE = "kavenegar_sandbox"


class SandboxGateway(Server):
    """The server `python -m kavenegar_sandbox`. Its journal keeps the sent messages over restarts."""

    name = "sandbox"
    ready_within_s = 30

    def __init__(self, home: Path, options: Sequence[str] = ()) -> None:
        super().__init__(home)
        self._options = tuple(options)
        self._journal = home / "sandbox.journal"
        self._ready_file = self.folder / "ready"

    @property
    def url(self) -> str:
        return f"http://{servers.HOST}:{self.port}"

    def configure(self, _life: LockFile) -> Identity:
        """Prepare a start. Raises EmbeddedError where the package of the sandbox is not installed."""
        if find_spec(PACKAGE) is None:
            raise EmbeddedError(
                "the package kavenegar-sandbox is not installed: `pip install ./sandbox` in the project's folder "
                "installs it, or set KAVENEGAR_API_KEY to send through the real service"
            )
        self._ready_file.unlink(missing_ok=True)
        return Identity()

    def command(self) -> list[str | Path]:
        where = ("--host", servers.HOST, "--port", str(self.port), "--api-key", API_KEY)
        files = ("--journal", str(self._journal), "--ready-file", str(self._ready_file))
        return [sys.executable, "-m", PACKAGE, *where, *files, *self._options]

    def answers(self) -> bool:
        return self._ready_file.exists() and servers.accepts_connections(self.port)
