"""Copy the gateway's ledger of sent messages beside our tables: streamed line by line, never held whole.

It holds the messages of all accounts of the gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import requests
from sqlalchemy import Engine, text

_COLUMNS = ("localid", "messageid", "receptor", "text_digest", "status", "account")


def lines(gateway_url: str) -> Iterator[dict[str, Any]]:
    """Yield every message that the gateway accepted, in order."""
    with requests.get(f"{gateway_url}/_sandbox/ledger/stream", stream=True, timeout=60) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines(chunk_size=1 << 16):
            yield orjson.loads(line)


def copy(engine: Engine, gateway_url: str) -> int:
    """Replace the rows of `chaos.ledger` by the present ledger. Returns how many messages."""
    copied = 0
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE chaos.ledger"))
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor, cursor.copy(f"COPY chaos.ledger ({', '.join(_COLUMNS)}) FROM STDIN") as rows:
            for line in lines(gateway_url):
                rows.write_row([line[name] for name in _COLUMNS])
                copied += 1
        connection.execute(text("CREATE INDEX IF NOT EXISTS ledger_localid_idx ON chaos.ledger (localid)"))
        connection.execute(text("ANALYZE chaos.ledger"))
    return copied
