"""The checks of a send request, in the order in which the gateway makes them.

The specification does not publish the order. It is fixed here, so that a request with two faults has one answer. The
credit (418) is checked last, when it is known which messages are new (acceptance.py).
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
    """A send request, parsed but not checked. The columns may differ in length."""

    method: str
    receptors: list[int | None]  # None for an invalid number
    senders: list[str]
    texts: list[str]
    options: list[MessageOptions]
    localids: list[Localid] | None
    starts_at: float | None  # Unix seconds; None for an invalid or past date
    tag: str
    kind: str = SMS
    other_lengths: tuple[int, ...] = ()  # of columns that must have the same length, like `type`

    def select(self, positions: Sequence[int]) -> SendRequest:
        """Return the same request with only the receptors at these positions."""

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


Check = Callable[[SendRequest, Knobs], int]  # the return code, or 0 to pass


def size(request: SendRequest, knobs: Knobs) -> int:
    """414 (sms/sendarray: the knob `sendarray_over_limit_code`) for more receptors than `send_limit`."""
    if len(request.receptors) <= knobs.send_limit:
        return 0
    return knobs.sendarray_over_limit_code if request.method == "sms/sendarray" else 414


def lengths(request: SendRequest, knobs: Knobs) -> int:
    """419 for columns of different lengths; the knob `localid_count_code` for localids outside sms/sendarray."""
    if len({len(request.receptors), len(request.senders), len(request.texts), *request.other_lengths}) > 1:
        return 419
    if request.localids is None or len(request.localids) == len(request.receptors):
        return 0
    return 419 if request.method == "sms/sendarray" else knobs.localid_count_code


def line(request: SendRequest, knobs: Knobs) -> int:
    """426 for no line, 412 for a line of another account, 427 for a restricted line, 407 for an international line."""
    lines = set(request.senders)
    if "" in lines:
        return 426  # seen live: no sender given, and the account has no default line
    if not lines <= set(own_lines(knobs)):
        return 412
    if lines & set(knobs.restricted_senders):
        return 427
    return 407 if lines & set(knobs.international_senders) and not knobs.ip_registered else 0


def receptors(request: SendRequest, knobs: Knobs) -> int:
    """411 for no receptor, an invalid one, or one of `bad_receptors`."""
    return 0 if request.receptors and bad_receptors(knobs).isdisjoint(request.receptors) else 411


def text_length(request: SendRequest, knobs: Knobs) -> int:
    """413 for an empty text, or one longer than `text_limit` UTF-16 units."""
    return 0 if all(0 < utf16_length(text) <= knobs.text_limit for text in set(request.texts)) else 413


def links(request: SendRequest, knobs: Knobs) -> int:
    """420 for a text with a link, where the account may not send links."""
    return 420 if knobs.links_restricted and any(map(has_link, set(request.texts))) else 0


def characters(request: SendRequest, knobs: Knobs) -> int:
    """422 for a text that contains `poison_text`."""
    marker = knobs.poison_text
    return 422 if marker and any(marker in text for text in set(request.texts)) else 0


def date(request: SendRequest, knobs: Knobs) -> int:  # noqa: ARG001 - all checks have one signature
    """417 for a date that is invalid or past."""
    return 417 if request.starts_at is None else 0


def tag(request: SendRequest, knobs: Knobs) -> int:
    """607 for a tag of a wrong form, or one that the account does not have."""
    return 607 if request.tag and not (is_tag(request.tag) and request.tag in knobs.tags) else 0


def owner(request: SendRequest, knobs: Knobs) -> int:
    """501 for a receptor other than the owner, in test mode."""
    return 501 if knobs.test_mode and set(request.receptors) != {parse_mobile(knobs.owner_number)} else 0


ORDER: dict[str, tuple[Check, ...]] = {
    SMS: (size, lengths, line, receptors, text_length, links, characters, date, tag, owner),
    OTP: (characters, tag, owner),  # tokens and templates are checked before
    CALL: (size, lengths, receptors, text_length, characters, date, tag, owner),
}


def find_refusal(request: SendRequest, knobs: Knobs) -> int:
    """Return the code of the first check in ORDER that fails, or 0."""
    return next((code for check in ORDER[request.kind] if (code := check(request, knobs))), 0)


def own_lines(knobs: Knobs) -> tuple[str, ...]:
    """Return the lines of the account, each once."""
    return tuple(dict.fromkeys((*knobs.senders, *knobs.restricted_senders, *knobs.international_senders)))


def own_line(knobs: Knobs, raw: str) -> str:
    """Read a line, without its country prefix. Raises Refusal(412) when the account does not have it."""
    line = parse_line(raw)
    if line not in own_lines(knobs):
        raise Refusal(412)
    return line


def without_bad_receptors(request: SendRequest, knobs: Knobs) -> SendRequest:
    """Return the request without its invalid receptors, when the knob `drop_bad_receptors` is on."""
    if not knobs.drop_bad_receptors or size(request, knobs) or lengths(request, knobs):
        return request
    refused = bad_receptors(knobs)
    return request.select([place for place, receptor in enumerate(request.receptors) if receptor not in refused])


def bad_receptors(knobs: Knobs) -> set[int | None]:
    """Return the numbers of the knob `bad_receptors`, and None, which stands for an invalid number."""
    return {parse_number(number, lenient=True) for number in knobs.bad_receptors} | {None}
