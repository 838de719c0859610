"""Make calls at the shared pace, with further tries: the client that the stages use.

A call costs a slot. `acquire_slot` takes one ahead, before a claim in the database; a call without a slot takes one
itself; every further try takes another. A call is tried again here only if a new try is quick and safe; every other
failure is raised to the stage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import tenacity

from kavenegar_campaigns import forks
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.errors import AnswerLost, GatewayDown, GatewayError, Postpone, Throttled
from kavenegar_campaigns.kavenegar.account import BlockedPage
from kavenegar_campaigns.kavenegar.call import Answer, Call
from kavenegar_campaigns.kavenegar.client import AllMethods, Client
from kavenegar_campaigns.kavenegar.codes import BUSY, OK, RETURN_CODES
from kavenegar_campaigns.kavenegar.inbox import InboxPage
from kavenegar_campaigns.kavenegar.pace import Slot, Throttle
from kavenegar_campaigns.kavenegar.transport import Fault, FaultKind, InTime
from kavenegar_campaigns.rules.pace import Lane

log = logging.getLogger(__name__)

# Tries in all, by how far the call came. Each lost answer costs a whole deadline, so the stage's schedule decides.
TRIES = {FaultKind.NOT_SENT: 3, FaultKind.UNUSABLE: 2, FaultKind.LOST: 1}
TRIES_WHEN_BUSY = 3
# Seconds. A slot that was taken ahead and is not used by then is lost: the pace has moved on.
SLOT_LASTS_S = 2.0


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One exchange with the gateway. `code` is its return code, None without an envelope; `error` is a class's name."""

    method: str
    lane: Lane
    code: int | None
    error: str | None
    rows: int
    ms: float


class PacedClient(AllMethods):
    """A client of Kavenegar at the pace that all workers share.

    Beside the errors of `Client`, every method raises `Throttled` (no slot in time, no call was made) and `Postpone`
    (Redis is away, no call was made). With default settings, all tries of a call end within its deadline and 20 s; a
    lease must be longer.
    """

    def __init__(
        self,
        client: Client,
        throttle: Throttle,
        *,
        max_wait_s: float = 2.0,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self.account = client.account
        self.clock = client.clock
        self.longest_text = client.longest_text
        self._client = client
        self._throttle = throttle
        self._max_wait_s = max_wait_s
        self._on_call = on_call
        self._drop_held_slots()
        forks.renew_in_child(self, PacedClient._drop_held_slots)
        self._retrying = tenacity.Retrying(
            retry=_may_retry,
            wait=tenacity.wait_exponential(multiplier=0.2, max=2.0) + tenacity.wait_random(0, 0.2),
            reraise=True,
        )

    def _drop_held_slots(self) -> None:
        """Hold no slot: at first, and after a fork, because the parent uses the slot that its thread holds."""
        self._held = threading.local()

    def acquire_slot(self, lane: Lane, *, max_wait_s: float | None = None) -> float:
        """Take the slot of this thread's next call. Returns the seconds waited. The slot is good for two seconds.

        Raises:
            Throttled: no slot soon enough; try again after `retry_after_s`.
            Postpone: Redis is away.
        """
        slot = self._take_held_slot() or self._throttle.take(
            lane, max_wait_s=self._max_wait_s if max_wait_s is None else max_wait_s, held=True
        )
        self._held.slot, self._held.until = slot, steady() + SLOT_LASTS_S
        return slot.wait_s

    def perform(self, call: Call[Answer], *, lane: Lane, in_time: InTime | None = None) -> Answer:
        """Make the call, with a slot of the lane and a check of `in_time` for each try. Raises: GatewayError."""
        answer: Answer = self._retrying(self._try, call, lane, in_time)
        return answer

    def _try(self, call: Call[Answer], lane: Lane, in_time: InTime | None) -> Answer:
        slot = self._slot_for_call(lane)
        path, began = call.method.path, time.perf_counter()
        try:
            answer = self._client.perform(call, lane=lane, in_time=in_time)
        except GatewayError as exc:
            self._record_call(CallRecord(path, lane, exc.code, type(exc).__name__, 0, _ms_since(began)))
            self._report_to_pace(slot, exc)
            raise
        self._record_call(CallRecord(path, lane, OK, None, _row_count(answer), _ms_since(began)))
        self._report_to_pace(slot)
        return answer

    def _slot_for_call(self, lane: Lane) -> Slot:
        """Return the slot of a call that leaves now: the one held by `acquire_slot`, or a new one."""
        admitted = self._take_held_slot()
        if admitted is not None:
            return self._throttle.leave(admitted, max_wait_s=self._max_wait_s)
        return self._throttle.take(lane, max_wait_s=self._max_wait_s)

    def _take_held_slot(self) -> Slot | None:
        """Return, once, the slot that `acquire_slot` took in this thread; None if there is none or it is too old."""
        slot: Slot | None = getattr(self._held, "slot", None)
        self._held.slot = None
        return slot if slot is not None and steady() < self._held.until else None

    def _report_to_pace(self, slot: Slot, error: GatewayError | None = None) -> None:
        """Report to the shared pace: the gateway throttled the call of this slot, or answered it."""
        try:
            if isinstance(error, Throttled):
                error.retry_after_s = self._throttle.report_throttled(slot, error.code or BUSY, error.retry_after_s)
            elif error is not None and error.code == BUSY:
                self._throttle.report_throttled(slot, BUSY, RETURN_CODES[BUSY].pause_s)
            elif error is None or error.code is not None:
                self._throttle.report_ok(slot)
        except Postpone as exc:  # the gateway's answer counts, not the failure of Redis
            log.warning("pace report failed", extra={"code": error and error.code, "reason": str(exc)})

    def _record_call(self, call: CallRecord) -> None:
        facts = {"method": call.method, "lane": call.lane.label, "code": call.code, "ms": round(call.ms, 1)}
        if call.error is None:
            log.info("gateway answered", extra={**facts, "rows": call.rows})
        else:
            log.warning("gateway call failed", extra={**facts, "error": call.error})
        if self._on_call is not None:
            self._on_call(call)


def _may_retry(state: tenacity.RetryCallState) -> bool:
    exc = state.outcome.exception() if state.outcome else None
    return state.attempt_number < max_tries(exc)


def max_tries(exc: BaseException | None) -> int:
    """Return how many tries a call with this error may have in all. 1: no further try here.

    A send is tried again only if no byte left. A call that marked messages as read and lost the answer is not tried
    again: the next try would return the next messages.
    """
    if isinstance(exc, Throttled):
        return TRIES_WHEN_BUSY if exc.code == BUSY else 1
    if isinstance(exc, GatewayDown) and not isinstance(exc, AnswerLost):
        return TRIES[exc.__cause__.kind if isinstance(exc.__cause__, Fault) else FaultKind.UNUSABLE]
    return 1


def _row_count(answer: object) -> int:
    if isinstance(answer, InboxPage | BlockedPage):
        return answer.row_count
    return len(answer) if isinstance(answer, list) else 1


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
