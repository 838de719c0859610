"""The HTTP server: the service under /v1, the admin API under /_sandbox.

It binds 127.0.0.1 by default. It logs no request, because the API key is in the URL.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from kavenegar_sandbox.admin import Admin
from kavenegar_sandbox.admin_http import errors_as_json, require_token
from kavenegar_sandbox.admin_inbox import AdminInbox
from kavenegar_sandbox.callbacks import Callbacks
from kavenegar_sandbox.fault_kinds import KINDS
from kavenegar_sandbox.faults import Faults
from kavenegar_sandbox.gateway import Accounts, journal_paths
from kavenegar_sandbox.journal import Journal
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.transport import LARGEST_BODY, HttpCall, read_call

_log = logging.getLogger(__name__)
_SHUTDOWN_TIMEOUT_S = 0.5  # for calls in progress when the sandbox stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a sandbox starts.

    `port` 0 picks a free port; `ready_file` receives the base URL once the server listens. `credit_rial` is the
    starting credit of each account. Each of `other_keys` opens one more account; accounts share nothing but the knobs
    and the clock.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = field(default="sandbox", repr=False)
    other_keys: tuple[str, ...] = field(default=(), repr=False)
    admin_token: str = field(default="", repr=False)
    credit_rial: int = 10_000_000_000
    knobs: Knobs = field(default_factory=Knobs)
    journal: Path | None = None
    ready_file: Path | None = None


def run(options: Options) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        OSError: the port is taken, or a file cannot be written.
        BadJournal: the journal file is not a journal of a sandbox.
    """
    asyncio.run(_serve_until_stopped(options))


@contextmanager
def background(options: Options) -> Iterator[str]:
    """Run a sandbox in a thread of this process and yield its base URL. It stops at the end of the block.

    Raises what `run` raises.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    server = AsyncExitStack()

    async def shut_down() -> None:
        await server.aclose()
        await loop.shutdown_default_executor()

    try:
        yield asyncio.run_coroutine_threadsafe(server.enter_async_context(serving(options)), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(shut_down(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator[str]:
    """Run a sandbox in the current event loop and yield its base URL. Raises what `run` raises."""
    keys = (options.api_key, *options.other_keys)
    with ExitStack() as files:
        journals = [files.enter_context(closing(Journal(path))) for path in journal_paths(options.journal, len(keys))]
        accounts = Accounts(keys, options.knobs, options.credit_rial, journals)
        callbacks = Callbacks(accounts.first.account)
        application = _application(accounts, callbacks, options)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, options.host, options.port).start()
            async with callbacks.running():
                yield f"http://{options.host}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def _application(accounts: Accounts, callbacks: Callbacks, options: Options) -> web.Application:
    faults = Faults(KINDS)

    async def call(request: web.Request) -> web.StreamResponse:
        return await _answer(accounts, faults, request)

    admin = web.Application(middlewares=[require_token(options.admin_token), errors_as_json])
    admin.add_routes(Admin(accounts, faults, options.knobs).routes())
    admin.add_routes(AdminInbox(accounts.first.account, callbacks).routes())
    application = web.Application(client_max_size=LARGEST_BODY)
    application.add_subapp("/_sandbox", admin)
    application.router.add_route("*", "/v1/{address:.*}", call)
    return application


async def _answer(accounts: Accounts, faults: Faults, request: web.Request) -> web.StreamResponse:
    """Answer one request of the service, through the fault it draws, if it draws one."""
    asked = await read_call(request)
    http_call = HttpCall(accounts.for_key(asked.key), request, asked)
    account, method = http_call.gateway.account, asked.method
    account.counters.requests[method] += 1
    fault = faults.draw(method, account.knobs.seed)
    if account.knobs.latency_ms:
        await asyncio.sleep(account.knobs.latency_ms / 1000)
    if fault is None:
        return http_call.reply(http_call.process())
    account.counters.faults[fault.kind] += 1
    return await KINDS[fault.kind](http_call, fault)


async def _serve_until_stopped(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(options) as base_url:
        _announce(base_url, options.ready_file)
        await stop.wait()
    _log.info("sandbox_stopped")


def _announce(base_url: str, ready_file: Path | None) -> None:
    if ready_file is not None:
        half = ready_file.with_name(f"{ready_file.name}.new")
        half.write_text(base_url)
        half.replace(ready_file)  # atomic: a reader sees nothing or all
    sys.stdout.write(f"sandbox listening on {base_url}\n")
    sys.stdout.flush()
