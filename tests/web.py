"""The service that the gateway calls back, in this process and over HTTP all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from wsgiref.types import WSGIApplication

from sqlalchemy import Engine, text
from waitress.wasyncore import close_all

from campaigns_devkit import servers
from kavenegar_campaigns.context import Context
from kavenegar_worker.web import Recorder, TokenBucket, bind_server, callbacks_application

TOKEN = "a-token-of-the-tests-0123456789-ABCDEF_xyz"


@contextmanager
def served(
    app: WSGIApplication, port: int | None = None, listening: Callable[..., Any] = bind_server, **options: Any
) -> Iterator[str]:
    """The address of the real server with this application."""
    port = port or servers.find_free_port()
    server = listening("127.0.0.1", port, app, **options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.task_dispatcher.shutdown()
        with suppress(OSError):  # the server wakes by itself, and is gone before it is woken
            server.trigger.pull_trigger(lambda: close_all(server._map))
        thread.join(timeout=30)


@contextmanager
def web(
    context: Context, *, rate: float = 10_000, max_backlog: int = 1_000_000, port: int | None = None
) -> Iterator[str]:
    """What the gateway calls: `…/status` and `…/receive` below it."""
    recorder = Recorder(context.database, context.clock, context.policy, max_backlog=max_backlog)
    with served(callbacks_application(recorder, TOKEN, TokenBucket(rate)), port) as url:
        yield f"{url}/callbacks/{TOKEN}"


def expecting(context: Context, **policy: Any) -> Context:
    """The same context, where callbacks are expected."""
    return replace(context, policy=replace(context.policy, callbacks_expected=True, **policy))


def parked(engine: Engine) -> list[tuple[int, int]]:
    """Gateway id and status of every callback that waits."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT gateway_id, status FROM sms.callbacks ORDER BY gateway_id, status"))
        return [(row.gateway_id, row.status) for row in rows]


def gateway_ids(engine: Engine, campaign: int) -> list[int]:
    """The gateway's ids of a campaign's messages, in the order of its rows."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT gateway_id FROM sms.messages WHERE campaign_id = :id ORDER BY id"), {"id": campaign}
        )
        return list(rows.scalars())
