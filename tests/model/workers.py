"""The workers of a run, done again by the real code: each step by the functions that they call, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns import errors
from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.rules.batches import EPOCH_SHIFT
from kavenegar_campaigns.stages import plan, submit
from kavenegar_campaigns.store import due
from kavenegar_campaigns.store.database import Database
from tests.model.calls import Call, Mismatch
from tests.model.gateway import TEXT, Books, Died, Line
from tests.model.reading import TICK, Step, World
from tests.store.given import draft

LABELS: Final = ("tests", "of another account")
AN_HOUR: Final = timedelta(hours=1)

_ENDINGS: Final[dict[str, Callable[[], errors.GatewayError]]] = {
    "no_connection": lambda: errors.GatewayDown("no connection", retry_after_s=0),
    "answer_lost": lambda: errors.OutcomeUnknown("no answer"),
    "answer_undocumented": lambda: errors.AnswerUnclear("999"),
    "answer_throttled": lambda: errors.Throttled("451", retry_after_s=0, code=451),
    "answer_row_refused": lambda: errors.RecipientRefused("411", code=411),
    "answer_sending_refused": lambda: errors.CampaignRefused("412", code=412),
}
"""How a send ends without rows: as the client tells it."""


class Workers:
    """The world of one trace, and what the workers do in it."""

    def __init__(self, engine: Engine, world: World) -> None:
        self._engine, self._world, self._database = engine, world, Database(engine)
        self._now = datetime.now(UTC).replace(microsecond=0) + AN_HOUR
        self._behind: dict[int, timedelta] = {}  # workers whose calls carry on the time from before a leap
        self._calls: dict[int, Call] = {}
        self._policy = Policy(
            deadline=world.deadline * TICK,
            lease=world.lease * TICK,
            unknown_grace=world.settle * TICK,
            localid_window=world.window * TICK * 12 / 11 if world.window else timedelta(hours=12),
            select_allowed=True,
        )
        self._books = Books(forgets_after=world.window)
        self._numbers: dict[int, str] = {}  # of messages, by each id that they ever had
        self._campaign = self._database(self._set_up)
        first_id, *_ = self._numbers
        self._first_epoch = first_id >> EPOCH_SHIFT
        self._books.taken = {id_ for place, id_ in enumerate(self._numbers) if world.taken >> place & 1}

    def _set_up(self, connection: Connection) -> int:
        key = text("""
            INSERT INTO sms.accounts VALUES (:label, :number, :at)
                ON CONFLICT (label) DO UPDATE SET account = :number, recognised_at = :at
        """)
        in_use_since = [self._now - AN_HOUR, self._now - (AN_HOUR / 2 if self._world.second_account else AN_HOUR * 2)]
        for number, (label, at) in enumerate(zip(LABELS, in_use_since, strict=True), start=1):
            connection.execute(key, {"label": label, "number": number, "at": at})
        due.record_heartbeat(connection, now=self._now)
        campaign = draft(connection, self._world.messages, text=TEXT)
        if not self._world.draft:
            plan.start(connection, campaign, now=self._now)
        self._learn_ids(connection)
        return campaign

    def _learn_ids(self, connection: Connection) -> None:
        rows = connection.execute(text("SELECT id, number FROM sms.messages ORDER BY row_no"))
        self._numbers.update({row.id: row.number for row in rows})

    def close(self) -> None:
        """Let every call that still waits die."""
        for call in self._calls.values():
            call.end(Died())
        self._calls.clear()

    # ── a worker ──

    def on_world(self, step: Step) -> None:
        """Everything was set up before."""

    def on_claim_to_send(self, step: Step) -> None:
        self._call(step, submit.send_batch)

    def on_claim_to_ask(self, step: Step) -> None:
        self._call(step, submit.resolve_batch)

    def _call(self, step: Step, work: Callable[[Context, int], object]) -> None:
        worker = step["worker"]
        line = Line(self._books, step["account"] + 1, LABELS[step["account"]])

        def clock() -> datetime:
            return self._now - self._behind.get(worker, timedelta(0))

        self._calls[worker] = Call(self._context(line, clock), line, work, self._batch(step))

    def _context(self, line: Line, clock: Callable[[], datetime]) -> Context:
        return Context(self._database, line, None, clock, self._policy)  # type: ignore[arg-type]

    def on_begin(self, step: Step) -> None:
        self._look(step)

    def on_try_again(self, step: Step) -> None:
        """The client tries again by itself, within the call: `begin` comes anew."""

    def on_connected(self, step: Step) -> None:
        call = self._look(step)
        if step["in_time"]:
            self._books.leave(call.line.number, call.asked.localids, call.asked.receptors)

    def _look(self, step: Step) -> Call:
        call = self._calls[step["worker"]]
        assert call.asked.in_time is not None
        in_time = call.asked.in_time()
        if in_time is not bool(step["in_time"]):
            raise Mismatch(f"in_time says {in_time}")
        if not in_time:
            call.reply = errors.Postpone("it is too late for this call to leave", retry_after_s=0)
        return call

    def on_answer_rows(self, step: Step) -> None:
        call = self._calls[step["worker"]]
        rows = call.line.sent(call.asked, step["rows"], step["foreign"])
        call.reply = rows
        if len(rows) == len(call.asked.localids):
            self._through(call)

    def on_no_connection(self, step: Step) -> None:
        self._calls[step["worker"]].reply = _ENDINGS[step.name]()

    on_answer_lost = on_answer_undocumented = on_no_connection

    def on_answer_throttled(self, step: Step) -> None:
        self.on_no_connection(step)
        self._through(self._calls[step["worker"]])

    on_answer_row_refused = on_answer_sending_refused = on_answer_throttled

    def _through(self, call: Call) -> None:
        self._books.through(call.line.number, call.asked.localids)

    def on_ask_after_refusal(self, step: Step) -> None:
        self._calls[step["worker"]].go_on()

    def on_ask(self, step: Step) -> None:
        """What the gateway says now of the messages that this answer is about."""
        call = self._calls[step["worker"]]
        reported = (step["found"], step["unseen"], step["foreign"])
        news = (reported[0] | reported[1] | reported[2]) & ~call.heard
        rows, *masks = call.line.known(call.asked, self._numbers, news)
        if any(mask & ~meant for mask, meant in zip(masks, reported, strict=True)):
            raise Mismatch(f"the gateway says otherwise: {masks}")
        call.hear(rows, news)
        if step["over"] and not call.heard:
            call.reply = errors.Postpone("it cannot be asked", retry_after_s=0)

    def on_write_rows(self, step: Step) -> None:
        self._calls.pop(step["worker"]).end()
        self._behind.pop(step["worker"], None)

    on_write_lost = on_write_throttled = on_write_not_left = on_write_rows
    on_write_answer = on_write_refusal = on_write_not_asked = on_write_rows

    def on_die(self, step: Step) -> None:
        self._calls.pop(step["worker"]).end(Died())
        self._behind.pop(step["worker"], None)

    def _batch(self, step: Step) -> int:
        """The id of the batch that the model calls so: 0 the whole, 1 and 2 its parts."""
        places = text("""
            SELECT batch.id FROM sms.batches AS batch JOIN sms.messages AS message ON message.id = batch.first_id
             WHERE CASE WHEN batch.parent_id IS NULL THEN 0 ELSE message.row_no END = :place
        """)
        with self._engine.connect() as connection:
            return int(connection.execute(places, {"place": step["batch"]}).scalar_one())
