"""Check a request for a one-time password before anything is stored.

A token is a secret. No error, repr or log holds a token's value: an error names the token and its fault.

Source: kavenegar-rest, verify/lookup: the parameters, the note on calls, and 428 and 431 in the table of errors. The
documentation does not list the characters that count as separators; this file refuses the marks that divide a list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from math import ceil
from typing import Final

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules import phone
from kavenegar_campaigns.rules.message_options import check_tag

MAX_TOKEN_LENGTH: Final = 100
"""Characters of a token. An emoji counts as two, as it does in a text."""
TOKEN_SPACES: Final[Mapping[str, int]] = {"token": 0, "token2": 0, "token3": 0, "token10": 5, "token20": 8}
"""All tokens, each with the number of spaces that it may hold."""
MAX_KEY_LENGTH: Final = 200
MAX_LIFETIME: Final = timedelta(days=1)

_SEPARATORS: Final = "_,;|،؛"
_TEMPLATE: Final = re.compile(r"[\w.-]{1,100}")
_LANDLINE: Final = re.compile(r"(?:(?:\+|00)980?|0)([1-8][0-9]{9})")
_ABROAD: Final = re.compile(r"(?:\+|00)(?!98)([1-9][0-9]{6,14})")  # E.164: at most 15 digits, including the country's


class OtpKind(StrEnum):
    """How a code reaches a person: by SMS or by voice call."""

    SMS = "sms"
    CALL = "call"


class Secret(str):
    """Text whose repr does not show it: logs show parameters of statements and fields of records by their repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True, slots=True)
class OtpRequest:
    """A checked one-time password. `call_after_s`: seconds after which an undelivered SMS is followed by a call.

    `number` is 09121234567, a landline such as 02188776655, or 00 with country and number outside Iran.
    """

    kind: OtpKind
    number: Secret = field(repr=False)
    template: str
    tokens: Mapping[str, Secret] = field(repr=False)
    key: Secret | None = field(repr=False)  # the caller's own text, which may hold a number
    tag: str | None
    call_after_s: int | None
    lifetime: timedelta


def parse_otp_request(
    kind: str,
    number: str,
    template: str,
    tokens: Mapping[str, str | None],
    *,
    key: str | None,
    tag: str | None,
    call_after: timedelta | None,
    lifetime: timedelta,
) -> OtpRequest:
    """Check a request and return it as one that the gateway should accept. A landline is always called.

    Raises: BadInput that names the valid values, and never holds a token or a full number.
    """
    check_kind(kind)
    if kind == OtpKind.CALL and call_after is not None:
        raise BadInput("call_after is for an SMS that a call may follow: this is a call already")
    receptor, landline = _normalise_receptor(number)
    as_call = OtpKind(kind) is OtpKind.CALL or landline
    return OtpRequest(
        kind=OtpKind.CALL if as_call else OtpKind.SMS,
        number=Secret(receptor),
        template=_template(template),
        tokens=_tokens(tokens, as_call=as_call or call_after is not None),
        key=_key(key),
        tag=check_tag(tag),
        call_after_s=None if as_call or call_after is None else ceil(call_after.total_seconds()),
        lifetime=_lifetime(lifetime, call_after),
    )


def check_kind(kind: str) -> None:
    """Refuse a kind that is not in `OtpKind`. Raises: BadInput."""
    if kind not in set(OtpKind):
        raise BadInput('a code is sent as "sms" or "call"')


# ── the recipient ──


def normalise_receptor(value: str) -> str:
    """Return the recipient's number in the spelling that we store: mobile, landline, or outside Iran.

    Raises: BadInput, with the value masked.
    """
    return _normalise_receptor(value)[0]


def _normalise_receptor(value: str) -> tuple[str, bool]:
    """Return the number, and whether it is a landline in Iran."""
    if phone.is_mobile(value):
        return phone.normalise_mobile(value), False
    bare = _bare_digits(value)
    if landline := _LANDLINE.fullmatch(bare):
        return f"0{landline[1]}", True
    if abroad := _ABROAD.fullmatch(bare):
        return f"00{abroad[1]}", False
    raise BadInput(
        f'"{phone.mask_number(value)}" is no number that a code can go to: a mobile number is 09 and nine more digits, '
        "a landline has its area code (021 and eight more), one abroad begins with 00 and its country's code"
    )


def _bare_digits(value: str) -> str:
    """Return the value without spaces, separators and invisible marks, and with its digits, of any script, as ASCII."""
    kept = (letter for letter in value[: phone.MAX_SPELLING_LENGTH + 1] if letter == "+" or letter.isalnum())
    return "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in kept)


# ── the tokens ──


def check_tokens(given: Mapping[str, str | None]) -> None:
    """Refuse tokens that no template accepts. Raises: BadInput that names a token and not its value."""
    if given.get("token") is None:
        raise BadInput("token is missing: it is the code itself")
    for name, value in given.items():
        if value is not None:
            _check_token(name, value)


def _tokens(given: Mapping[str, str | None], *, as_call: bool) -> dict[str, Secret]:
    check_tokens(given)
    found = {name: Secret(value) for name, value in given.items() if value is not None}
    for name, value in found.items():
        if as_call and not (value.isascii() and value.isdigit()):
            raise BadInput(f"{name} is not all digits (0 to 9), and only digits can be told in a call")
    return found


def _check_token(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise BadInput(f"{name} has to be text: as a number it would lose the zeros it begins with")
    units = len(value.encode("utf-16-le", "surrogatepass")) // 2
    if not value.strip() or units > MAX_TOKEN_LENGTH:
        raise BadInput(f"{name} has {units if value.strip() else 'no'} characters: 1 to {MAX_TOKEN_LENGTH} are right")
    if any(letter.isspace() and letter != " " for letter in value):
        raise BadInput(f"{name} holds a line break, a tab or another blank that is no plain space: take it out")
    if any(letter in _SEPARATORS for letter in value):
        raise BadInput(f"{name} holds an underscore or a separator ({_SEPARATORS}): take it out")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} or letter == "\ufffd" for letter in value):
        raise BadInput(f"{name} holds a character that no phone can show: take it out")
    if value.count(" ") > TOKEN_SPACES[name]:
        if not TOKEN_SPACES[name]:
            raise BadInput(f"{name} holds a space: take it out, or use token10 or token20, which may hold some")
        raise BadInput(f"{name} holds {value.count(' ')} spaces: {TOKEN_SPACES[name]} are the most it may hold")


def _template(name: str) -> str:
    if not _TEMPLATE.fullmatch(name):
        raise BadInput(
            "the template is its name in the panel: 1 to 100 letters, digits, hyphens, underscores and dots, no spaces"
        )
    return name


# ── the other options ──


def _key(key: str | None) -> Secret | None:
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise BadInput(f"the key has to be of 1 to {MAX_KEY_LENGTH} printable characters, or left out")
    return None if key is None else Secret(key)


def _lifetime(lifetime: timedelta, call_after: timedelta | None) -> timedelta:
    if not timedelta(0) < lifetime <= MAX_LIFETIME:
        raise BadInput("the lifetime of a code is above zero and at most a day")
    if call_after is not None and not timedelta(0) < call_after < lifetime:
        raise BadInput("call_after lies within the lifetime: a call after it would tell a code that is worth nothing")
    return lifetime
