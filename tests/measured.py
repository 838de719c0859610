"""Measures coverage in every Python of this installation, however bare its environment: loaded at the start of each.

`scripts/coverage` puts it into the installation, with a file beside it that names the process of the script and the
data file. It measures only while that process lives, so that nothing is measured by what a killed run left behind.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

RUN: Final = Path(__file__).with_suffix(".run")
_ROOT: Final = "COVERAGE_PROCESS_START"
_DATA: Final = "COVERAGE_FILE"


def measure() -> None:
    """Start to measure this process, if a run of `scripts/coverage` is on."""
    try:
        process, config, data = RUN.read_text(encoding="utf-8").splitlines()
        os.kill(int(process), 0)
    except (FileNotFoundError, ProcessLookupError):
        return
    except PermissionError:
        pass  # it lives, and belongs to another user
    import coverage  # not above: a process that is not measured need not wait for it

    os.environ |= {_ROOT: config, _DATA: data}
    coverage.process_startup()
    del os.environ[_ROOT], os.environ[_DATA]  # tests compare environments


measure()
