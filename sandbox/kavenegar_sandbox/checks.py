"""What a send must pass before anything is accepted, in the order the gateway looks.

The spec does not publish the order; this one is fixed here so that a request with two faults has one answer.
The credit (418) comes last, when it is known what is new (acceptance.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from kavenegar_sandbox.columns import Localid
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.ledger import CALL, OTP, SMS, MessageOptions
from kavenegar_sandbox.parameters import has_link, is_tag, parse_line, parse_mobile, parse_number, utf16_length
from kavenegar_sandbox.protocol import Refusal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A send request, read but not yet believed. The columns may still differ in length."""

    method: str
    receptors: list[int | None]  # None where the number is no number
    senders: list[str]
    texts: list[str]
    options: list[MessageOptions]
    localids: list[Localid] | None
    starts_at: float | None  # None where the date is no date, or past
    tag: str
    kind: str = SMS
    other_lengths: tuple[int, ...] = ()  # of columns that only have to fit, like `type`

    def select(self, positions: Sequence[int]) -> SendRequest:
        """The same request for some of its receptors."""

        def at(column: list[T]) -> list[T]:
            return [column[position] for position in positions]

        return replace(
            self,
            receptors=at(self.receptors),
            senders=at(self.senders),
            texts=at(self.texts),
            options=at(self.options),
            localids=None if self.localids is None else at(self.localids),
            other_lengths=(),
        )


Check = Callable[[SendRequest, Knobs], int]  # the code to refuse with, 0 to pass


def size(request: SendRequest, knobs: Knobs) -> int:
    if len(request.receptors) <= knobs.send_limit:
        return 0
    return knobs.sendarray_over_limit_code if request.method == "sms/sendarray" else 414


def lengths(request: SendRequest, knobs: Knobs) -> int:
    if len({len(request.receptors), len(request.senders), len(request.texts), *request.other_lengths}) > 1:
        return 419
    if request.localids is None or len(request.localids) == len(request.receptors):
        return 0
    return 419 if request.method == "sms/sendarray" else knobs.localid_count_code


def line(request: SendRequest, knobs: Knobs) -> int:
    lines = set(request.senders)
    if "" in lines:
        return 426  # seen live: no sender given, and the account has no default one
    if not lines <= set(own_lines(knobs)):
        return 412
    if lines & set(knobs.restricted_senders):
        return 427
    return 407 if lines & set(knobs.international_senders) and not knobs.ip_registered else 0


def receptors(request: SendRequest, knobs: Knobs) -> int:
    return 0 if request.receptors and bad_receptors(knobs).isdisjoint(request.receptors) else 411


def text_length(request: SendRequest, knobs: Knobs) -> int:
    return 0 if all(0 < utf16_length(text) <= knobs.text_limit for text in set(request.texts)) else 413


def links(request: SendRequest, knobs: Knobs) -> int:
    return 420 if knobs.links_restricted and any(map(has_link, set(request.texts))) else 0


def characters(request: SendRequest, knobs: Knobs) -> int:
    marker = knobs.poison_text
    return 422 if marker and any(marker in text for text in set(request.texts)) else 0


def date(request: SendRequest, knobs: Knobs) -> int:  # noqa: ARG001 - one shape for every check
    return 417 if request.starts_at is None else 0


def tag(request: SendRequest, knobs: Knobs) -> int:
    return 607 if request.tag and not (is_tag(request.tag) and request.tag in knobs.tags) else 0


def owner(request: SendRequest, knobs: Knobs) -> int:
    return 501 if knobs.test_mode and set(request.receptors) != {parse_mobile(knobs.owner_number)} else 0


ORDER: dict[str, tuple[Check, ...]] = {
    SMS: (size, lengths, line, receptors, text_length, links, characters, date, tag, owner),
    OTP: (characters, tag, owner),  # tokens and templates have checks of their own, before these
    CALL: (size, lengths, receptors, text_length, characters, date, tag, owner),
}


def find_refusal(request: SendRequest, knobs: Knobs) -> int:
    """The first code in ORDER that speaks against a draft, 0 when none does."""
    return next((code for check in ORDER[request.kind] if (code := check(request, knobs))), 0)


def own_lines(knobs: Knobs) -> tuple[str, ...]:
    """The lines of the account, each once; a request that names another is 412."""
    return tuple(dict.fromkeys((*knobs.senders, *knobs.restricted_senders, *knobs.international_senders)))


def own_line(knobs: Knobs, raw: str) -> str:
    """The line without its country prefix. Raises Refusal(412) for one of somebody else's."""
    line = parse_line(raw)
    if line not in own_lines(knobs):
        raise Refusal(412)
    return line


def without_bad_receptors(request: SendRequest, knobs: Knobs) -> SendRequest:
    """The draft without the receptors that are none, where a knob has the gateway drop those."""
    if not knobs.drop_bad_receptors or size(request, knobs) or lengths(request, knobs):
        return request
    refused = bad_receptors(knobs)
    return request.select([place for place, receptor in enumerate(request.receptors) if receptor not in refused])


def bad_receptors(knobs: Knobs) -> set[int | None]:
    return {parse_number(number, lenient=True) for number in knobs.bad_receptors} | {None}
