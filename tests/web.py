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

from campaigns.house import House
from worker.embedded import ports
from worker.web import Allowance, Desk, application, listening

TOKEN = "a-token-of-the-tests-0123456789-ABCDEF_xyz"


@contextmanager
def served(
    app: WSGIApplication, port: int | None = None, listening: Callable[..., Any] = listening, **options: Any
) -> Iterator[str]:
    """The address of the real server with this application."""
    port = port or ports.find_free()
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
def web(house: House, *, rate: float = 10_000, most_parked: int = 1_000_000, port: int | None = None) -> Iterator[str]:
    """What the gateway calls: `…/status` and `…/receive` below it."""
    desk = Desk(house.database, house.clock, house.policy, most_parked=most_parked)
    with served(application(desk, TOKEN, Allowance(rate)), port) as url:
        yield f"{url}/callbacks/{TOKEN}"


def expecting(house: House, **policy: Any) -> House:
    """The same house, where callbacks are expected."""
    return replace(house, policy=replace(house.policy, callbacks=True, **policy))


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
