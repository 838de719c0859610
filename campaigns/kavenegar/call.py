"""Build one call: check its parameters, encode them as a form, and say how its answer is read.

`Client.perform` and `PacedClient.perform` make the call.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Generic, TypeVar

import orjson

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.frames import without_locals
from kavenegar_campaigns.kavenegar.answers import Envelope, Row, Unreadable, read_rows
from kavenegar_campaigns.kavenegar.methods import DAY_S, Method
from kavenegar_campaigns.kavenegar.transport import InTime
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.suppression import BLOCK_REASONS
from kavenegar_campaigns.rules.text import MAX_CHARACTERS

# The form: parameters as the body of a POST, or as a query.
#
# Percent-encoding Persian is the slowest step of a send in Python, so it is done in runs instead of by character. The
# result equals that of `urllib.parse.urlencode(…, quote_via=quote, safe="")` byte for byte: upper-case hex, space %20.

_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"

# The percent sign stands first: replacing it later would encode the other replacements again.
_ASCII_ESCAPES = [("%", "%25")] + [
    (chr(byte), f"%{byte:02X}") for byte in range(128) if chr(byte) not in _UNRESERVED + "%"
]
_LONE_SURROGATE = "a text holds half of a surrogate pair"  # Python's own error would carry the text
_RESERVED_RUN = re.compile(r"[^A-Za-z0-9_.~-]+")


def percent_encode(text: str) -> str:
    """Encode as `quote(text, safe="")` does, three to four times as fast on long texts.

    Raises: ValueError for half of a surrogate pair.
    """
    if text.isascii():
        for character, escape in _ASCII_ESCAPES:
            if character in text:
                text = text.replace(character, escape)
        return text
    try:
        return _RESERVED_RUN.sub(_escape_run, text)
    except UnicodeEncodeError:
        raise ValueError(_LONE_SURROGATE) from None


def _escape_run(match: re.Match[str]) -> str:
    return "%" + match[0].encode().hex("%").upper()


def json_array(values: Sequence[str] | Sequence[int]) -> str:
    """Encode a list for the gateway's array methods: JSON with the letters as they are, not as \\uXXXX.

    Raises: ValueError for half of a surrogate pair.
    """
    try:
        return orjson.dumps(values).decode()
    except orjson.JSONEncodeError:
        raise ValueError(_LONE_SURROGATE) from None


def comma_list(values: Sequence[str] | Sequence[int]) -> str:
    """Join a list with commas, for the gateway's plain methods.

    Raises: ValueError for an empty value, and for one with a comma: the gateway would read two values.
    """
    joined = ",".join(map(str, values))
    if joined.count(",") != len(values) - 1 or "" in values:
        raise ValueError("a value of the list is missing or holds a comma")
    return joined


def encode_form(parameters: Mapping[str, str | int | None]) -> bytes:
    """Return the body. A parameter that is None is left out: an empty one is an error (406, 419) or a write there.

    Raises:
        ValueError: a parameter is empty.
    """
    for name, value in parameters.items():
        if value == "":
            raise ValueError(f"{name} is empty; leave it out")
    pairs = (
        f"{name}={value if isinstance(value, int) else percent_encode(value)}"
        for name, value in parameters.items()
        if value is not None
    )
    return "&".join(pairs).encode("ascii")


Answer = TypeVar("Answer")
Record = TypeVar("Record")
Value = TypeVar("Value")
Parameters = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One call. `read` returns the answer in a good envelope, and raises Unreadable where the envelope holds none.

    `consumes`: this call marks the messages of its answer as read.
    """

    method: Method
    form: bytes = field(repr=False)
    read: Callable[[Envelope], Answer] = field(repr=False)
    consumes: bool = False


class MethodGroup(ABC):
    """The base of every group of methods. `clock` is unix time now, `longest_text` counts UTF-16 code units.

    An error leaves a public method without the local variables of its frames: these are numbers, texts and codes.
    """

    clock: Callable[[], float]
    longest_text: int

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            if isinstance(method, FunctionType) and not name.startswith("_"):
                setattr(cls, name, without_locals(method))

    @abstractmethod
    def perform(self, call: Call[Answer], *, lane: Lane, in_time: InTime | None = None) -> Answer:
        """Make the call and read its answer. `in_time` is called before the request leaves: whether it still may.

        Raises:
            GatewayError: the call failed.
        """


def build_call(
    method: Method, parameters: Parameters, read: Callable[[Envelope], Answer], *, consumes: bool = False
) -> Call[Answer]:
    """Return the call of a method. A parameter that is None is left out."""
    return Call(method, encode_form(parameters), read, consumes)


