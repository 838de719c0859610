"""The shop's tests look at what would have left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Client


def create(session: Session, **changed: Any) -> int:
    campaign = campaigns.create(
        session,
        **{"recipients": [("09121234567", {"name": "سارا"})], "text": "سلام {name}", "sender": "3000"} | changed,
    )
    campaigns.start(session, campaign)
    return campaign


def test_messages_of_started_campaigns_would_have_left(campaigns_bind: Session, campaigns_outbox: Any) -> None:
    create(campaigns_bind, name="autumn", key="autumn-1")

    [message] = campaigns_outbox.messages
    assert (message.number, message.text, message.sender) == ("09121234567", "سلام سارا", "3000")
    assert (message.campaign_name, message.campaign_key, message.kind) == ("autumn", "autumn-1", "sms")


def test_every_test_begins_with_nothing(campaigns_outbox: Any) -> None:
    assert (campaigns_outbox.messages, campaigns_outbox.otps) == ([], [])


def test_calls_and_dates_are_told(campaigns_bind: Session, campaigns_outbox: Any) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    create(campaigns_bind, kind="voice", sender=None, start_at=tomorrow)

    [message] = campaigns_outbox.messages
    assert (message.kind, message.sender, message.start_at) == ("voice", None, tomorrow)


@pytest.mark.usefixtures("campaigns_outbox")
def test_no_client_can_be_made() -> None:
    with pytest.raises(campaigns.BadInput, match="nothing leaves a process that runs tests"):
        Client("a-key", "http://127.0.0.1:9")
