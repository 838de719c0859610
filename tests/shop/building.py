"""Build samples/shop by the commands of docs/in-your-project.md, in an empty folder, without a network.

pip has no index here. The packages of this interpreter take its place: they are on the path, with their commands, and
none of ours is among them. Ours comes out of the wheel that the page's `pip install` builds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from tests.frameworks.snippets import PAGE, ROOT

SAMPLE: Final = ROOT / "samples" / "shop"
PLACE: Final = "/path/to/this/project"
_SECTION: Final = re.compile(r"^## A shop, from nothing\n(.*?)^## ", re.DOTALL | re.MULTILINE)
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_OURS: Final = ("kavenegar", "campaigns_devkit", "campaigns-devkit")
_COMMANDS: Final = {"celery", "django", "gunicorn", "honcho", "hatchling"}
TIMEOUT_S: Final = 300


def commands(page: Path = PAGE) -> list[str]:
    """The blocks of commands of the page's section, in its order."""
    section = _SECTION.search(page.read_text(encoding="utf-8"))
    assert section is not None
    return _BLOCK.findall(section[1])


def commands_of_the_sample() -> str:
    """The commands of the sample's own README."""
    [block] = _BLOCK.findall((SAMPLE / "README.md").read_text(encoding="utf-8"))
    return block


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop in `folder`/shop, and the environment of a terminal that knows nothing of this project."""

    folder: Path
    settings: dict[str, str] = field(repr=False)

    @property
    def project(self) -> Path:
        """Where the page's first command puts the shop."""
        return self.folder / "shop"

    def environment(self) -> dict[str, str]:
        """A clean environment, with what takes the place of an index."""
        return {
            "HOME": str(self.folder),
            "PATH": f"{self.folder / 'commands'}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self.folder / "packages"),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it so: no isolation
        }

    def line(self, block: str) -> str:
        """A block as a shell runs it, in the terminal that the page speaks of."""
        activated = ". .venv/bin/activate && " if self.project.exists() else ""
        return f"set -eu\n{activated}true\n{block.replace(PLACE, str(ROOT))}"

    def run(self, block: str) -> str:
        """What a block of the page prints. Fails with it where a command fails."""
        done = subprocess.run(
            ["/bin/bash", "-c", self.line(block)],
            cwd=self.project if self.project.exists() else self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}"
        return done.stdout

    def write_addresses(self) -> None:
        """Write the servers of the tests into `.env`, over the examples of the same names."""
        file = self.project / ".env"
        text = file.read_text(encoding="utf-8")
        for name, value in self.settings.items():
            text, found = re.subn(rf"(?m)^{name}=.*$", lambda _, line=f"{name}={value}": line, text)
            if not found:
                text += f"{name}={value}\n"
        file.write_text(text, encoding="utf-8")


def prepare(folder: Path) -> None:
    """Put the packages of this interpreter, and their commands, into a folder: what an index would bring."""
    packages, programs = folder / "packages", folder / "commands"
    packages.mkdir()
    programs.mkdir()
    for place in {Path(str(each.locate_file(""))) for each in distributions()}:
        if place.name != "site-packages":
            continue
        for found in place.iterdir():
            if not found.name.startswith(_OURS) and found.suffix != ".pth" and not (packages / found.name).exists():
                (packages / found.name).symlink_to(found)
    _command(programs / "python3", f'exec {Path(sys.base_prefix) / "bin" / "python3"} "$@"')
    for each in distributions():
        if each.name.lower() in _COMMANDS:
            for entry in each.entry_points.select(group="console_scripts"):
                code = f"import sys; from {entry.module} import {entry.attr} as run; sys.exit(run())"
                _command(programs / entry.name, f"exec python -c '{code}' \"$@\"")


def _command(file: Path, line: str) -> None:
    file.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    file.chmod(0o755)
