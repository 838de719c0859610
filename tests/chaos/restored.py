"""Run the command that a person runs after a backup was restored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

WITHIN_S: Final = 120


def say_restored(environment: Mapping[str, str]) -> None:
    """Run `campaigns restored`: the backup was restored, and the original database is gone.

    Raises: AssertionError with the output of the command, if it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "kavenegar_worker.cli", "restored", "--yes"],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, f"campaigns restored: {done.stdout}{done.stderr}"
