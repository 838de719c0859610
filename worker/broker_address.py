"""BROKER_URL, read once for everybody who connects: Celery, the pace, Flower.

Each library reads the query of such a URL in its own way. Celery takes `rediss://` without more for "verify nothing",
redis-py for "verify"; Celery knows `CERT_NONE`, redis-py `none`; a database in the query only redis-py understands; a
socket neither spells as the other does, so it is refused. Here an address becomes the spelling of redis-py
(`broker_url`), and from that Celery's (`for_celery`).
Source: redis.connection.parse_url, kombu.utils.url.parse_url, kombu.transport.redis.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from worker.addresses import server_parts

RIGHT: Final = "a Redis or Valkey address such as redis://:password@host:6379/0, or rediss:// for TLS"

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
    """The address in redis-py's spelling, with TLS verified unless its query says otherwise. Raises: ValueError."""
    parts = server_parts(value.strip(), RIGHT)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(RIGHT)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    database = _database(parts.path.strip("/"), asked)
    query = _tls(scheme, asked)
    return urlunsplit((scheme, parts.netloc, f"/{database}", urlencode(query), ""))


def _database(path: str, asked: dict[str, str]) -> int:
    """The number of the database, from the path or the query; what the query says of it is taken out."""
    named = [path, *(asked.pop(name, "") for name in _DATABASE)]
    found = {each for each in named if each}
    if len(found) > 1 or not all(each.isascii() and each.isdigit() for each in found):
        raise ValueError(f"{RIGHT}, with the number of one database at its end")
    return int(found.pop()) if found else 0


def _tls(scheme: str, asked: Mapping[str, str]) -> dict[str, str]:
    """What the query says of TLS, each value checked."""
    if scheme == "rediss":
        return {name: _tls_value(name, value) for name, value in ({"ssl_cert_reqs": "required"} | dict(asked)).items()}
    if asked:
        raise ValueError(f"{RIGHT}; only a rediss:// address takes a query, and only of what concerns TLS")
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
        raise ValueError(f"{RIGHT}; its query may hold {known}")
    if found is None:
        raise ValueError(f"{RIGHT}; {name} in its query must be {right}")
    return found


def for_celery(url: str) -> dict[str, Any]:
    """Celery's settings for an address of `broker_url`; Flower takes them from Celery."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    if parts.scheme != "rediss":
        return {"broker_url": url}
    tls: dict[str, Any] = {**asked, "ssl_cert_reqs": _VERIFY[asked.get("ssl_cert_reqs", "required")]}
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"] == "true"
    return {"broker_url": urlunsplit(parts._replace(query="")), "broker_use_ssl": tls}
