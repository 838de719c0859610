"""A run of the model, done again by the real code, and held against the model after each step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.stages import guards, plan
from kavenegar_campaigns.store import due, epochs, gate, messages, suppressions
from tests.model import copies
from tests.model.calls import Mismatch
from tests.model.gateway import Line
from tests.model.reading import TICK, Standing, Step, World, stands
from tests.model.workers import AN_HOUR, LABELS, Workers


class Replay(Workers):
    """The world of one trace. `follow` does a step; `standing` says how the database stands after it."""

    def follow(self, step: Step) -> None:
        """Do what the model did. Raises: Mismatch where the code does not follow."""
        getattr(self, f"on_{step.name}")(step)

    def standing(self) -> Standing:
        """How the database stands."""
        with self._engine.connect() as connection:
            return stands(connection, self._world, first_epoch=self._first_epoch, now=self._now)

    # ── the gateway, the dispatcher, people ──

    def on_act(self, step: Step) -> None:
        self._books.act(_number(step))

    def on_drop(self, step: Step) -> None:
        self._books.drop(_number(step))

    def on_lapse(self, step: Step) -> None:
        self._alone(
            step,
            lambda connection: due.expire_leases(connection, now=self._now, unknown_grace=self._policy.unknown_grace),
        )

    def on_withdraw(self, step: Step) -> None:
        self._alone(step, lambda connection: due.cancel_unsent(connection, now=self._now))

    def _alone(self, step: Step, work: Callable[[Connection], object]) -> None:
        """Do something to one batch: the others are locked by somebody, and skipped."""
        others = text("SELECT FROM sms.batches WHERE id <> :id FOR UPDATE")
        with self._engine.connect() as somebody, self._engine.begin() as connection:
            somebody.execute(others, {"id": self._batch(step)})
            work(connection)

    def on_suppress(self, step: Step) -> None:
        with self._engine.begin() as connection:
            suppressions.add(connection, [_number(step)], reason="by hand", source="a test", now=self._now)
            messages.drop_suppressed(connection, self._batch(step), now=self._now)

    def on_start(self, step: Step) -> None:
        with self._engine.begin() as connection:
            if step["suppressed"]:
                first = next(iter(self._numbers.values()))
                suppressions.add(connection, [first], reason="by hand", source="a test", now=self._now)
            plan.start(connection, self._campaign, now=self._now)
            self._learn_ids(connection)

    def on_cancel(self, step: Step) -> None:
        self._database(plan.cancel, self._campaign, now=self._now)

    def on_pause(self, step: Step) -> None:
        self._database(plan.pause, self._campaign, now=self._now)

    def on_resume(self, step: Step) -> None:
        self._database(plan.resume, self._campaign, now=self._now)

    def on_renew(self, step: Step) -> None:
        self._database(epochs.renew_epoch, now=self._now)
        while self._database(epochs.reissue_ids):
            pass
        self._database(self._learn_ids)

    def on_key_change(self, step: Step) -> None:
        """From now on claims may name the second account."""

    # ── disasters, and time ──

    def on_keep(self, step: Step) -> None:
        copies.keep(self._engine)

    def on_return(self, step: Step) -> None:
        copies.return_to_kept(self._engine, now=self._now)

    def on_restart(self, step: Step) -> None:
        self._database(copies.restart)

    def on_handle(self, step: Step) -> None:
        guards.accept_database(self._database, self._policy, copy=False, now=self._now)

    def on_sample(self, step: Step) -> None:
        """The task that a tick rings for after a restart; the gateway answers for every message."""
        line = Line(self._books, 1, LABELS[0])
        answering = threading.Thread(target=line.answer_everything, args=(self._numbers,), daemon=True)
        answering.start()
        guards.check_restart(self._context(line, lambda: self._now))
        line.end(None)
        answering.join()

    def on_leap(self, step: Step) -> None:
        """Nobody has read the clock since."""

    def on_notice(self, step: Step) -> None:
        self._database(gate.note_leap, by=AN_HOUR, now=self._now)

    def on_believe(self, step: Step) -> None:
        with self._engine.begin() as connection:
            leapt_at = connection.execute(text("SELECT clock_leapt_at FROM sms.installation")).scalar_one()
            gate.clear_leap(connection, leapt_at=leapt_at)
        self._now += AN_HOUR
        self._behind = dict.fromkeys(self._calls, AN_HOUR)

    def on_tick(self, step: Step) -> None:
        self._now += TICK
        self._books.ticks += 1
        self._database(due.record_heartbeat, now=self._now)


def _number(step: Step) -> str:
    """The number that a message of the model goes to."""
    return f"0912{step['message'] + 1:07d}"


def follow(engine: Engine, world: World, steps: Sequence[Step]) -> None:
    """Do every step, and hold the database against the model after each. Raises: Mismatch, at the first difference."""
    replay, done = Replay(engine, world), []
    try:
        for step in steps:
            done.append(step.line)
            replay.follow(step)
            _compare(step.after, replay.standing())
    except Mismatch as why:
        raise Mismatch(f"{why}\nafter:\n  " + "\n  ".join(done)) from None
    finally:
        replay.close()


def _compare(meant: Standing, found: Standing) -> None:
    if found != meant:
        raise Mismatch(f"the model: {meant}\nthe code:  {found}")
