"""python -m campaigns_devkit HOME: stop the servers of a home as soon as no process uses them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from campaigns_devkit.home import stop_unused

if __name__ == "__main__":
    while not stop_unused(Path(sys.argv[1])):
        time.sleep(1)
