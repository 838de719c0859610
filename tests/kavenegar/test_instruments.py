"""What instruments requests, urllib3 and http.client sees no API key, number, text or code; nor do frames of errors.

The real sentry-sdk and OpenTelemetry look at real calls, in a process of their own: they patch http.client for good.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.world import Sandbox

SECRETS = {
    "KAVENEGAR_API_KEY": "4C4F4E474B455931323334353637",
    "NUMBER": "09127654321",
    "CODE": "739164",
    "TEXT": "the-confidential-words-of-a-message",
}
IN_OTHER_SPELLINGS = {"NUMBER in the store": "9127654321"}


@pytest.fixture
def seen(database_url: str, broker_url: str, tmp_path: Path) -> Any:
    """How the calls of an instrumented process ended, and everything that its tools saw."""
    (tmp_path / "customers.csv").write_text(f"mobile\n{SECRETS['NUMBER']}\n", encoding="utf-8")
    (tmp_path / "text.txt").write_text(SECRETS["TEXT"] * 100, encoding="utf-8")
    with Sandbox.start(other_keys=(SECRETS["KAVENEGAR_API_KEY"],)) as sandbox:
        sandbox.arm("accept_then_drop", "verify/lookup", count=2)
        settings = {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "CAMPAIGNS_BROKER_URL": broker_url,
            "KAVENEGAR_BASE_URL": sandbox.url,
            "PACE_FIXED": "1000",
            "OTPS": "4",
            "INTAKE_FOLDER": str(tmp_path),
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.kavenegar.instrumented"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **settings, **SECRETS},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_instrument_sees_a_key_a_number_a_text_or_a_code(seen: Any) -> None:
    endings = Counter(each.rpartition(": ")[2] for each in seen["endings"])
    assert set(endings) >= {
        "answered",
        "ValueError",
        "GatewayDown",
        "OutcomeUnknown",
        "AccountBlocked",
        "BadInput",
        "FAILURE",
    }
    tools = Counter(" ".join(each.split()[:2])[:18] for each in seen["seen"])
    assert {"sentry event", "sentry transaction"} <= set(tools)
    assert any(each.startswith("otel") and "/v1/***/sms/send.json" in each for each in seen["seen"])
    assert any("sms/send.json" in each for each in seen["seen"] if each.startswith(("log", "hooks")))

    for name, secret in {**SECRETS, **IN_OTHER_SPELLINGS}.items():
        for each in seen["seen"]:
            at = each.find(secret)
            assert at < 0, f"{name}: {each[:40]} … {each[max(0, at - 300) : at + 60]}"
