"""Check the addresses among the settings: of the database, the broker, the gateway and the webhook.

A `#`, `@`, `/` or `?` in a password ends it early for one library and not for another: the rest becomes part of a host
name, which errors and logs show. So an address with one of these characters is refused, and no part of it is shown.
Each function raises ValueError, which names the valid spelling.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

ESCAPES: Final = "in a user name or a password write # as %23, @ as %40, / as %2F and ? as %3F"


def split_server_url(value: str, right: str) -> SplitResult:
    """Split the address of a database or a broker. Raises: ValueError."""
    rest = value.partition("://")[2]
    before = rest.rpartition("@")[0]
    if any(character in before for character in "@/?"):
        raise ValueError(f"{right}: {ESCAPES}")
    return _split(value, right)


def split_web_url(value: str, right: str) -> SplitResult:
    """Split an http or https address; its path may hold an @. Raises: ValueError."""
    parts = _split(value, right)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(right)
    if parts.netloc.count("@") > 1:
        raise ValueError(f"{right}: {ESCAPES}")
    return parts


def _split(value: str, right: str) -> SplitResult:
    if "#" in value:
        raise ValueError(f"{right}: {ESCAPES}")
    if not value.isprintable():
        raise ValueError(right)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:  # its message quotes the address
        raise ValueError(f"{right}: {ESCAPES}" if "@" in value else right) from None
    return parts


def database_url(value: str) -> str:
    """Check a PostgreSQL URL; the driver is always psycopg 3. Raises: ValueError."""
    right = "a PostgreSQL address such as postgresql://user:password@host/database"
    scheme, _, rest = value.strip().partition("://")
    if scheme not in {"postgres", "postgresql", "postgresql+psycopg"} or not rest:
        raise ValueError(right)
    split_server_url(value.strip(), right)
    try:
        make_url(f"postgresql+psycopg://{rest}")
    except (ArgumentError, ValueError):
        raise ValueError(right) from None
    return f"postgresql+psycopg://{rest}"


def http_url(value: str) -> str:
    """Check an address of scheme and host only. Raises: ValueError."""
    right = "scheme and host alone, such as https://api.kavenegar.com"
    parts = split_web_url(value.strip(), right)
    if parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError(right)
    return value.strip().rstrip("/")


def web_address(value: str) -> str:
    """Check a whole http or https address. Raises: ValueError."""
    split_web_url(value.strip(), "an address such as https://example.com/inbox")
    return value.strip()


def host_only(value: str) -> str:
    """Return the part of an address that may be shown: path, query and user info may hold a token."""
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


# ── the broker, read once for all clients: Celery, the pace, Flower ──
#
# Each library reads the query of such a URL in its own way. A bare `rediss://` means "verify nothing" to Celery and
# "verify" to redis-py; Celery knows `CERT_NONE`, redis-py `none`; only redis-py reads a database from the query; the
# two spell a socket differently, so a socket is refused. Here an address becomes the spelling of redis-py
# (`broker_url`), and from it Celery's (`celery_broker_settings`).
# Source: redis.connection.parse_url, kombu.utils.url.parse_url, kombu.transport.redis.

BROKER_URL_FORM: Final = "a Redis or Valkey address such as redis://:password@host:6379/0, or rediss:// for TLS"

_SCHEMES: Final = {
    "redis": "redis",
    "valkey": "redis",
    "rediss": "rediss",
    "valkeys": "rediss",
}
_DATABASE: Final = ("db", "virtual_host")
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_VERIFY: Final = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
_YES_OR_NO: Final = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}


def broker_url(value: str) -> str:
    """Return the address in redis-py's spelling. TLS is verified unless the query disables it. Raises: ValueError."""
    parts = split_server_url(value.strip(), BROKER_URL_FORM)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(BROKER_URL_FORM)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    database = _database_number(parts.path.strip("/"), asked)
    query = _tls_query(scheme, asked)
    return urlunsplit((scheme, parts.netloc, f"/{database}", urlencode(query), ""))


def _database_number(path: str, asked: dict[str, str]) -> int:
    """Return the number of the database, from the path or the query, and remove it from the query."""
    named = [path, *(asked.pop(name, "") for name in _DATABASE)]
    found = {each for each in named if each}
    if len(found) > 1 or not all(each.isascii() and each.isdigit() for each in found):
        raise ValueError(f"{BROKER_URL_FORM}, with the number of one database at its end")
    return int(found.pop()) if found else 0


def _tls_query(scheme: str, asked: Mapping[str, str]) -> dict[str, str]:
    """Return the TLS parameters of the query, each value checked."""
    if scheme == "rediss":
        return {name: _tls_value(name, value) for name, value in ({"ssl_cert_reqs": "required"} | dict(asked)).items()}
    if asked:
        raise ValueError(f"{BROKER_URL_FORM}; only a rediss:// address takes a query, and only of what concerns TLS")
    return {}


def _tls_value(name: str, value: str) -> str:
    found: str | None = None
    if name == "ssl_cert_reqs":
        found, right = value.casefold().removeprefix("cert_"), "required or none"
        found = found if found in _VERIFY else None
    elif name == "ssl_check_hostname":
        found, right = _YES_OR_NO.get(value.casefold()), "true or false"
    elif name in _FILES:
        found, right = (value if Path(value).is_file() else None), "a file that is there"
    else:
        known = ", ".join(("ssl_cert_reqs", "ssl_check_hostname", *_FILES))
        raise ValueError(f"{BROKER_URL_FORM}; its query may hold {known}")
    if found is None:
        raise ValueError(f"{BROKER_URL_FORM}; {name} in its query must be {right}")
    return found


def celery_broker_settings(url: str) -> dict[str, Any]:
    """Return Celery's settings for an address of `broker_url`; Flower takes them from Celery."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    if parts.scheme != "rediss":
        return {"broker_url": url}
    tls: dict[str, Any] = {**asked, "ssl_cert_reqs": _VERIFY[asked.get("ssl_cert_reqs", "required")]}
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"] == "true"
    return {"broker_url": urlunsplit(parts._replace(query="")), "broker_use_ssl": tls}
