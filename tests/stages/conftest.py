"""Worlds that several stages are tried in: a gateway that follows a script, slow operators, callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from tests.kavenegar.scripted_server import ScriptedServer
from tests.web import expecting
from tests.world import Sandbox


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


@pytest.fixture
def slow_operators(sandbox: Sandbox) -> None:
    """Verdicts take a day, so that what is accepted stays accepted while we look."""
    sandbox.turn(delivery_s=[86_400, 90_000])


@pytest.fixture
def hinted(context: Context) -> Context:
    """A context to which callbacks are hints."""
    return expecting(context)


@pytest.fixture
def trusting(context: Context) -> Context:
    """A context to which callbacks are facts."""
    return expecting(context, trust_callbacks=True)
