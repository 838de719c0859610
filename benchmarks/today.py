"""The baseline, a process of its own: what people do today, and not badly.

A loop over the official SDK with 200 receptors a call (or the same in a pool of threads), one table with a row a
recipient, one commit a call. No retry, no localid, no lease, no status polls: an answer that is lost is lost.

`python -m benchmarks.today` reads {gateway, database, recipients, kind, threads} and writes {messages, seconds, cpu_s},
both as JSON.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import kavenegar  # type: ignore[import-untyped]
import psycopg
import requests

from benchmarks.recipients import SENDER, TEXTS, Kind

RECEPTORS_A_CALL = 200

Message = tuple[int, str, str]
"""(id, number, text)"""

_TABLE = """
    CREATE TABLE public.messages (
        id bigint PRIMARY KEY, number text NOT NULL, text text NOT NULL,
        message_id bigint, status smallint, cost integer)
"""
_SENT = "UPDATE public.messages SET message_id = %s, status = %s, cost = %s WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Shop:
    """A program that sends: its way to the gateway and its connections to the database, one a thread."""

    api: Any
    kind: Kind
    connections: SimpleQueue[psycopg.Connection[Any]]

    def send(self, messages: Sequence[Message]) -> None:
        """One call, and one commit of what came back. Rows are taken in the order they come, as everybody does."""
        answered = self._ask(messages)
        rows = [
            (row["messageid"], row["status"], row["cost"], message[0])
            for message, row in zip(messages, answered, strict=True)
        ]
        connection = self.connections.get()
        with connection.cursor() as cursor:
            cursor.executemany(_SENT, rows)
        connection.commit()
        self.connections.put(connection)

    def _ask(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        _, numbers, texts = zip(*messages, strict=True)
        if self.kind is Kind.UNIFORM:
            answer = self.api.sms_send({"receptor": ",".join(numbers), "sender": SENDER, "message": texts[0]})
        else:
            senders = [SENDER] * len(numbers)
            lists = {"receptor": numbers, "sender": senders, "message": texts}
            answer = self.api.sms_sendarray({name: json.dumps(values) for name, values in lists.items()})
        return list(answer)


def led_to(gateway: str) -> Any:
    """The official SDK. It knows one host only, so what it calls `requests` is led to the sandbox."""

    def post(url: str, **options: Any) -> requests.Response:
        return requests.post(url.replace("https://api.kavenegar.com", gateway), timeout=60, **options)

    kavenegar.requests = SimpleNamespace(post=post, exceptions=requests.exceptions)
    return kavenegar.KavenegarAPI("sandbox")


def read(recipients: Path, kind: Kind) -> list[Message]:
    with recipients.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [(place, row["number"], TEXTS[kind].format_map(row)) for place, row in enumerate(rows, 1)]


def load(database: str, messages: Sequence[Message]) -> None:
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLE)
        with cursor.copy("COPY public.messages (id, number, text) FROM STDIN") as copy:
            for message in messages:
                copy.write_row(message)


def main(gateway: str, database: str, recipients: str, kind: str, threads: int) -> None:
    """Load before the clock starts, then send."""
    shop = Shop(led_to(gateway), Kind(kind), SimpleQueue())
    messages = read(Path(recipients), shop.kind)
    load(database, messages)
    for _ in range(threads):
        shop.connections.put(psycopg.connect(database))
    calls = [messages[start : start + RECEPTORS_A_CALL] for start in range(0, len(messages), RECEPTORS_A_CALL)]
    cpu_s, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(shop.send, calls):
            pass
    figures = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_s}
    sys.stdout.write(json.dumps({"messages": len(messages), **figures}) + "\n")


if __name__ == "__main__":
    main(**json.load(sys.stdin))
