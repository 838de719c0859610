"""INBOX_… as people write them, and what is refused."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_worker.settings import load, rows

MINUTE = timedelta(minutes=1)
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("", {}),
        ("10004346", {"10004346": MINUTE}),
        ("10004346,30002626=5m", {"10004346": MINUTE, "30002626": 5 * MINUTE}),
        (" +9810004346 = 30s , ", {"10004346": MINUTE / 2}),
    ],
)
def test_lines_are_named_with_an_interval_or_without(written: str, lines: dict[str, timedelta]) -> None:
    assert load({"INBOX_LINES": written}).inbox_schedule == lines


def test_the_interval_of_those_without_one_is_a_setting() -> None:
    assert load({"INBOX_LINES": "10004346", "INBOX_EVERY": "10s"}).inbox_schedule == {"10004346": MINUTE / 6}


@pytest.mark.parametrize("written", ["Bank", "10004346=", "10004346=soon", "10004346=500ms", "10004346=0s"])
def test_a_line_that_is_none_or_an_interval_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(BadInput, match=r"INBOX_LINES.*10004346,30002626=5m"):
        load({"INBOX_LINES": written})


def test_messages_are_handed_over_to_a_task_or_to_a_webhook_with_a_secret() -> None:
    webhook = {"INBOX_WEBHOOK": "https://example.com/in?x=1", "INBOX_WEBHOOK_SECRET": SECRET}

    assert not load({}).policy().deliver_inbound
    assert load({"INBOX_TASK": "shop.answered"}).policy().deliver_inbound
    assert load(webhook).policy().deliver_inbound
    with pytest.raises(BadInput, match="both set"):
        load({**webhook, "INBOX_TASK": "shop.answered"})
    with pytest.raises(BadInput, match="INBOX_WEBHOOK_SECRET is not set"):
        load({"INBOX_WEBHOOK": "https://example.com/in"})
    with pytest.raises(BadInput, match="INBOX_WEBHOOK: "):
        load({"INBOX_WEBHOOK": "example.com", "INBOX_WEBHOOK_SECRET": SECRET})


def test_neither_the_webhook_nor_its_secret_is_in_the_repr() -> None:
    found = repr(load({"INBOX_WEBHOOK": "https://example.com/hidden", "INBOX_WEBHOOK_SECRET": SECRET}))

    assert "hidden" not in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "secret",
    ["hunter2hunter2hunter2hunter2", SECRET.removeprefix("whsec_"), "whsec_", "whsec_hunter2", "whsec_hunter2!" * 4,
     "whsec_" + base64.b64encode(bytes(23)).decode(), "whsec_" + base64.b64encode(bytes(65)).decode()],
)  # fmt: skip
def test_a_secret_that_receivers_could_not_verify_with_is_refused_and_not_shown(secret: str) -> None:
    right = "INBOX_WEBHOOK_SECRET: its value is not whsec_ and the base64 of 24 to 64 random bytes: make one with"
    with pytest.raises(BadInput, match=right) as refusal:
        load({"INBOX_WEBHOOK": "https://example.com/in", "INBOX_WEBHOOK_SECRET": secret})
    assert "hunter2" not in str(refusal.value)


def test_of_a_webhook_only_the_host_is_shown() -> None:
    environment = {
        "INBOX_WEBHOOK": "https://somebody:hunter2@example.com:8443/hidden/token?key=hunter3",
        "INBOX_WEBHOOK_SECRET": SECRET,
    }
    found = {row.name: row.value for row in rows(load(environment), environment)}

    assert found["INBOX_WEBHOOK"] == "https://example.com:8443/…"
    assert found["INBOX_WEBHOOK_SECRET"] == "set"
    assert {row.name: row.value for row in rows(load({}), {})}["INBOX_WEBHOOK"] == "not set"
