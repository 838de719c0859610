"""What came in at the gateway, what of it is stored, and turns at a line until it rests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages.inbox import pull
from kavenegar_campaigns.stages.inbox.pull import Pulled
from kavenegar_campaigns.store import lines
from tests.world import SENDER, Sandbox

MINUTE = timedelta(minutes=1)
DAY_S = 86_400


def line_added(context: Context, line: str = SENDER, *, every: timedelta = MINUTE) -> str:
    """A line that is due."""
    context.database(lines.change, line, every=every, enabled=True, otherwise=every, now=context.now())
    return line


def crowd(sandbox: Sandbox, count: int, *, line: str = SENDER, age_s: float = 3600, **options: Any) -> None:
    """As many messages, whose dates are spread over the last `age_s` seconds."""
    sandbox.inject({"line": line, "count": count, "text": "پاسخ {n}", "age_s": age_s, **options})


def stored(engine: Engine) -> list[int]:
    """The ids of what is stored, sorted."""
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT gateway_id FROM sms.inbound ORDER BY gateway_id")).scalars())


def came_in(sandbox: Sandbox) -> list[int]:
    """The ids of what came in at the gateway, sorted."""
    return sorted(message["messageid"] for message in sandbox.came_in())


def missing(engine: Engine, sandbox: Sandbox) -> int:
    """How many messages came in and are not stored; nothing else may be stored."""
    ours, theirs = set(stored(engine)), set(came_in(sandbox))
    assert ours <= theirs
    return len(theirs - ours)


def row(engine: Engine, line: str = SENDER) -> lines.Line:
    """The line's row."""
    with engine.connect() as connection:
        return lines.read(connection, line)


def turns(context: Context, line: str = SENDER, *, most: int = 60) -> list[Pulled]:
    """Turns at a line until it is not due any more."""
    found = []
    for _ in range(most):
        if not context.database(lines.is_due, line, now=context.now(), unknown_grace=context.policy.unknown_grace):
            return found
        found.append(pull.pull_line(context, line))
    raise AssertionError(f"the line is still due after {most} turns: {found[-1]}")


def line_claimed(context: Context, line: str = SENDER) -> lines.LineClaim:
    """Claim a line as a worker does that is about to pull it."""
    policy = context.policy
    claim = lines.claim(
        context.database,
        line,
        owner=uuid4(),
        now=context.now(),
        lease=policy.lease,
        unknown_grace=policy.unknown_grace,
    )
    assert claim is not None
    return claim


def at_rest(context: Context, sandbox: Sandbox, line: str = SENDER, *, most: int = 60) -> None:
    """Turns, and time between them, until nothing is in doubt and everything unread was handed out."""
    for _ in range(most):
        turns(context, line)
        if (
            row(context.database.engine, line).needs_reconcile_since is None
            and not sandbox.inbox_summary()[line]["unread"]
        ):
            return
        sandbox.advance(seconds=91)
    raise AssertionError(f"the line is not at rest: {row(context.database.engine, line)}")
