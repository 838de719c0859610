"""Querysets of Django are recipients: by chunks, uncached, and refused with a sentence where they cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.own_process import answer_of


def _said(database_url: str, *arguments: str) -> Any:
    return answer_of("-m", "tests.frameworks.django_customers", *arguments, SHOP_DATABASE_URL=database_url)


@pytest.fixture
def kinds(database_url: str) -> dict[str, Any]:
    found: dict[str, Any] = _said(database_url, "kinds")
    return found


def test_every_kind_of_queryset_is_recipients_or_a_sentence(kinds: dict[str, Any]) -> None:
    assert {name: each for name, each in kinds.items() if isinstance(each, list)} == {
        "flat": [2, "سلام"],
        "pairs": [2, "سلام سارا"],
        "pairs turned": [2, "سلام سارا"],
        "triples": [2, "سلام سارا از شیراز"],
        "named": [2, "سلام شیراز"],
        "values": [2, "سلام سارا"],
        "iterator": [2, "سلام سارا"],
        "pairs of an iterator": [2, "سلام سارا"],
        "sliced": [1, "سلام"],
    }
    assert kinds["instances"].startswith("a recipient cannot be a Customer: name the field that holds the number")
    assert '.values_list("phone", flat=True)' in kinds["instances"]
    assert kinds["the manager"].startswith("recipients cannot be a Manager: ")
    assert '.values_list("phone", flat=True)' in kinds["the manager"]
    assert kinds["no such placeholder"] == (
        "the text asks for {family}, and there is no such column: the columns are phone, name"
    )
    assert kinds["nobody"] == "there are no recipients: it is empty"


def test_memory_does_not_grow_with_a_queryset_and_nothing_of_it_is_cached(database_url: str, engine: object) -> None:
    found = _said(database_url, "many", "30000")

    assert found["cached"] == 0.0
    assert found["peak_mb"] < 12, found  # 30,000 rows as a list of dicts are more than that
