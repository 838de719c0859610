"""Parts of requests and urllib3 that promise nothing and that our deadline stands on: a new version may not lose them.

Without one of these overrides everything still seems to work, and a call may hold a thread for hours.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import CodeType, FrameType
from typing import Any

import pytest
import requests.adapters
import urllib3.poolmanager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from kavenegar_campaigns.kavenegar import connection, transport
from kavenegar_campaigns.kavenegar.transport import Transport, prepare_request
from tests.kavenegar.scripted_server import ScriptedServer

OVERRIDDEN: list[tuple[type, type, str, list[str]]] = [
    (HTTPConnection, connection._DeadlineConnection, "_new_conn", ["self"]),
    (HTTPConnection, connection._DeadlineConnection, "request", ["self", "method", "url", "body", "headers"]),
    (HTTPConnection, connection._DeadlineConnection, "send", ["self", "data"]),
    (HTTPConnectionPool, connection._FreshConnectionPool, "_get_conn", ["self", "timeout"]),
    (HTTPConnectionPool, connection._FreshConnectionPool, "_put_conn", ["self", "conn"]),
    (requests.adapters.HTTPAdapter, transport._Adapter, "init_poolmanager", ["self"]),
    (requests.adapters.HTTPAdapter, transport._Adapter, "proxy_manager_for", ["self", "proxy"]),
]
"""Whose, ours, the name, and the parameters that a call of theirs gives it first."""

SET: list[tuple[type, str]] = [
    (HTTPConnection, "response_class"),
    (HTTPConnectionPool, "ConnectionCls"),
    (HTTPSConnectionPool, "ConnectionCls"),
]
"""Class attributes that name our classes in the place of theirs."""


def lost(owner: type, name: str) -> str:
    library = owner.__module__.partition(".")[0]
    return (
        f"{library} {version(library)} has no {owner.__name__}.{name} as campaigns/kavenegar overrides it, and without "
        "the override a call has no total deadline: adapt connection.py and transport.py before this version is allowed"
    )


@pytest.mark.parametrize(("owner", "ours", "name", "parameters"), OVERRIDDEN, ids=str)
def test_what_we_override_is_there_and_takes_what_it_took(
    owner: type, ours: type, name: str, parameters: list[str]
) -> None:
    assert name in vars(ours)
    assert hasattr(owner, name), lost(owner, name)
    assert list(inspect.signature(getattr(owner, name)).parameters)[: len(parameters)] == parameters, lost(owner, name)


@pytest.mark.parametrize(("owner", "name"), SET, ids=str)
def test_the_attributes_that_name_our_classes_are_there(owner: type, name: str) -> None:
    assert hasattr(owner, name), lost(owner, name)


@pytest.mark.parametrize("kind", [HTTPConnection, HTTPSConnection])
def test_a_connection_holds_what_ours_reads_of_it(kind: type[HTTPConnection]) -> None:
    made = kind("127.0.0.1", 1, timeout=1.5)
    for name, value in {"_dns_host": "127.0.0.1", "host": "127.0.0.1", "port": 1, "timeout": 1.5, "sock": None}.items():
        assert getattr(made, name, "missing") == value, lost(kind, name)
    manager = urllib3.poolmanager.PoolManager()
    assert set(manager.pool_classes_by_scheme) == {"http", "https"}, lost(type(manager), "pool_classes_by_scheme")


@contextmanager
def calls_seen() -> Iterator[set[CodeType]]:
    """The code of every function that this thread calls until the end of the block."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            seen.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def test_a_call_goes_through_every_override(server: ScriptedServer) -> None:
    """That they are there is not enough: the library has to call them."""
    server.will(server.answer())
    with calls_seen() as seen:
        asked = Transport(server.url, deadline_s=20, connect_timeout_s=5, pool_size=1)
        reply = asked.request(prepare_request(f"{server.url}/v1/key/sms/send.json"), b"a=1")
    asked.close()

    assert reply.http_status == 200
    for owner, ours, name, _ in OVERRIDDEN:
        if name != "proxy_manager_for":  # no proxy stands between us here
            assert vars(ours)[name].__code__ in seen, lost(owner, name)
    for ours, name in ((connection._DeadlineResponse, "__init__"), (connection._DeadlineReader, "readinto")):
        assert vars(ours)[name].__code__ in seen, lost(HTTPConnection, "response_class")
