"""Check the arguments of the public functions: one table of checks by name, and one sentence for what is wrong.

A public function is `@checked`: each of its parameters has a row in CHECKS, or the module is not imported. A check sees
a value before the database does, so that no wrong one costs the caller's transaction.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.dates import check_moment
from kavenegar_campaigns.rules.phone import mask_number
from kavenegar_campaigns.rules.text import storable

P = ParamSpec("P")
T = TypeVar("T")

Check = Callable[[str, object], object]
"""Takes the name and the value of an argument. Returns the value to use. Raises: BadInput."""

MAX_ID: Final = 2**63 - 1
_MAX_INT: Final = 2**31 - 1
_YEARS: Final = range(2, 9999)
"""Years that have a moment in every zone. Python knows no others, and fails to read them from the database."""

# ── the sentence ──

_LONGEST_WORD: Final = 20


def wrong(name: str, right: str, value: object) -> BadInput:
    """Make the error for an argument: its name, what would be right, and the value."""
    return BadInput(f"{name} has to be {right}, not {shown(value)}")


def shown(value: object) -> str:
    """Return a value as a sentence may show it: numbers and texts masked, but for a word; of anything else the type."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int) and not -MAX_ID <= value <= MAX_ID:
        return f"an int of {value.bit_length()} bits"
    if isinstance(value, (int, float, Decimal)):
        return mask_number(str(value))
    if isinstance(value, str):
        value = plain(value)
        is_word = value.isidentifier() and len(value) <= _LONGEST_WORD
        return f'"{value if is_word else mask_number(value)}"'
    if isinstance(value, (date, timedelta)):
        return f"the {type(value).__name__} {value}"
    return f"a {type(value).__name__}"


# ── texts ──


def is_text(value: object) -> bool:
    """Return whether a value is a str, or has the methods of one, as a lazy translation of any framework has."""
    return isinstance(value, str) or (
        not isinstance(value, type) and callable(inspect.getattr_static(type(value), "casefold", None))
    )


def plain(value: str) -> str:
    """Return the text that an object of a subclass of str holds, as a str of Python's own.

    Its own methods may differ: `str()` of a member of an Enum that is a str, too, gives the name of the member.
    """
    return str.__str__(value)


def as_str(value: object) -> str:
    """Return `str(value)` of a caller's object, such as a lazy text. Raises: BadInput where that raises anything."""
    if isinstance(value, str):
        return plain(value)
    try:
        return str(value)
    except Exception as why:
        raise BadInput(f"a {type(value).__name__} cannot be made a text ({type(why).__name__}): give a str") from why


def _text(name: str, value: object) -> str:
    if not is_text(value):
        raise wrong(name, "a text (str)", value)
    try:
        return as_str(value)
    except BadInput as why:
        raise BadInput(f"{name}: {why}") from why


def _stored_text(name: str, value: object) -> str:
    found = _text(name, value)
    if storable(found) != found:
        raise BadInput(f"{name} holds a NUL or half of a character, which cannot be stored: use printable characters")
    return found


def _text_or_int(name: str, value: object) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _text(name, value)


def _token(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadInput(
            f"{name} has to be text, not a {type(value).__name__}: as a number it would lose the zeros it begins with"
        )
    return plain(value)


# ── numbers ──


def is_phone_number(value: object) -> bool:
    """Return whether it is a `PhoneNumber` of the package phonenumbers, or of a field that is made with it."""
    return isinstance(inspect.getattr_static(value, "national_number", None), int)


def spelled_number(value: object) -> str | None:
    """Return a telephone number as it is spelled: of a text, an int, or a phone number of `phonenumbers`.

    Any other object is spelled by its `__str__`, if its class has one of its own. None for what cannot be a number.
    Raises: BadInput for an object that cannot be made a text.
    """
    if isinstance(value, str):
        return plain(value)
    if value is None or isinstance(value, (bool, float, bytes, bytearray, Mapping, list, tuple, set, frozenset, type)):
        return None
    if is_phone_number(value):
        country = inspect.getattr_static(value, "country_code", None)
        return f"+{country or ''}{inspect.getattr_static(value, 'national_number')}"
    return as_str(value) if type(value).__str__ is not object.__str__ else None


def _number(name: str, value: object) -> str:
    try:
        found = spelled_number(value)
    except BadInput as why:
        raise BadInput(f"{name}: {why}") from why
    if found is None:
        raise BadInput(f"{name} has to be a telephone number, as a text, not a {type(value).__name__}")
    return found


def _numbers(name: str, value: object) -> Iterator[str]:
    if is_text(value) or isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise BadInput(
            f"{name} has to be a list of telephone numbers, or another iterable, not a {type(value).__name__}"
        )
    return (_number(f"{name}, item {at}", each) for at, each in enumerate(value, 1))


def _whole(right: str, least: int, most: int) -> Check:
    def check(name: str, value: object) -> int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise wrong(name, right, value)
        try:
            found = int(value.__index__())
        except Exception:  # noqa: BLE001 - a class, an array of several, or an error of the caller's own
            raise wrong(name, right, value) from None
        if not least <= found <= most:
            raise wrong(name, right, found)
        return found

    return check


# ── the others ──


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "True or False", value)
    return value


