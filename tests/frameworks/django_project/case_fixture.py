"""The shop's tests with pytest-django and our fixture."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client

import kavenegar_campaigns as campaigns
from tests.frameworks.django_project.urls import place_order


def test_a_page_orders_and_the_test_sees_what_would_have_left(client: Client, campaigns_outbox: Any) -> None:
    assert client.get("/order", {"number": "09121234567"}).status_code == 200

    assert [(each.number, each.text) for each in campaigns_outbox.messages] == [("09121234567", "سلام سارا")]


def test_every_test_begins_with_nothing(campaigns_outbox: Any) -> None:
    assert campaigns_outbox.messages == []


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_is_seen_too(campaigns_outbox: Any) -> None:
    place_order("09121234567")
    assert len(campaigns_outbox.messages) == 1
    assert not connection.in_atomic_block


@pytest.mark.django_db(transaction=True)
def test_and_is_gone_afterwards(transactional_db: None, campaigns_outbox: Any) -> None:
    assert campaigns_outbox.messages == []


@pytest.mark.django_db
def test_the_fixture_is_not_needed_to_be_safe() -> None:
    from kavenegar_campaigns.context import Client as Gateway

    place_order("09121234567")
    with pytest.raises(campaigns.BadInput, match="nothing leaves"):
        Gateway("a-key", "http://127.0.0.1:9")
