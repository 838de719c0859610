"""Hands a shifted clock on to whatever this Python starts, however bare its environment: loaded at the start of each.

`scripts/hours` puts it into the installation that it runs the tests with; nowhere else is it ever loaded.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any, Final

_NAMES: Final = ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC", "NO_FAKE_STAT")
_OURS: Final = {name: os.environ[name] for name in _NAMES if name in os.environ}


class _Shifted(subprocess.Popen[Any]):
    """Starts a process as ever, and with our clock unless it is given another."""

    def __init__(self, *arguments: Any, env: Any = None, **others: Any) -> None:
        super().__init__(*arguments, env=None if env is None else {**_OURS, **env}, **others)


if "FAKETIME" in _OURS:
    subprocess.Popen = _Shifted  # type: ignore[misc]
