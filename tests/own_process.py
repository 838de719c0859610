"""A Python of its own, for what has to be seen from a fresh process with a bare environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def answer_of(*arguments: str, **environment: str) -> Any:
    """The JSON that Python writes when it is run with these arguments, in a process without any other environment."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
