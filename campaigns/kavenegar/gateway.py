"""The client behind the pace: what the stations call.

A call costs a slot. `admit` takes one ahead, before a claim in the database; a call made without takes its own; every
further try takes another. Tried again here is only what is quick and certain; all else goes up to the station.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from campaigns.errors import GatewayDown, GatewayError, Postpone, Throttled
from campaigns.kavenegar import methods, records
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.faults import Fault, Kind
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.throttle import Slot, Throttle
from campaigns.kavenegar.transport import InTime

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Tries in all, by how far the call came. A lost answer costs a deadline each time, so the station's schedule decides.
TRIES = {Kind.NOT_SENT: 3, Kind.UNUSABLE: 2, Kind.LOST: 1}
TRIES_WHEN_BUSY = 3
BUSY = 409
# An admission not used by then is worth nothing: the pace has moved on.
ADMISSION_LASTS_S = 2.0


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One exchange with the gateway. `code` is its return code, None where no envelope came; `error` a class's name."""

    method: str
    lane: Lane
    code: int | None
    error: str | None
    rows: int
    ms: float


class Gateway:
    """Kavenegar at the pace everybody keeps.

    Beside what `Client` raises, every method raises `Throttled` (no slot in time, nothing was called) and `Postpone`
    (Redis is away, nothing was called). All tries of a call end within its deadline and 20 s, by default settings; a
    lease must outlast that.
    """

    def __init__(
        self,
        client: Client,
        throttle: Throttle,
        *,
        max_wait_s: float = 2.0,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self._client = client
        self._throttle = throttle
        self._max_wait_s = max_wait_s
        self._on_call = on_call
        self._admissions = threading.local()
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda exc: tries(exc) > 1),
            stop=lambda state: state.attempt_number >= tries(state.outcome.exception() if state.outcome else None),
            wait=tenacity.wait_exponential(multiplier=0.2, max=2.0) + tenacity.wait_random(0, 0.2),
            reraise=True,
        )

    def admit(self, lane: Lane, *, max_wait_s: float | None = None) -> float:
        """Take the slot of this thread's next call now; the seconds waited. It lasts two seconds.

        Raises:
            Throttled: no slot soon enough; try again after `retry_after_s`.
            Postpone: Redis is away.
        """
        slot = self._admitted() or self._throttle.take(
            lane, max_wait_s=self._max_wait_s if max_wait_s is None else max_wait_s
        )
        self._admissions.slot, self._admissions.until = slot, time.monotonic() + ADMISSION_LASTS_S
        return slot.wait_s

    # ── sends ──

    def send(
        self,
        receptors: Sequence[str],
        message: str,
        *,
        sender: str | None,
        localids: Sequence[int] | None,
        date: int | None = None,
        hide: bool = False,
        tag: str | None = None,
        lane: Lane = Lane.SEND,
        in_time: InTime | None = None,
    ) -> list[records.SentMessage]:
        """As `Client.send`; asks `in_time` before each try, and raises Postpone where it is too late to leave."""
        return self._call(
            methods.SEND,
            lane,
            lambda: self._client.send(
                receptors, message, sender=sender, localids=localids, date=date, hide=hide, tag=tag, in_time=in_time
            ),
        )

    def sendarray(
        self,
        receptors: Sequence[str],
        messages: Sequence[str],
        senders: Sequence[str],
        localids: Sequence[int] | None,
        *,
        date: int | None = None,
        hide: bool = False,
        tag: str | None = None,
        lane: Lane = Lane.SEND,
        in_time: InTime | None = None,
    ) -> list[records.SentMessage]:
        """As `Client.sendarray`; asks `in_time` as `send` does."""
        return self._call(
            methods.SENDARRAY,
            lane,
            lambda: self._client.sendarray(
                receptors, messages, senders, localids, date=date, hide=hide, tag=tag, in_time=in_time
            ),
        )

    # ── what became of them ──

    def status(self, messageids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[records.MessageStatus]:
        return self._call(methods.STATUS, lane, lambda: self._client.status(messageids))

    def statuslocalmessageid(self, localids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[records.LocalStatus]:
        return self._call(methods.STATUSLOCALMESSAGEID, lane, lambda: self._client.statuslocalmessageid(localids))

    def select(self, messageids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[records.SentMessage]:
        return self._call(methods.SELECT, lane, lambda: self._client.select(messageids))

    def cancel(self, messageids: Sequence[int], *, lane: Lane = Lane.SEND) -> list[records.Cancelled]:
        return self._call(methods.CANCEL, lane, lambda: self._client.cancel(messageids))

    def countoutbox(
        self, start: int, end: int | None = None, status: int | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> records.OutboxCount:
        return self._call(methods.COUNTOUTBOX, lane, lambda: self._client.countoutbox(start, end, status))

    # ── the account ──

    def account_info(self, *, lane: Lane = Lane.HOUSEKEEPING) -> records.Account:
        return self._call(methods.ACCOUNT_INFO, lane, self._client.account_info)

    def account_config(self, *, lane: Lane = Lane.HOUSEKEEPING) -> records.AccountConfig:
        return self._call(methods.ACCOUNT_CONFIG, lane, self._client.account_config)

    def getdate(self, *, lane: Lane = Lane.HOUSEKEEPING) -> records.ServerDate:
        return self._call(methods.GETDATE, lane, self._client.getdate)

    # ── one call, with its tries ──

    def _call(self, method: Method, lane: Lane, ask: Callable[[], Answer]) -> Answer:
        answer: Answer = self._retrying(self._try, method, lane, ask)
        return answer

    def _try(self, method: Method, lane: Lane, ask: Callable[[], Answer]) -> Answer:
        slot = self._admitted() or self._throttle.take(lane, max_wait_s=self._max_wait_s)
        began = time.perf_counter()
        try:
            answer = ask()
        except GatewayError as exc:
            self._note(CallRecord(method.path, lane, exc.code, type(exc).__name__, 0, _ms_since(began)))
            self._tell_everybody(slot, exc)
            raise
        rows = len(answer) if isinstance(answer, list) else 1
        self._note(CallRecord(method.path, lane, 200, None, rows, _ms_since(began)))
        self._tell_everybody(slot)
        return answer

    def _admitted(self) -> Slot | None:
        """Use up what `admit` took in this thread, if it still holds."""
        slot: Slot | None = getattr(self._admissions, "slot", None)
        self._admissions.slot = None
        return slot if slot is not None and time.monotonic() < self._admissions.until else None

    def _tell_everybody(self, slot: Slot, error: GatewayError | None = None) -> None:
        """What concerns all who call: that there were too many calls, or that a probe found it over."""
        try:
            if isinstance(error, Throttled):
                error.retry_after_s = self._throttle.blocked(slot, error.code or BUSY, error.retry_after_s)
            elif slot.probe and (error is None or error.code is not None):
                self._throttle.passed(slot)
        except Postpone as exc:  # the gateway's own answer is the one that counts
            log.warning("pace not told", extra={"code": error and error.code, "reason": str(exc)})

    def _note(self, call: CallRecord) -> None:
        facts = {"method": call.method, "lane": call.lane.label, "code": call.code, "ms": round(call.ms, 1)}
        if call.error is None:
            log.info("gateway answered", extra={**facts, "rows": call.rows})
        else:
            log.warning("gateway call failed", extra={**facts, "error": call.error})
        if self._on_call is not None:
            self._on_call(call)


def tries(exc: BaseException | None) -> int:
    """How often in all a call may be made that ended like this. 1: never again from here."""
    if isinstance(exc, Throttled):
        return TRIES_WHEN_BUSY if exc.code == BUSY else 1
    if isinstance(exc, GatewayDown):
        return TRIES[exc.__cause__.kind if isinstance(exc.__cause__, Fault) else Kind.UNUSABLE]
    return 1


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
