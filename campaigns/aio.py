"""The functions of `kavenegar_campaigns` for asyncio, awaited: each is the function of its name, in your transaction.

    from kavenegar_campaigns import aio

    async with AsyncSession(engine) as session, session.begin():
        campaign = await aio.create(session, recipients=numbers, text="سلام {name}", sender="10004346")
        await aio.start(session, campaign)

The first argument is an `AsyncSession`, an `async_scoped_session` or an `AsyncConnection` on `postgresql+psycopg`, also
SQLModel's; everything else is as in the function itself, its errors, too. Reading a large file keeps the event loop
busy for as long as it takes. Importing this needs greenlet: `pip install 'sqlalchemy[asyncio]'`.

`estimate` needs no transaction: await `asyncio.to_thread(campaigns.estimate, …)`.
"""

from __future__ import annotations

from asyncio import CancelledError, current_task
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.ext.asyncio.exc import AsyncContextNotStarted

from kavenegar_campaigns.api import Bind, campaign, inbox, name_of, otp, suppression, watch
from kavenegar_campaigns.api.boundary import EXPECTED, cleaned, forget
from kavenegar_campaigns.errors import BadInput

P = ParamSpec("P")
T = TypeVar("T")

AsyncBind = AsyncSession | AsyncConnection | async_scoped_session[Any]

_RIGHT: Final = "give an AsyncSession or AsyncConnection on postgresql+psycopg://…"


def _awaited(
    function: Callable[Concatenate[Bind, P], T],
) -> Callable[Concatenate[AsyncBind, P], Coroutine[Any, Any, T]]:
    """Make a function of `kavenegar_campaigns` awaitable, with an async transaction as its first argument."""

    @wraps(function)
    async def run(bind: AsyncBind, /, *args: P.args, **kwargs: P.kwargs) -> T:
        cancellations = _cancellations()
        try:
            return await _transaction(bind).run_sync(function, *args, **kwargs)
        except AsyncContextNotStarted:
            failure: BaseException = BadInput(f"this AsyncConnection is not started: {_RIGHT}, as `async with` does")
        except EXPECTED as error:
            # A cancelled statement may end in an error of the driver: the task was cancelled all the same.
            failure = cleaned(error) if _cancellations() == cancellations else CancelledError()
        except BaseException as error:
            forget(error)
            del bind, args, kwargs
            raise
        del bind, args, kwargs
        try:
            raise failure
        finally:
            del failure

    return run


def _cancellations() -> int:
    """Count how often this task was asked to end; 0 outside of tasks, and where another library runs the loop."""
    task = current_task()
    return 0 if task is None else task.cancelling()


def _transaction(bind: AsyncBind) -> AsyncSession | AsyncConnection:
    if isinstance(bind, async_scoped_session):
        bind = bind()
    if isinstance(bind, (AsyncSession, AsyncConnection)):
        return bind
    raise BadInput(
        f"{name_of(bind)} is no transaction of asyncio: {_RIGHT}; `kavenegar_campaigns` itself takes a Session"
    )


create: Final = _awaited(campaign.create)
start: Final = _awaited(campaign.start)
pause: Final = _awaited(campaign.pause)
resume: Final = _awaited(campaign.resume)
cancel: Final = _awaited(campaign.cancel)
send_uncertain: Final = _awaited(campaign.send_uncertain)

get: Final = _awaited(watch.get)
by_key: Final = _awaited(watch.by_key)
newest: Final = _awaited(watch.newest)
progress: Final = _awaited(watch.progress)
why_waiting: Final = _awaited(watch.why_waiting)
build_report: Final = _awaited(watch.build_report)
export: Final = _awaited(watch.export)
export_rejects: Final = _awaited(watch.export_rejects)
preview: Final = _awaited(watch.preview)

list_inbound: Final = _awaited(inbox.list_inbound)
get_inbound: Final = _awaited(inbox.get_inbound)
acknowledge: Final = _awaited(inbox.acknowledge)

order_otp: Final = _awaited(otp.order_otp)
otp_state: Final = _awaited(otp.otp_state)

suppress: Final = _awaited(suppression.suppress)
suppressed: Final = _awaited(suppression.suppressed)
unsuppress: Final = _awaited(suppression.unsuppress)

__all__ = [
    "AsyncBind",
    "acknowledge",
    "build_report",
    "by_key",
    "cancel",
    "create",
    "export",
    "export_rejects",
    "get",
    "get_inbound",
    "list_inbound",
    "newest",
    "order_otp",
    "otp_state",
    "pause",
    "preview",
    "progress",
    "resume",
    "send_uncertain",
    "start",
    "suppress",
    "suppressed",
    "unsuppress",
    "why_waiting",
]
