"""Another user of a home, as a process: says where the servers are, and leaves at the end of standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from campaigns_devkit import attach

if __name__ == "__main__":
    with attach(Path(sys.argv[1])) as attached:
        sys.stdout.write(json.dumps({"database_url": attached.database_url, "broker_url": attached.broker_url}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
