"""A worker of ours as a process, started as the Procfile starts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def celery_worker(
    environment: Mapping[str, str], log: Path, *, queues: str, threads: int, loglevel: str
) -> Iterator[None]:
    """Run a worker that takes from `queues` and writes its log to `log`, until the block ends."""
    command = [sys.executable, "-m", "celery", "-A", "kavenegar_worker", "worker", "--pool", "threads"]
    command += ["--concurrency", str(threads), "--queues", queues, "--without-gossip", "--without-mingle"]
    command += ["--loglevel", loglevel]
    with log.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
