"""The limits of the documentation, checked before anything leaves us. A ValueError here is a defect of the caller.

Each error says what would be right, and none repeats a text, a token or a number. A stage that takes values from
people checks them with these functions too, before it builds a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from campaigns.kavenegar.codes import BLOCK_REASONS
from campaigns.kavenegar.methods import DAY, Method
from campaigns.rules.manner import REPEATS, TYPES
from campaigns.rules.tag import is_tag
from campaigns.rules.text import MAX_CHARACTERS
from campaigns.rules.tokens import LONGEST, SPACES


def batch(method: Method, receptors: Sequence[str], localids: Sequence[int] | None) -> None:
    """What would cost money or lose the way back to a message if it left us."""
    method.check_size(len(receptors))
    if len(set(receptors)) < len(receptors):
        raise ValueError("a receptor stands twice in one batch: its rows could not be told apart")
    if localids is None:
        return
    if len(localids) != len(receptors):
        raise ValueError("receptors and localids differ in length")
    if len(set(localids)) < len(localids) or min(localids) <= 0:
        raise ValueError("localids must be positive and each its own")


def text(message: str, *, at_most: int = MAX_CHARACTERS) -> None:
    """So many UTF-16 code units, and not blank. Source: kavenegar-rest, the structure of a short message."""
    if not message.strip():
        raise ValueError("a text is empty: there is nothing to send")
    if len(message) * 2 > at_most and len(message.encode("utf-16-le", "surrogatepass")) > at_most * 2:
        raise ValueError(f"a text is longer than {at_most} characters")


def tag(name: str | None) -> None:
    if name is not None and not is_tag(name):
        raise ValueError("a tag is 1 to 200 Latin letters, digits, hyphens and underscores")


def display_types(values: Sequence[int]) -> None:
    if any(value not in TYPES.values() for value in values):
        raise ValueError("a display type is 0 (flash), 1 (normal), 2 (SIM card) or 3 (application)")


def repeat(times: int | None) -> None:
    if times is not None and times not in REPEATS:
        raise ValueError("a call is repeated 0 to 5 times")


def single(name: str, value: str) -> None:
    """A parameter that must be there, and takes one value."""
    if not value.strip():
        raise ValueError(f"{name} is blank")
    if "," in value:
        raise ValueError(f"{name} takes one value, without a comma")


def span(method: Method, start: int | None, end: int | None, *, now: float, open_until: float | None = None) -> None:
    """The span of unix times from `start` to `end`; without an end it reaches to `open_until`, if that is known."""
    if start is None:
        if end is not None:
            raise ValueError(f"{method.path}: an end needs a start")
        return
    if method.depth_s and start < now - method.depth_s:
        raise ValueError(f"{method.path} begins at most {_length(method.depth_s)} ago")
    until = open_until if end is None else end
    if until is None:
        return
    if end is not None and end < start:
        raise ValueError(f"{method.path}: the end lies before the start")
    if until - start > method.span_s:
        raise ValueError(f"{method.path} covers at most {_length(method.span_s)}, till now where no end is named")


def page(number: int) -> None:
    if number < 1:
        raise ValueError("pages are counted from 1")


def block_reason(reason: int | None) -> None:
    if reason is not None and reason not in BLOCK_REASONS:
        raise ValueError(f"a block reason is one of {', '.join(map(str, BLOCK_REASONS))}")


def tokens(values: Mapping[str, str | None], kind: str) -> None:
    """The tokens of a template, by name, for an SMS ("sms") or a call ("call"), which takes a token of digits only.

    What the gateway calls a separator (431) it does not say, so that is left to its answer.
    """
    if kind not in {"sms", "call"}:
        raise ValueError('a code is sent as "sms" or "call"')
    if values.get("token") is None:
        raise ValueError("token is missing")
    for name, value in values.items():
        if value is not None:
            _token(name, value)
    if kind == "call" and not str(values["token"]).isdecimal():
        raise ValueError("a call takes a token of digits only")


def _token(name: str, value: str) -> None:
    if not 0 < len(value) <= LONGEST or not value.strip():
        raise ValueError(f"{name} has 1 to {LONGEST} characters")
    if "_" in value or any(character.isspace() and character != " " for character in value):
        raise ValueError(f"{name} holds neither underscores nor line breaks")
    if value.count(" ") > SPACES[name]:
        raise ValueError(f"{name} may hold {SPACES[name]} blanks")


def _length(seconds: int) -> str:
    """3 days but a minute, 2 days, 1 day."""
    days = -(-seconds // DAY)
    return f"{days} day{'s' if days > 1 else ''}{' but a minute' if seconds % DAY else ''}"
