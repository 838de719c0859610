"""The shop's test database, and the transaction of each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def campaigns_engine() -> Iterator[Engine]:
    engine = create_engine(os.environ["SHOP_TEST_DATABASE_URL"])
    yield engine
    engine.dispose()


@pytest.fixture
def campaigns_bind(_campaigns_schema: Engine) -> Iterator[Session]:
    with _campaigns_schema.connect() as connection, Session(connection) as session:
        yield session
        session.rollback()
