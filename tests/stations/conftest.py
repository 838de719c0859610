"""A gateway that follows a script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from campaigns.house import House
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.gateway import Gateway
from tests.kavenegar.scripted_server import ScriptedServer


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
