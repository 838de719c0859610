"""The gateway of a replay: its books, and a line to it on which every call waits until the trace says how it ends."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.answers import Envelope
from kavenegar_campaigns.kavenegar.call import Answer, Call
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.transport import InTime
from kavenegar_campaigns.rules.pace import Lane

PATIENCE_S: Final = 30.0
ANOTHERS_NUMBER: Final = "09990000000"
_QUEUED: Final = 1
_UNKNOWN: Final = 100


class Died(BaseException):
    """The worker is no more: nothing that it would have done after this happens."""


@dataclass(slots=True)
class Books:
    """What the gateway has: under which (account, localid) a message is under way, or was accepted as which id.

    `taken` are localids that another database has used; there a gateway that dedupes shows that database's message.
    It answers for a localid for `forgets_after` ticks, where that is set.
    """

    under_way: dict[tuple[int, int], str] = field(default_factory=dict)
    accepted: dict[tuple[int, int], int] = field(default_factory=dict)
    accepted_at: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    forgets_after: int = 0
    ticks: int = 0
    _ids: Iterator[int] = field(default_factory=lambda: iter(range(1000, 100_000)))

    def leave(self, account: int, localids: Sequence[int], receptors: Sequence[str]) -> None:
        """A request has left; what the gateway has already is dropped."""
        for localid, receptor in zip(localids, receptors, strict=True):
            if (account, localid) not in self.accepted:
                self.under_way[account, localid] = receptor

    def act(self, number: str) -> None:
        """The message to this number is accepted, wherever a request with it came from."""
        key = self._key(number)
        del self.under_way[key]
        if key[1] in self.taken:
            return
        self.accepted[key] = next(self._ids)
        self.numbers[self.accepted[key]] = number
        self.accepted_at[self.accepted[key]] = self.ticks

    def knows(self, account: int, localid: int) -> int | None:
        """The gateway's id of a message, as long as it can be asked about."""
        found = self.accepted.get((account, localid))
        if found is None or not self.forgets_after or self.ticks - self.accepted_at[found] < self.forgets_after:
            return found
        return None

    def drop(self, number: str) -> None:
        """The message to this number is thrown away."""
        del self.under_way[self._key(number)]

    def through(self, account: int, localids: Sequence[int]) -> None:
        """A request has been answered: nothing more comes of it."""
        for localid in localids:
            self.under_way.pop((account, localid), None)

    def _key(self, number: str) -> tuple[int, int]:
        (key,) = (key for key, receptor in self.under_way.items() if receptor == number)
        return key


@dataclass(slots=True)
class Asked:
    """One call that waits on the line: its method, what it asks, and whether it may still leave."""

    method: methods.Method
    form: dict[str, str]
    in_time: InTime | None

    @property
    def localids(self) -> list[int]:
        """The ids that a send or a question names."""
        return [int(each) for each in self.form["localid"].split(",")]

    @property
    def receptors(self) -> list[str]:
        """To whom a send goes."""
        return self.form["receptor"].split(",")


class Line(PacedClient):
    """The gateway as one worker sees it. Sends and questions wait for `answer`; whose messages are whose, it tells."""

    def __init__(self, books: Books, account: int, label: str) -> None:
        self.account = label
        self.longest_text = 900
        self.clock = lambda: 0.0
        self._books = books
        self.number = account
        self._asked: queue.SimpleQueue[Asked | BaseException | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[list[dict[str, Any]] | BaseException] = queue.SimpleQueue()
        self._answered_in_part = False

    def acquire_slot(self, lane: Lane, *, max_wait_s: float | None = None) -> float:
        """There is always room."""
        return 0.0

    def perform(self, call: Call[Answer], *, lane: Lane, in_time: InTime | None = None) -> Answer:
        """Wait until the trace goes on."""
        form = {name: values[0] for name, values in parse_qs(call.form.decode()).items()}
        if call.method is methods.SELECT:
            return call.read(Envelope(200, "", [self._whole(int(each)) for each in form["messageid"].split(",")]))
        if call.method is methods.STATUSLOCALMESSAGEID and self._answered_in_part:
            return call.read(Envelope(200, "", []))  # asked again for what the first answer left out
        self._asked.put(Asked(call.method, form, in_time))
        answer = self._answers.get(timeout=PATIENCE_S)
        if isinstance(answer, BaseException):
            raise answer
        self._answered_in_part = call.method is methods.STATUSLOCALMESSAGEID
        return call.read(Envelope(200, "", answer))

    def asked(self) -> Asked | None:
        """The next call that waits here; None once the worker has come to its end. Raises what the worker raised."""
        found = self._asked.get(timeout=PATIENCE_S)
        if isinstance(found, BaseException):
            raise found
        return found

    def answer(self, rows: list[dict[str, Any]] | BaseException) -> None:
        """Let the call that waits go on."""
        self._answers.put(rows)

    def end(self, fault: BaseException | None) -> None:
        """The worker has come to its end."""
        self._asked.put(fault)

    def answer_everything(self, numbers: Mapping[int, str]) -> None:
        """Answer every question whole, until the worker has come to its end."""
        while (asked := self.asked()) is not None:
            self.answer(self.known(asked, numbers, ~0)[0])

    def sent(self, asked: Asked, rows: int, foreign: int) -> list[dict[str, Any]]:
        """The answer to a send: the rows of these of its messages, by the bits of the model, and another's rows."""
        found = []
        for place, (localid, receptor) in enumerate(zip(asked.localids, asked.receptors, strict=True)):
            bit = _bit(receptor)
            if rows & bit:
                found.append(_row(self._books.accepted[self.number, localid], receptor, asked.form["message"]))
            elif foreign & bit:
                found.append(_row(900_000 + place, ANOTHERS_NUMBER, "another text"))
        return found

    def known(self, asked: Asked, numbers: Mapping[int, str], heard: int) -> tuple[list[dict[str, Any]], int, int, int]:
        """The answer to a question, of the messages in `heard`; and which were found, never seen, and another's."""
        rows, masks = [], [0, 0, 0]
        for localid in asked.localids:
            bit = _bit(numbers[localid])
            if not heard & bit:
                continue
            gateway_id = self._books.knows(self.number, localid)
            anothers = gateway_id is None and localid in self._books.taken
            masks[0 if gateway_id is not None else 2 if anothers else 1] |= bit
            rows.append(
                {
                    "localid": str(localid),
                    "messageid": gateway_id or (900_000 + localid % 1000 if anothers else 0),
                    "status": _QUEUED if gateway_id or anothers else _UNKNOWN,
                    "statustext": "",
                }
            )
        return rows, masks[0], masks[1], masks[2]

    def _whole(self, gateway_id: int) -> dict[str, Any]:
        receptor = self._books.numbers.get(gateway_id)
        return _row(gateway_id, receptor or ANOTHERS_NUMBER, TEXT if receptor else "another text")


TEXT: Final = "سلام"


def _bit(number: str) -> int:
    """Which bit of the model's masks a number has: the first recipient 1, the second 2."""
    return 1 << (int(number[4:]) - 1)


def _row(gateway_id: int, receptor: str, message: str) -> dict[str, Any]:
    return {
        "messageid": gateway_id,
        "message": message,
        "status": _QUEUED,
        "statustext": "",
        "sender": "10004346",
        "receptor": receptor,
        "date": 0,
        "cost": 120,
    }
