"""python -m tests.worker.warm: imports the command once, and forks for every line that asks for a run of it.

Starting Python and importing everything takes a second; the fork that runs a command has done neither yet, and is a
process like any other: its own environment, its own standard streams, its own exit code.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from kavenegar_worker.cli.main import main as run_command
from kavenegar_worker.settings import environment

assert environment  # the command imports it only when it reads settings


def main() -> None:
    """One order a line in, one exit code a line out."""
    gc.freeze()  # what is imported is nobody's garbage: a fork that looked through it would copy it all
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            become(json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(order: dict[str, Any]) -> None:
    """Be the process that the order describes; never comes back."""
    os.environ.clear()
    os.environ.update(order["environment"])
    for fd, path in enumerate(order["streams"]):
        os.dup2(os.open(path, os.O_RDWR), fd)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    run_command(order["arguments"])


if __name__ == "__main__":
    main()
