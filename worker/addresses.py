"""Addresses among the settings: of the database, the gateway, the webhook; and what each of them may not hold as it is.

A `#`, `@`, `/` or `?` in a password ends it early for one library and not for another: what is left over becomes part
of a host's name, and that stands in errors and logs. So an address with one of them is refused, and nothing is told of
it. Each function raises ValueError with what would be right.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

ESCAPES: Final = "in a user name or a password write # as %23, @ as %40, / as %2F and ? as %3F"


def server_parts(value: str, right: str) -> SplitResult:
    """The parts of a database's or a broker's address."""
    rest = value.partition("://")[2]
    before = rest.rpartition("@")[0]
    if any(character in before for character in "@/?"):
        raise ValueError(f"{right}: {ESCAPES}")
    return _parts(value, right)


def web_parts(value: str, right: str) -> SplitResult:
    """The parts of an http or https address; an @ may stand in its path."""
    parts = _parts(value, right)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(right)
    if parts.netloc.count("@") > 1:
        raise ValueError(f"{right}: {ESCAPES}")
    return parts


def _parts(value: str, right: str) -> SplitResult:
    if "#" in value:
        raise ValueError(f"{right}: {ESCAPES}")
    if not value.isprintable():
        raise ValueError(right)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:  # its own words quote the address
        raise ValueError(f"{right}: {ESCAPES}" if "@" in value else right) from None
    return parts


def database_url(value: str) -> str:
    """A PostgreSQL URL; the driver is always psycopg 3."""
    right = "a PostgreSQL address such as postgresql://user:password@host/database"
    scheme, _, rest = value.strip().partition("://")
    if scheme not in {"postgres", "postgresql", "postgresql+psycopg"} or not rest:
        raise ValueError(right)
    server_parts(value.strip(), right)
    try:
        make_url(f"postgresql+psycopg://{rest}")
    except (ArgumentError, ValueError):
        raise ValueError(right) from None
    return f"postgresql+psycopg://{rest}"


def http_url(value: str) -> str:
    """Scheme and host of an http or https address."""
    right = "scheme and host alone, such as https://api.kavenegar.com"
    parts = web_parts(value.strip(), right)
    if parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError(right)
    return value.strip().rstrip("/")


def web_address(value: str) -> str:
    """A whole http or https address."""
    web_parts(value.strip(), "an address such as https://example.com/inbox")
    return value.strip()


def host_alone(value: str) -> str:
    """What may be shown of an address: a token may stand in its path, its query or before the host."""
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"
