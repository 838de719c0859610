"""Check that Celery, the pace and the user's INBOX_TASK use the brokers that the settings name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis.exceptions import RedisError

from kavenegar_campaigns.context import connect_redis
from kavenegar_worker import queues, wiring
from kavenegar_worker.cli.output import Finding, Level
from kavenegar_worker.logs import first_line
from kavenegar_worker.settings import ignored_brokers, revealed


def check_celery_broker() -> Finding:
    """Compare the broker that Celery reads and writes with the one that holds the pace."""
    from kavenegar_worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it

    pace = _server_of_client(wiring.broker())
    reads, writes = map(_server_of_celery, (app.connection_for_read(), app.connection_for_write()))
    if reads == writes == pace:
        says = f"tasks and the pace are at {pace}"
        if ignored := ignored_brokers(wiring.settings()):
            says += f"; {', '.join(ignored)}: another broker, which other Celery apps use and ours does not"
        return Finding("tasks", Level.OK, says)
    says = f"Celery consumes from {reads} and publishes to {writes}, and the pace is at {pace}: tasks are not found"
    return Finding("tasks", Level.BAD, says, "set CAMPAIGNS_BROKER_URL, and change no setting of our Celery app")


def _server_of_celery(connection: Any) -> str:
    return _server(connection.hostname, connection.port, str(connection.virtual_host).strip("/"))


def _server_of_client(client: Any) -> str:
    known: Mapping[str, Any] = client.connection_pool.connection_kwargs
    return _server(known.get("host"), known.get("port"), known.get("db"))


def _server(host: str | None, port: int | None, database: str | int | None) -> str:
    """Return the host, port and database of a Redis, without user and password."""
    return f"{host}:{port or 6379}/{database or 0}"


def check_inbox_task() -> Iterator[Finding]:
    """Check the broker that INBOX_TASK is sent to, if it is another than ours."""
    chosen = wiring.settings()
    url = revealed(chosen.inbox_task_broker)
    if chosen.inbox_task is None:
        return
    if url is None:
        says = f"{chosen.inbox_task} is sent to our own broker, into the queue {chosen.inbox_task_queue}"
        yield Finding("inbox task", Level.OK, f"{says}; where your workers use another, set INBOX_TASK_BROKER")
        return
    try:
        with connect_redis(url) as client:
            where, waiting = _server_of_client(client), int(client.llen(chosen.inbox_task_queue))
            queues.check_writes(client)
    except RedisError as why:
        says = f"INBOX_TASK_BROKER does not take it: {first_line(why)}; inbound messages are kept until it does"
        yield Finding("inbox task", Level.BAD, says, "start that broker, or correct INBOX_TASK_BROKER")
        return
    says = f"{chosen.inbox_task} is sent to {where}; in the queue {chosen.inbox_task_queue} wait {waiting:,}"
    yield Finding("inbox task", Level.OK, says)
