"""A gateway that follows a script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from campaigns.context import Context
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.paced_client import PacedClient
from tests.kavenegar.scripted_server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A gateway that says what a test scripts."""
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture
def scripted(context: Context, server: ScriptedServer) -> Iterator[Context]:
    """The same context, at the scripted gateway."""
    client = Client("scripted", server.url, deadline_s=5.0, connect_timeout_s=1.0)
    yield replace(context, gateway=PacedClient(client, context.pace))
    client.close()
