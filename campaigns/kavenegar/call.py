"""One request, checked and encoded: what `Client.perform` and `Gateway.perform` do something with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from campaigns.kavenegar import form
from campaigns.kavenegar.envelope import Envelope, Row
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.reading import Unreadable, readable
from campaigns.kavenegar.transport import InTime

Answer = TypeVar("Answer")
Record = TypeVar("Record")
Parameters = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """`read` makes the answer of a good envelope, and raises Unreadable where there is none in it.

    `consumes`: this call marks read what it hands out.
    """

    method: Method
    form: bytes = field(repr=False)
    read: Callable[[Envelope], Answer] = field(repr=False)
    consumes: bool = False


class Calls(ABC):
    """What every group of methods needs. `clock` is unix time now, `longest_text` counts UTF-16 code units."""

    clock: Callable[[], float]
    longest_text: int

    @abstractmethod
    def perform(self, call: Call[Answer], *, lane: Lane, in_time: InTime | None = None) -> Answer:
        """Make the call and read its answer. `in_time` is asked before it leaves, and says whether it still may.

        Raises:
            GatewayError: what came instead of an answer.
        """


def of(
    method: Method, parameters: Parameters, read: Callable[[Envelope], Answer], *, consumes: bool = False
) -> Call[Answer]:
    """The call of a method. A parameter that is None is left out."""
    return Call(method, form.encode(parameters), read, consumes)


def rows(read: Callable[[Row], Record]) -> Callable[[Envelope], list[Record]]:
    """Every row that can be understood; none is an answer too."""
    return lambda answer: readable(read, answer.rows)


def some(read: Callable[[Row], Record]) -> Callable[[Envelope], list[Record]]:
    """As `rows`, where an answer without any says nothing."""

    def read_some(answer: Envelope) -> list[Record]:
        found = readable(read, answer.rows)
        if not found:
            raise Unreadable("answered with 200, without a readable row")
        return found

    return read_some


def one(read: Callable[[Row], Record]) -> Callable[[Envelope], Record]:
    """The first row that can be understood."""
    return lambda answer: some(read)(answer)[0]
