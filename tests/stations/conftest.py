"""What these tests share: a database that is emptied instead of made anew, and a gateway that follows a script."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from campaigns.house import House
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.gateway import Gateway
from tests.conftest import _create
from tests.kavenegar.scripted_server import ScriptedServer
from tests.store.emptying import empty
from worker import embedded

_numbers = itertools.count()


@pytest.fixture(scope="module")
def _shared(servers: embedded.Attached, _template: str) -> Iterator[Engine]:
    found = _create(servers, f"stations_{next(_numbers)}", _template)
    yield found
    found.dispose()


@pytest.fixture
def emptied(_shared: Engine) -> Engine:
    """A database at the newest schema, in which nothing stands yet; a module takes it by naming it its `engine`."""
    empty(_shared)
    return _shared


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A gateway that says what a test scripts."""
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture
def scripted(house: House, server: ScriptedServer) -> Iterator[House]:
    """The same house, at the scripted gateway."""
    client = Client("scripted", server.url, deadline_s=5.0, connect_timeout_s=1.0)
    yield replace(house, gateway=Gateway(client, house.pace))
    client.close()
