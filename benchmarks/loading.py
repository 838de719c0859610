"""One load of a file into an empty database, a process of its own so that its memory is its own.

`python -m benchmarks.loading` reads {database, file, way} and writes {seconds, cpu_s, peak_mb, idle_mb}, both as JSON.
The way is a kind of text, or `raw`, which copies lines that are ready for the table `sms.messages`: as fast as this
table can be loaded at all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

import kavenegar_campaigns as campaigns
from benchmarks.processes import peak
from benchmarks.recipients import SENDER, TEXTS, Kind
from kavenegar_campaigns.store.engine import make_engine

RAW = "raw"
_BLOCK = 1 << 16


def load(connection: Connection, file: Path, way: str) -> None:
    """Through intake, or as it stands."""
    if way == RAW:
        _copy(connection, file)
    else:
        campaigns.create(connection, recipients=file, text=TEXTS[Kind(way)], sender=SENDER)


def _copy(connection: Connection, lines: Path) -> None:
    statement = "COPY sms.messages (id, campaign_id, row_no, parts, number, text) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    with lines.open("rb") as file, driver.cursor() as cursor, cursor.copy(statement) as copy:
        while block := file.read(_BLOCK):
            copy.write(block)


def main(database: str, file: str, way: str) -> None:
    """One transaction; the clock runs from its begin to its commit."""
    engine = make_engine(database)
    engine.connect().close()
    idle_mb = peak(os.getpid()).resident_mb
    cpu_s, began = time.process_time(), time.perf_counter()
    with engine.begin() as connection:
        load(connection, Path(file), way)
    figures = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_s}
    peak_mb = peak(os.getpid()).resident_mb
    sys.stdout.write(json.dumps({**figures, "peak_mb": peak_mb, "idle_mb": idle_mb}) + "\n")


if __name__ == "__main__":
    main(**json.load(sys.stdin))