def _moment(name: str, value: object) -> datetime:
    if not isinstance(value, datetime) or value != value:  # noqa: PLR0124 - NaT of pandas is a datetime, and not itself
        raise wrong(name, "a datetime with a time zone", value)
    check_moment(value, name)
    if value.year not in _YEARS:
        raise wrong(name, f"of the years {_YEARS[0]} to {_YEARS[-1]}", value)
    return value


def _duration(name: str, value: object) -> timedelta:
    if not isinstance(value, timedelta) or value != value:  # noqa: PLR0124 - as above
        raise wrong(name, "a timedelta, such as timedelta(minutes=2)", value)
    return value


def _file(name: str, value: object) -> object:
    if isinstance(value, type) or not callable(getattr(value, "write", None)):
        raise wrong(name, "a file that is open for writing", value)
    return value


def instance_of(kind: type, right: str) -> Check:
    """Make the check for objects of one class, for `checked_with`."""

    def check(name: str, value: object) -> object:
        if not isinstance(value, kind):
            raise wrong(name, right, value)
        return value

    return check


def _unchanged(_name: str, value: object) -> object:
    return value


# ── the table ──

_id = _whole("an id, which is a whole number above 0", 1, MAX_ID)

CHECKS: Final[Mapping[str, Check]] = {
    # `connection_of` checks the transaction, `open_table` the recipients: both say more than one sentence can.
    **dict.fromkeys(("bind", "recipients"), _unchanged),
    **dict.fromkeys(("campaign_id", "inbound_id", "otp_id", "after"), _id),
    **dict.fromkeys(("text", "sender", "name", "number_column", "sheet", "template", "tag", "policy"), _text),
    **dict.fromkeys(("kind", "file_format"), _text),
    **dict.fromkeys(("key", "reason", "source", "line"), _stored_text),
    **dict.fromkeys(("token", "token2", "token3", "token10", "token20"), _token),
    "message_type": _text_or_int,
    "number": _number,
    "numbers": _numbers,
    "limit": _whole(f"a whole number from 0 to {_MAX_INT:,}", 0, _MAX_INT),
    "max_characters": _whole("a whole number above 0", 1, _MAX_INT),
    "header_row": _whole("the number of a row", 0, _MAX_INT),
    "repeat": _whole("a small whole number", -_MAX_INT, _MAX_INT),
    **dict.fromkeys(("include_hidden", "at_gateway", "hide"), _flag),
    **dict.fromkeys(("start_at", "at", "since", "now"), _moment),
    **dict.fromkeys(("lifetime", "call_after"), _duration),
    "out": _file,
}
"""The check of every parameter of the public functions, by its name. One that may be None is not checked then."""

_NEVER_NONE: Final = frozenset({"kind", "hide", "include_hidden"})
"""Of the options that come as further keyword arguments, those that None is no value of."""

# ── the decorator ──


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Check the arguments of a public function before it runs. A missing or unknown argument is Python's TypeError."""
    return checked_with()(function)


def checked_with(**others: Check) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make `checked` with further checks, for parameters of types that this layer does not know."""
    table = {**CHECKS, **others}

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        optional, checks, rest = set(), {}, None
        for name, each in signature.parameters.items():
            if each.kind is each.VAR_KEYWORD:
                rest = name
            else:
                checks[name] = table[name]  # a KeyError: a new parameter needs a row in CHECKS
                if each.default is None or "None" in str(each.annotation):
                    optional.add(name)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # which says what is missing or unknown
            for name, check in checks.items():
                if name in given.arguments and not (name in optional and given.arguments[name] is None):
                    given.arguments[name] = check(name, given.arguments[name])
            if rest in given.arguments:
                given.arguments[rest] = _checked_options(given.arguments[rest], table)
            return function(*given.args, **given.kwargs)

        return run

    return decorate


def _checked_options(options: Mapping[str, object], table: Mapping[str, Check]) -> dict[str, object]:
    """Check further keyword arguments; the function itself refuses unknown ones."""
    found = dict(options)
    for name, value in options.items():
        if name in table and (value is not None or name in _NEVER_NONE):
            found[name] = table[name](name, value)
    return found
