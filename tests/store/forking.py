"""A process that works, forks while it works, and tells what its children saw: run as a process of its own.

    python -m tests.store.forking PART ADDRESS

Each answer of a child is checked against its question: an answer to another process's question is `wrong`.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine

CHILDREN: Final = 4
OPERATIONS: Final = 100
OTPS: Final = 25
"""Each is seven commits and a call of the gateway."""
PATIENCE_S: Final = 60.0
"""A child that has not answered by then hangs."""

ENDINGS: Final = (CampaignsError, SQLAlchemyError, RedisError, OSError)
"""Errors that are counted by their name and their first words."""

Operation = Callable[[int], bool]


def _with_idle_connections(engine: Engine) -> Engine:
    """Fill the pool with more connections than the parent's threads use: a child finds the others in it."""
    for connection in [engine.connect() for _ in range(CHILDREN)]:
        connection.close()
    return engine


@in_one_commit
def _echo(connection: Connection, number: int) -> int:
    """Ask the database for `number` in a statement that takes a moment."""
    answer: int = connection.execute(text("SELECT :number FROM pg_sleep(0.0005)"), {"number": number}).scalar_one()
    return answer


def database(url: str) -> Operation:
    """Statements through our own `Database`, and its clock."""
    found = Database(_with_idle_connections(make_engine(url)), patience_s=5)

    def ask(number: int) -> bool:
        return _echo(found, number) == number and found.now().year > 2000

    return ask


def gateway(url: str) -> Operation:
    """Calls of one client to the gateway, whose answers name the message asked about."""
    client = Client("sandbox", url, deadline_s=5)
    return lambda number: [row.messageid for row in client.status([number + 1])] == [number + 1]


def pace(url: str) -> Operation:
    """Slots of the pace that all processes share."""
    throttle = Throttle(connect_redis(url), account="forking", start_rate=100_000, max_rate=100_000)
    return lambda _: throttle.take(Lane.SEND).lane is Lane.SEND and throttle.rate() > 0


def one_time_passwords(_: str) -> Operation:
    """One-time passwords, sent at once with the settings of the environment."""
    from kavenegar_worker import otp, wiring

    _with_idle_connections(wiring.engine())

    def send(number: int) -> bool:
        sent = otp.send(number=f"0912{number:07d}", template="verify", token="481516", key=f"{os.getpid()}:{number}")
        return sent.number == f"0912{number:07d}" and sent.state == "accepted"

    return send


def locks(url: str) -> Operation:
    """The clock and the pace, each with its lock held by a thread of the parent at the fork."""
    database_url, broker_url = url.split()
    found, client = Database(make_engine(database_url), patience_s=5), connect_redis(broker_url)
    throttle = Throttle(client, account="forking", start_rate=100_000, max_rate=100_000)
    holding = threading.Event()

    def hold() -> None:
        with found.clock._lock, client.connection_pool._lock:
            holding.set()
            time.sleep(PATIENCE_S * 2)

    def ask(_: int) -> bool:
        if os.getpid() == parent:
            if not holding.is_set():
                throttle.take(Lane.SEND)
                threading.Thread(target=hold, daemon=True).start()
                holding.wait()
            return True
        return found.now().year > 2000 and throttle.take(Lane.SEND).lane is Lane.SEND

    parent = os.getpid()
    return ask


def in_use(url: str) -> Operation:
    """A connection of our engine that is in use at the fork: only the parent may go on with it."""
    return _on_one_connection(make_engine(url))


def own_engine(url: str) -> Operation:
    """A caller's own engine."""
    engine = _with_idle_connections(create_engine(url))

    def ask(number: int) -> bool:
        with engine.begin() as connection:
            found = campaigns.newest(connection)
            return found == [] and connection.execute(text("SELECT :n"), {"n": number}).scalar_one() == number

    ask.engine = engine  # type: ignore[attr-defined]
    return ask


def own_engine_disposed(url: str) -> Operation:
    """The same, after what the sentence says was done in the child."""
    ask = own_engine(url)
    os.register_at_fork(after_in_child=lambda: ask.engine.dispose(close=False))  # type: ignore[attr-defined]
    return ask


def _on_one_connection(engine: Engine) -> Operation:
    connection = engine.connect()
    return lambda number: connection.execute(text("SELECT :n"), {"n": number}).scalar_one() == number


PARTS: Final[dict[str, Callable[[str], Operation]]] = {
    part.__name__: part
    for part in (database, gateway, pace, one_time_passwords, locks, in_use, own_engine, own_engine_disposed)
}


def tally(operation: Operation, first: int, count: int) -> Counter[str]:
    """Run an operation with `count` numbers, and count how each ended."""
    seen: Counter[str] = Counter()
    for number in range(first, first + count):
        try:
            seen["right" if operation(number) else "wrong"] += 1
        except ENDINGS as why:
            seen[f"{type(why).__name__}: {str(why)[:64]}"] += 1
    return seen


def fork(operation: Operation, first: int, count: int) -> tuple[int, int]:
    """Start a child that runs the operation. Returns its pid, and where it writes what it saw."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        try:
            os.write(writing, json.dumps(tally(operation, first, count)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    return pid, reading


def _answer_of(pid: int, reading: int) -> dict[str, int]:
    """Return what a child saw; a child that hung has told nothing but where it hung, on its standard error."""
    with os.fdopen(reading, "rb") as answer:
        line = answer.read()
    os.waitpid(pid, 0)
    seen: dict[str, int] = json.loads(line) if line else {"hung": 1}
    return seen


def main(part: str, address: str) -> None:
    """Use the part, fork children while threads use it, and print what parent and children saw."""
    operation, count = PARTS[part](address), OTPS if part == "one_time_passwords" else OPERATIONS
    tally(operation, 1, 3)
    seen: Counter[str] = Counter()
    firsts = () if part == "in_use" else (10, 200)
    threads = [threading.Thread(target=lambda at=at: seen.update(tally(operation, at, count))) for at in firsts]
    for thread in threads:
        thread.start()
    children = [fork(operation, 1000 * (place + 1), count) for place in range(CHILDREN)]
    if part == "in_use":
        seen = tally(operation, 10, 2 * count)
    answers = [_answer_of(*child) for child in children]
    for thread in threads:
        thread.join()
    print(json.dumps({"parent": seen, "children": answers}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
