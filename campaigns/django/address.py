"""Which of Django's databases has our tables, and its address as other programs take it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connections

_OF_DJANGO: Final = {"context", "cursor_factory", "prepare_threshold", "client_encoding", "row_factory", "autocommit"}
"""Parameters of a connection that are objects of Django's process, or not for others to keep."""


def alias() -> str:
    """Return the alias of the database with the schema `sms`: the setting CAMPAIGNS_DATABASE, or "default"."""
    found: str = getattr(settings, "CAMPAIGNS_DATABASE", "default")
    return found


def campaigns_connection() -> Any:
    """Return Django's connection to the database with the schema `sms`."""
    return connections[alias()]


def database_url(wrapper: Any) -> str:
    """Return the address of a PostgreSQL database of Django's, as DATABASE_URL takes it. It holds the password."""
    given = {name: value for name, value in wrapper.get_connection_params().items() if name not in _OF_DJANGO}
    user, password = given.pop("user", None), given.pop("password", None)
    host, port, name = str(given.pop("host", "")), given.pop("port", None), given.pop("dbname", "")
    if "/" in host or "," in host:  # a socket's folder, or several hosts
        given["host"], host = host, ""
    if port and not host:
        given["port"], port = port, None
    person = quote(str(user), safe="") if user else ""
    person += f":{quote(str(password), safe='')}" if password else ""
    where = f"{person}@{host}" if person else host
    query = urlencode({key: value for key, value in given.items() if value is not None})
    return (
        f"postgresql+psycopg://{where}{f':{port}' if port else ''}/{quote(name, safe='')}{'?' if query else ''}{query}"
    )
