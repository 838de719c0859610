"""Parse the text of a setting's variable into its value; a ValueError names the valid spellings."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from typing import Final

from kavenegar_campaigns.api.work import RIGHT_SECRET, signing_key
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.phone import normalise_line

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32,128}")
_NOT_READ: Final = re.compile("[\x80-\x9f\ud800-\udfff]")  # bytes without a character in the locale
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")


def decoded(value: str, *, encoding: str | None = None) -> str:
    """Decode an argument or a variable again that Python has read in the `encoding` of the locale.

    Terminals, unit files and containers write UTF-8 whatever the locale is, and no word in another encoding is valid
    UTF-8 by chance. Raises: ValueError with the remedy, where it is neither UTF-8 nor in the locale's encoding.
    """
    locale = encoding or sys.getfilesystemencoding()
    try:
        return value.encode(locale, "surrogateescape").decode("utf-8")
    except UnicodeEncodeError:
        return value  # not from outside the process: no locale has read it
    except UnicodeDecodeError:
        if not _NOT_READ.search(value):
            return value
    raise ValueError(f"text in UTF-8, nor in {locale}, the encoding of this locale: set LC_ALL=C.UTF-8")


def duration(value: str) -> timedelta:
    """Parse a duration: `90s`, `5m`, `48h`, `2d`, `500ms`. Raises: ValueError."""
    match = _DURATION.match(value.strip().lower())
    if match is None:
        raise ValueError("a duration such as 90s, 5m or 48h")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def lasting(value: str) -> timedelta:
    """Parse a duration above zero. Raises: ValueError."""
    found = duration(value)
    if not found:
        raise ValueError("a duration above zero such as 90s, 5m or 48h")
    return found


def lasting_or_never(value: str) -> timedelta:
    """Parse a duration above zero, or 0 or `off` for never. Raises: ValueError."""
    return timedelta(0) if value.strip().lower() in {"0", "off"} else lasting(value)


def durations(value: str) -> tuple[timedelta, ...]:
    """Parse durations in ascending order, separated by commas. Raises: ValueError."""
    found = tuple(duration(item) for item in value.split(",") if item.strip())
    if not found or list(found) != sorted(set(found)):
        raise ValueError("durations in ascending order, separated by commas, such as 5m,10m,1h")
    return found


def positive(value: str) -> float:
    """Parse a number above zero. Raises: ValueError."""
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError("a number above zero")
    return number


def count(value: str) -> int:
    """Parse a whole number above zero. Raises: ValueError."""
    if not value.strip().isdigit() or int(value) == 0:
        raise ValueError("a whole number above zero")
    return int(value)


def whole(value: str) -> int:
    """Parse a whole number of zero or more. Raises: ValueError."""
    if not value.strip().isdecimal():
        raise ValueError("a whole number, or 0")
    return int(value)


def words(value: str) -> tuple[str, ...]:
    """Parse words, also Persian ones, separated by commas; each has a letter or a digit. Raises: ValueError."""
    found = tuple(word.strip() for word in value.replace("،", ",").split(",") if word.strip())
    if not found or not all(any(map(str.isalnum, word)) for word in found):
        raise ValueError("words separated by commas, such as لغو,11,STOP")
    return found


def lines(value: str) -> dict[str, timedelta | None]:
    """Parse lines separated by commas, each with or without an interval (`30002626=5m`). Raises: ValueError."""
    found = {}
    for item in filter(None, map(str.strip, value.split(","))):
        line, equals, interval = item.partition("=")
        try:
            found[normalise_line(line)] = at_least_a_second(interval) if equals else None
        except (BadInput, ValueError):
            raise ValueError("lines, each with an interval or without, such as 10004346,30002626=5m") from None
    return found


def at_least_a_second(value: str) -> timedelta:
    """Parse a duration of a second or more. Raises: ValueError."""
    found = lasting(value)
    if found < timedelta(seconds=1):
        raise ValueError("a second or more, such as 30s or 5m")
    return found


def yes_or_no(value: str) -> bool:
    """Parse `yes` or `no`. Raises: ValueError."""
    if value.strip().lower() not in {"yes", "no"}:
        raise ValueError("yes or no")
    return value.strip().lower() == "yes"


def api_key(value: str) -> str:
    """Check the account's key. Raises: ValueError."""
    key = value.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("a key: it holds a character that no key has")
    return key


def callback_token(value: str) -> str:
    """Check a secret that a URL's path holds without encoding. Raises: ValueError."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("a token of 32 to 128 letters, digits, - and _: `campaigns web --new-token` prints one")
    return value


def webhook_secret(value: str) -> str:
    """Check a secret of Standard Webhooks. Raises: ValueError."""
    try:
        signing_key(value)
    except BadInput:
        raise ValueError(RIGHT_SECRET) from None
    return value


def name_and_password(value: str) -> str:
    """Parse `name:password` for basic authentication. Raises: ValueError."""
    name, _, password = value.partition(":")
    if not name or not password or not value.isprintable():
        raise ValueError("name:password")
    return value


def log_level(value: str) -> str:
    """Parse the name of a log level. Raises: ValueError."""
    level = value.strip().upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return level


def log_format(value: str) -> str:
    """Parse the name of a log format. Raises: ValueError."""
    chosen = value.strip().lower()
    if chosen not in {"console", "json"}:
        raise ValueError("console or json")
    return chosen
