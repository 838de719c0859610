"""Callbacks: the gateway reports each change of a message's status, and each inbound message, to the user's URL.

A callback that is not answered with 200 in time is repeated every two minutes, thirty times, on the gateway's clock.
Callbacks are not signed: neither the specification nor the service describes a signature. The parameters have the names
of the official samples. Source: kavenegar-rest, sms/status and sms/receive ("Callback URL").
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.rng import uniform
from kavenegar_sandbox.status_events import InboundEvent, InboundEvents, StatusEvent, StatusEvents

_CONCURRENT_CALLS = 8  # calls at once
_READY_MAX = 100  # callbacks taken from the waiting ones for the senders
_MOST_WAITING = 20_000  # callbacks waiting for their time; further events wait in their source
_COLLECTED_AT_ONCE = 500  # events at a time
_TICK_S = 0.1

STATUS, RECEIVE = "status", "receive"
Event = StatusEvent | InboundEvent
Source = StatusEvents | InboundEvents
_SOURCES: dict[str, Callable[[Account], Source]] = {STATUS: StatusEvents, RECEIVE: InboundEvents}


@dataclass(frozen=True, slots=True)
class Callback:
    """One event to report, and how often it failed."""

    kind: str
    event: Event
    failures: int = 0


class Callbacks:
    """Collects the events of an account, makes the callbacks, repeats the failed ones, while `running` runs."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._sources: dict[str, Source] = {}  # of the kinds that have a URL
        self._waiting: list[tuple[float, int, Callback]] = []  # a heap of (due, number, callback)
        self._numbers = 0
        self._ready: asyncio.Queue[Callback] = asyncio.Queue(_READY_MAX)
        self._counters: dict[str, Counter[str]] = {STATUS: Counter(), RECEIVE: Counter()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make callbacks until the block ends."""
        async with ClientSession() as session:
            tasks = [asyncio.create_task(self._send_loop(session)) for _ in range(_CONCURRENT_CALLS)]
            tasks.append(asyncio.create_task(self._dispatch()))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                for task in tasks:
                    with suppress(asyncio.CancelledError):
                        await task

    def summary(self) -> dict[str, Any]:
        """Counts for the admin API: by kind, and how many callbacks and events are still to come."""
        names = ("events", "sent", "answered", "retried", "given_up", "lost", "doubled")
        return {
            **{
                kind: {**{name: counters[name] for name in names}, "news": counters["events"]}  # `news`: the old name
                for kind, counters in self._counters.items()
            },
            "waiting": len(self._waiting) + self._ready.qsize(),
            "expected": sum(source.expected for source in self._sources.values()),
        }

    async def _dispatch(self) -> None:
        """In a loop: collect new events, and hand the callbacks that are due to the senders."""
        while True:
            self._follow_knobs()
            now = self._account.clock.now()
            collected = self._collect_events(now)
            while self._waiting and self._waiting[0][0] <= now:
                await self._ready.put(heappop(self._waiting)[2])
            await asyncio.sleep(0 if collected else _TICK_S)

    def _follow_knobs(self) -> None:
        """Start a source for each kind that has a URL; forget the source of a kind that lost its URL."""
        for kind, source_of in _SOURCES.items():
            if not _url(self._account.knobs, kind):
                self._sources.pop(kind, None)
            elif kind not in self._sources:
                self._sources[kind] = source_of(self._account)

    def _collect_events(self, now: float) -> int:
        """Turn due events into callbacks while there is room. Returns how many events were collected."""
        collected = 0
        for kind, source in self._sources.items():
            room = min(_COLLECTED_AT_ONCE, _MOST_WAITING - len(self._waiting))
            for event in source.due(now, max(0, room)):
                collected += 1
                self._schedule(Callback(kind, event), now)
        return collected

    def _schedule(self, callback: Callback, now: float) -> None:
        """Schedule an event once, twice or never, each after a random delay, as the knobs say."""
        knobs, counters = self._account.knobs, self._counters[callback.kind]
        counters["events"] += 1
        if self._random(6) < knobs.callback_lost_share:
            counters["lost"] += 1
            return
        twice = self._random(7) < knobs.callback_double_share
        counters["doubled"] += twice
        shortest, longest = knobs.callback_delay_s
        for _ in range(1 + twice):
            self._enqueue(callback, now + shortest + self._random(8) * (longest - shortest))

    def _enqueue(self, callback: Callback, due: float) -> None:
        self._numbers += 1
        heappush(self._waiting, (due, self._numbers, callback))

    def _random(self, purpose: int) -> float:
        made = sum(counters["events"] for counters in self._counters.values())
        return uniform(self._account.knobs.seed, made, self._numbers, purpose)

    async def _send_loop(self, session: ClientSession) -> None:
        """Make one call after the other. A failed call is scheduled again."""
        while True:
            callback = await self._ready.get()
            knobs, counters = self._account.knobs, self._counters[callback.kind]
            if not (url := _url(knobs, callback.kind)):
                continue  # its URL was removed while it waited
            counters["sent"] += 1
            if await _call(session, url, self._parameters(callback.event), knobs):
                self._record_answer(callback)
            elif callback.failures < knobs.callback_retries:
                counters["retried"] += 1
                again = replace(callback, failures=callback.failures + 1)
                self._enqueue(again, self._account.clock.now() + knobs.callback_retry_s)
            else:
                counters["given_up"] += 1

    def _record_answer(self, callback: Callback) -> None:
        self._counters[callback.kind]["answered"] += 1
        if isinstance(callback.event, InboundEvent):
            self._account.inbox.pushed(callback.event.line, callback.event.row)

    def _parameters(self, event: Event) -> dict[str, str]:
        if isinstance(event, StatusEvent):
            return {"messageid": str(self._account.ledger.messageid(event.row)), "status": str(event.status)}
        mailbox = self._account.inbox.mailbox(event.line)
        return {
            "from": mailbox.sender(event.row),
            "to": event.line,
            "message": mailbox.text(event.row),
            "messageid": str(mailbox.messageids[event.row]),
        }


def _url(knobs: Knobs, kind: str) -> str:
    return knobs.status_callback_url if kind == STATUS else knobs.receive_callback_url


async def _call(session: ClientSession, url: str, parameters: dict[str, str], knobs: Knobs) -> bool:
    """Make one call. Returns whether it was answered with 200 in time."""
    query, form = (parameters, None) if knobs.callback_method == "get" else (None, parameters)
    timeout = ClientTimeout(total=knobs.callback_timeout_s)
    try:
        async with session.request(
            knobs.callback_method, url, params=query, data=form, timeout=timeout, allow_redirects=False
        ) as answer:
            return answer.status == 200
    except (ClientError, TimeoutError):
        return False
