"""The statements on a real PostgreSQL: one database a module, emptied for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

import campaigns_devkit
from tests.conftest import _create
from tests.store.emptying import empty

_numbers = itertools.count()


@pytest.fixture(scope="module")
def shared(servers: campaigns_devkit.Attached, _template: str) -> Iterator[Engine]:
    """One database for all tests of a module: emptying it costs a tenth of making one."""
    found = _create(servers, f"store_{next(_numbers)}", _template)
    yield found
    found.dispose()


@pytest.fixture
def engine(shared: Engine) -> Engine:
    """An empty database at the newest schema."""
    empty(shared)
    return shared


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that is rolled back."""
    with engine.connect() as found, found.begin() as transaction:
        yield found
        transaction.rollback()