def all_rows(read: Callable[[Row], Record]) -> Callable[[Envelope], list[Record]]:
    """Return a reader of all readable rows. An answer without rows is an empty list."""
    return lambda answer: read_rows(read, answer.rows)


def at_least_one_row(read: Callable[[Row], Record]) -> Callable[[Envelope], list[Record]]:
    """Return a reader as `all_rows` does, except that an answer without a readable row is Unreadable."""

    def read_some(answer: Envelope) -> list[Record]:
        found = read_rows(read, answer.rows)
        if not found:
            raise Unreadable("answered with 200, without a readable row")
        return found

    return read_some


def first_row(read: Callable[[Row], Record]) -> Callable[[Envelope], Record]:
    """Return a reader of the first readable row."""
    return lambda answer: at_least_one_row(read)(answer)[0]


# The limits of the documentation, checked before a request leaves. A ValueError here is a defect of the caller.
#
# Each error says which values are valid, and none repeats a text, a token or a number. The rules for tags, types,
# repeats and tokens are in `kavenegar_campaigns.rules`, whose functions also check the values that people type.


def check_size(method: Method, count: int) -> None:
    """Check the number of rows in a request of this method. Raises: ValueError."""
    if not 0 < count <= method.max_rows:
        raise ValueError(f"{method.path} takes 1 to {method.max_rows} rows a request, not {count}")


def check_batch(method: Method, receptors: Sequence[str], localids: Sequence[int] | None) -> None:
    """Check the size of a batch, and that it holds no receptor and no localid twice. Raises: ValueError."""
    check_size(method, len(receptors))
    if len(set(receptors)) < len(receptors):
        raise ValueError("a receptor stands twice in one batch: its rows could not be told apart")
    if localids is None:
        return
    if len(localids) != len(receptors):
        raise ValueError("receptors and localids differ in length")
    if len(set(localids)) < len(localids) or min(localids) <= 0:
        raise ValueError("localids must be positive and each its own")


def check_text(message: str, *, at_most: int = MAX_CHARACTERS) -> None:
    """Check that a text is not blank and has at most `at_most` UTF-16 code units. Raises: ValueError.

    Source: kavenegar-rest, the structure of a short message.
    """
    if not message.strip():
        raise ValueError("a text is empty: there is nothing to send")
    if len(message) * 2 > at_most and len(message.encode("utf-16-le", "surrogatepass")) > at_most * 2:
        raise ValueError(f"a text is longer than {at_most} characters")


def check(rule: Callable[[Value], object], value: Value) -> None:
    """Apply a rule of `kavenegar_campaigns.rules` to a value. Raises: ValueError with the rule's own sentence."""
    try:
        rule(value)
    except BadInput as why:
        raise ValueError(str(why)) from None


def check_single(name: str, value: str) -> None:
    """Check a required parameter that takes one value. Raises: ValueError."""
    if not value.strip():
        raise ValueError(f"{name} is blank")
    if "," in value:
        raise ValueError(f"{name} takes one value, without a comma")


def check_span(
    method: Method, start: int | None, end: int | None, *, now: float, open_until: float | None = None
) -> None:
    """Check the span of unix times from `start` to `end`. Without an end it reaches to `open_until`, if given.

    Raises: ValueError.
    """
    if start is None:
        if end is not None:
            raise ValueError(f"{method.path}: an end needs a start")
        return
    if method.max_age_s and start < now - method.max_age_s:
        raise ValueError(f"{method.path} begins at most {_in_days(method.max_age_s)} ago")
    until = open_until if end is None else end
    if until is None:
        return
    if end is not None and end < start:
        raise ValueError(f"{method.path}: the end lies before the start")
    if until - start > method.max_span_s:
        raise ValueError(f"{method.path} covers at most {_in_days(method.max_span_s)}, till now where no end is named")


def check_page(number: int) -> None:
    """Check the number of a page. Raises: ValueError."""
    if number < 1:
        raise ValueError("pages are counted from 1")


def check_block_reason(reason: int | None) -> None:
    """Check the reason for which numbers are blocked. Raises: ValueError."""
    if reason is not None and reason not in BLOCK_REASONS:
        raise ValueError(f"a block reason is one of {', '.join(map(str, BLOCK_REASONS))}")


def _in_days(seconds: int) -> str:
    """Format a span as `3 days but a minute`, `2 days` or `1 day`."""
    days = -(-seconds // DAY_S)
    return f"{days} day{'s' if days > 1 else ''}{' but a minute' if seconds % DAY_S else ''}"
