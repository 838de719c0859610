"""The Procfile: the one place where a process of ours has its name and its command."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from campaigns.errors import BadInput

PROCFILE = Path(__file__).resolve().parents[2] / "Procfile"

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


def read(path: Path = PROCFILE) -> dict[str, str]:
    """Name → shell command, in the order of the file. Raises BadInput."""
    processes = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.rstrip())
        if found is None:
            raise BadInput(f"{path.name} says `{line}`, not `name: command`", row=number)
        processes[found["name"]] = found["command"]
    return processes


def commands(names: Iterable[str], path: Path = PROCFILE) -> dict[str, list[str]]:
    """What a `Supervisor` runs for these names. Raises BadInput where one is not in the file."""
    known = read(path)
    chosen = list(names)
    strangers = sorted(set(chosen) - set(known))
    if strangers:
        raise BadInput(f"{path.name} has no {', '.join(strangers)}; it has {', '.join(known)}")
    return {name: ["/bin/sh", "-c", known[name]] for name in chosen}
