"""The gateway calls back: each change of a message's status, and each message that comes in, to the user's address.

An answer other than 200, or none in time, is asked for again every two minutes, thirty times, on the gateway's clock.
Neither the spec nor the service says how callbacks are signed: they are not. Source: kavenegar-rest, sms/status and
sms/receive ("Callback URL"); the names of the parameters are those of the official samples.
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

_CONCURRENT_CALLS = 8  # requests on the wire
_READY_MAX = 100  # callbacks taken out of the waiting ones for them
_MOST_WAITING = 20_000  # callbacks that wait to be made, or made again; further news wait where they are
_COLLECTED_AT_ONCE = 500  # news at a time
_TICK_S = 0.1

STATUS, RECEIVE = "status", "receive"
Event = StatusEvent | InboundEvent
Source = StatusEvents | InboundEvents
_SOURCES: dict[str, Callable[[Account], Source]] = {STATUS: StatusEvents, RECEIVE: InboundEvents}


@dataclass(frozen=True, slots=True)
class Callback:
    kind: str
    event: Event
    failures: int = 0


class Callbacks:
    """What is to be told, what waits for its time, and what became of it. It runs while `running` does."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._sources: dict[str, Source] = {}  # of the kinds that have an address
        self._waiting: list[tuple[float, int, Callback]] = []  # (due, number, callback), the earliest first
        self._numbers = 0
        self._ready: asyncio.Queue[Callback] = asyncio.Queue(_READY_MAX)
        self._counters: dict[str, Counter[str]] = {STATUS: Counter(), RECEIVE: Counter()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
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
        """For the admin API: by kind what was made and what became of it; and what is still to come."""
        names = ("events", "sent", "answered", "retried", "given_up", "lost", "doubled")
        return {
            **{
                kind: {**{name: counters[name] for name in names}, "news": counters["events"]}  # `news`: an old name
                for kind, counters in self._counters.items()
            },
            "waiting": len(self._waiting) + self._ready.qsize(),
            "expected": sum(source.expected for source in self._sources.values()),
        }

    async def _dispatch(self) -> None:
        """Every moment: take on what is new, and hand what is due to those who make the calls."""
        while True:
            self._follow_knobs()
            now = self._account.clock.now()
            collected = self._collect_events(now)
            while self._waiting and self._waiting[0][0] <= now:
                await self._ready.put(heappop(self._waiting)[2])
            await asyncio.sleep(0 if collected else _TICK_S)

    def _follow_knobs(self) -> None:
        """A kind that gets an address is told from now on; one that loses it is forgotten."""
        for kind, source_of in _SOURCES.items():
            if not _url(self._account.knobs, kind):
                self._sources.pop(kind, None)
            elif kind not in self._sources:
                self._sources[kind] = source_of(self._account)

    def _collect_events(self, now: float) -> int:
        """News become callbacks, as long as there is room for more; how many there were."""
        collected = 0
        for kind, source in self._sources.items():
            room = min(_COLLECTED_AT_ONCE, _MOST_WAITING - len(self._waiting))
            for event in source.due(now, max(0, room)):
                collected += 1
                self._schedule(Callback(kind, event), now)
        return collected

    def _schedule(self, callback: Callback, now: float) -> None:
        """Once, twice or not at all, after a delay: as the knobs and the dice say."""
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
        """One call after the other; what is not answered waits for its next time."""
        while True:
            callback = await self._ready.get()
            knobs, counters = self._account.knobs, self._counters[callback.kind]
            if not (url := _url(knobs, callback.kind)):
                continue  # the address was taken away while it waited
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
    """Whether the answer was 200, and came in time."""
    query, form = (parameters, None) if knobs.callback_method == "get" else (None, parameters)
    timeout = ClientTimeout(total=knobs.callback_timeout_s)
    try:
        async with session.request(
            knobs.callback_method, url, params=query, data=form, timeout=timeout, allow_redirects=False
        ) as answer:
            return answer.status == 200
    except (ClientError, TimeoutError):
        return False
