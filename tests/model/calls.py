"""A call of a worker in a replay: the real function, in a thread of its own, that waits where it calls the gateway."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from kavenegar_campaigns.context import Context
from tests.model.gateway import Asked, Died, Line

Rows = list[dict[str, Any]]


class Mismatch(AssertionError):
    """The code does something else than the model."""


class Call:
    """What a worker asks the gateway, and how the trace lets that end: `reply` waits until it is written down."""

    def __init__(self, context: Context, line: Line, work: Callable[[Context, int], object], batch_id: int) -> None:
        self.line = line
        self.reply: Rows | BaseException = []
        self.heard = 0  # messages of which a question was answered so far, by the bits of the model
        self._pool = ThreadPoolExecutor(1)
        self._pool.submit(work, context, batch_id).add_done_callback(self._over)
        self.asked = self._next("it claimed nothing")

    def go_on(self) -> None:
        """Hand it the reply, after which it asks something else."""
        self.line.answer(self.reply)
        self.reply = []
        self.asked = self._next("it did not ask by localid")

    def end(self, reply: Rows | BaseException | None = None) -> None:
        """Hand it the reply, after which everything is written down."""
        self.line.answer(self.reply if reply is None else reply)
        if self.line.asked() is not None:
            raise Mismatch("it asks once more")
        self._pool.shutdown()

    def hear(self, rows: Rows, messages: int) -> None:
        """The gateway has answered for some of the messages it was asked about."""
        assert isinstance(self.reply, list)
        self.reply = [*self.reply, *rows]
        self.heard |= messages

    def _next(self, otherwise: str) -> Asked:
        found = self.line.asked()
        if found is None:
            raise Mismatch(otherwise)
        return found

    def _over(self, done: Future[object]) -> None:
        """Tell what went wrong, if anything did, on the line, where the replay waits."""
        fault = done.exception()
        self.line.end(None if isinstance(fault, Died) else fault)
