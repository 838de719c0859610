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
from kavenegar_sandbox.rng import roll
from kavenegar_sandbox.status_events import Arrival, Arrivals, StatusChange, StatusChanges

_AT_ONCE = 8  # requests on the wire
_AT_HAND = 100  # callbacks taken out of the waiting ones for them
_MOST_WAITING = 20_000  # callbacks that wait to be made, or made again; further news wait where they are
_TAKEN_ON = 500  # news at a time
_TICK_S = 0.1

STATUS, RECEIVE = "status", "receive"
News = StatusChange | Arrival
Source = StatusChanges | Arrivals
_SOURCES: dict[str, Callable[[Account], Source]] = {STATUS: StatusChanges, RECEIVE: Arrivals}


@dataclass(frozen=True, slots=True)
class Callback:
    kind: str
    news: News
    failures: int = 0


class Callbacks:
    """What is to be told, what waits for its time, and what became of it. It runs while `running` does."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._sources: dict[str, Source] = {}  # of the kinds that have an address
        self._waiting: list[tuple[float, int, Callback]] = []  # (due, number, callback), the earliest first
        self._numbers = 0
        self._at_hand: asyncio.Queue[Callback] = asyncio.Queue(_AT_HAND)
        self._tallies: dict[str, Counter[str]] = {STATUS: Counter(), RECEIVE: Counter()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with ClientSession() as session:
            tasks = [asyncio.create_task(self._make(session)) for _ in range(_AT_ONCE)]
            tasks.append(asyncio.create_task(self._hand_over()))
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
        names = ("news", "sent", "answered", "retried", "given_up", "lost", "doubled")
        return {
            **{kind: {name: tally[name] for name in names} for kind, tally in self._tallies.items()},
            "waiting": len(self._waiting) + self._at_hand.qsize(),
            "expected": sum(source.expected for source in self._sources.values()),
        }

    async def _hand_over(self) -> None:
        """Every moment: take on what is new, and hand what is due to those who make the calls."""
        while True:
            self._follow_knobs()
            now = self._account.clock.now()
            taken_on = self._take_on(now)
            while self._waiting and self._waiting[0][0] <= now:
                await self._at_hand.put(heappop(self._waiting)[2])
            await asyncio.sleep(0 if taken_on else _TICK_S)

    def _follow_knobs(self) -> None:
        """A kind that gets an address is told from now on; one that loses it is forgotten."""
        for kind, source_of in _SOURCES.items():
            if not _url(self._account.knobs, kind):
                self._sources.pop(kind, None)
            elif kind not in self._sources:
                self._sources[kind] = source_of(self._account)

    def _take_on(self, now: float) -> int:
        """News become callbacks, as long as there is room for more; how many there were."""
        taken_on = 0
        for kind, source in self._sources.items():
            room = min(_TAKEN_ON, _MOST_WAITING - len(self._waiting))
            for news in source.due(now, max(0, room)):
                taken_on += 1
                self._plan(Callback(kind, news), now)
        return taken_on

    def _plan(self, callback: Callback, now: float) -> None:
        """Once, twice or not at all, after a delay: as the knobs and the dice say."""
        knobs, tally = self._account.knobs, self._tallies[callback.kind]
        tally["news"] += 1
        if self._chance(6) < knobs.callback_lost_share:
            tally["lost"] += 1
            return
        twice = self._chance(7) < knobs.callback_double_share
        tally["doubled"] += twice
        shortest, longest = knobs.callback_delay_s
        for _ in range(1 + twice):
            self._wait(callback, now + shortest + self._chance(8) * (longest - shortest))

    def _wait(self, callback: Callback, due: float) -> None:
        self._numbers += 1
        heappush(self._waiting, (due, self._numbers, callback))

    def _chance(self, purpose: int) -> float:
        made = sum(tally["news"] for tally in self._tallies.values())
        return roll(self._account.knobs.seed, made, self._numbers, purpose)

    async def _make(self, session: ClientSession) -> None:
        """One call after the other; what is not answered waits for its next time."""
        while True:
            callback = await self._at_hand.get()
            knobs, tally = self._account.knobs, self._tallies[callback.kind]
            if not (url := _url(knobs, callback.kind)):
                continue  # the address was taken away while it waited
            tally["sent"] += 1
            if await _call(session, url, self._parameters(callback.news), knobs):
                self._answered(callback)
            elif callback.failures < knobs.callback_retries:
                tally["retried"] += 1
                again = replace(callback, failures=callback.failures + 1)
                self._wait(again, self._account.clock.now() + knobs.callback_retry_s)
            else:
                tally["given_up"] += 1

    def _answered(self, callback: Callback) -> None:
        self._tallies[callback.kind]["answered"] += 1
        if isinstance(callback.news, Arrival):
            self._account.inbox.pushed(callback.news.line, callback.news.row)

    def _parameters(self, news: News) -> dict[str, str]:
        if isinstance(news, StatusChange):
            return {"messageid": str(self._account.ledger.messageid(news.row)), "status": str(news.status)}
        box = self._account.inbox.box(news.line)
        return {
            "from": box.sender(news.row),
            "to": news.line,
            "message": box.text(news.row),
            "messageid": str(box.messageids[news.row]),
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
