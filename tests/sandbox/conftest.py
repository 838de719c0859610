"""A real sandbox on a free port for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from kavenegar_sandbox import Knobs, Options, background
from tests.sandbox.client import KEY, Client


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    """Start a sandbox with options and knobs of the test's choice."""
    with ExitStack() as running:

        def started(options: dict[str, Any] | None = None, **knobs: Any) -> Client:
            chosen = Options(api_key=KEY, knobs=Knobs().turned(knobs), **options or {})
            base_url = running.enter_context(background(chosen))
            return Client(base_url, running.enter_context(requests.Session()))

        yield started


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    """A sandbox as it comes."""
    return start()
