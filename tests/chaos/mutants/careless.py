"""Removes our protections one at a time, in this process: each for a test in which the checker must find doubles.

Each takes pytest's `monkeypatch`, so that the product is whole again after the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import TextClause, create_engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import BatchState
from kavenegar_campaigns.store import batches, due, gate
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.identity import IS_HOME


def send_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a restored, promoted or restarted database send as if nothing had happened."""
    monkeypatch.setattr(batches, "_CLAIM_READY", _without(batches._CLAIM_READY, IS_HOME))
    ready = _without(batches._IS_DUE[BatchState.READY], IS_HOME)
    monkeypatch.setattr(batches, "_IS_DUE", {**batches._IS_DUE, BatchState.READY: ready})
    monkeypatch.setattr(due, "_READY", _without(due._READY, IS_HOME))


@contextmanager
def commits_left_to_the_database(monkeypatch: pytest.MonkeyPatch, context: Context, url: str) -> Iterator[Context]:
    """Return a context in which neither sessions nor claims wait until a commit is on disk."""
    monkeypatch.setattr(batches, "_CLAIM_READY", _without(batches._CLAIM_READY, gate.DURABLE, "true AS durable"))
    database = Database(create_engine(url))
    try:
        yield replace(context, database=database, clock=database.now)
    finally:
        database.engine.dispose()


def _without(statement: TextClause, protection: str, instead: str = "true") -> TextClause:
    assert protection in statement.text
    return text(statement.text.replace(protection, instead))
