"""More than one account behind one address: each with a key, a ledger and a credit of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.client import KEY, Client, form, numbers

OTHER = "key-of-another-account"


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start({"other_keys": (OTHER,)})


def by(sandbox: Client, key: str, method: str, params: dict[str, str] | None = None) -> dict[str, object]:
    """A call with a key of the caller's choice."""
    answer: dict[str, object] = sandbox.session.post(sandbox.url(method, key), data=params or {}, timeout=60).json()
    return answer


def status(answer: dict[str, object]) -> object:
    result = answer["return"]
    assert isinstance(result, dict)
    return result["status"]


def test_an_account_does_not_know_the_localids_of_another(sandbox: Client) -> None:
    sandbox.send(*numbers(2), localid=[1, 2])

    asked = by(sandbox, OTHER, "sms/statuslocalmessageid", {"localid": "1,2"})["entries"]

    assert isinstance(asked, list)
    assert [row["status"] for row in asked] == [100, 100]


def test_a_localid_that_one_account_has_sent_is_new_to_another(sandbox: Client) -> None:
    sent = form(numbers(2), localid=[1, 2])
    assert [status(by(sandbox, key, "sms/send", sent)) for key in (KEY, OTHER, KEY, OTHER)] == [200] * 4

    lines = [json.loads(line) for line in sandbox.admin("GET", "ledger/stream").content.splitlines()]

    assert [(line["account"], line["localid"]) for line in lines] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert sandbox.summary()["messages"] == 2
    assert sandbox.summary()["other_accounts"] == [2]
    assert len(sandbox.admin("GET", "ledger?localids=1").json()["messages"]) == 2


def test_an_account_pays_from_its_own_credit(sandbox: Client) -> None:
    before = sandbox.credit()
    by(sandbox, OTHER, "sms/send", form(numbers(1)))

    assert sandbox.credit() == before


def test_calls_are_counted_together_and_a_key_that_is_nobodys_is_refused(sandbox: Client) -> None:
    assert [status(by(sandbox, key, "account/info")) for key in (KEY, OTHER, "nobody")] == [200, 200, 403]

    assert sandbox.summary()["requests"] == {"account/info": 3}


def test_knobs_credit_and_the_clock_are_set_for_every_account(sandbox: Client) -> None:
    sandbox.turn(bad_receptors=["09120000000"])
    sandbox.admin("POST", "credit", {"rial": 0}).raise_for_status()

    assert status(by(sandbox, OTHER, "sms/send", form(numbers(1)))) == 411
    assert status(by(sandbox, OTHER, "sms/send", form(["09121111111"]))) == 418
    sandbox.admin("DELETE", "knobs").raise_for_status()
    assert status(by(sandbox, OTHER, "sms/send", form(numbers(1)))) == 418


def test_the_limit_on_calls_is_the_addresss_whatever_the_key(start: Callable[..., Client]) -> None:
    sandbox = start({"other_keys": (OTHER,)}, limiter="token_bucket", limiter_rate=0.001, limiter_burst=2)

    assert [status(by(sandbox, key, "account/info")) for key in (KEY, OTHER, OTHER, KEY)] == [200, 200, 451, 451]


def test_a_restart_remembers_what_each_account_has_sent(start: Callable[..., Client], tmp_path: Path) -> None:
    options = {"other_keys": (OTHER,), "journal": tmp_path / "journal"}
    before = start(options)
    before.send(*numbers(3))
    by(before, OTHER, "sms/send", form(numbers(1), localid=[9]))

    after = start(options)

    assert after.summary()["messages"] == 3
    assert after.summary()["other_accounts"] == [1]
    asked = by(after, OTHER, "sms/statuslocalmessageid", {"localid": "9"})["entries"]
    assert isinstance(asked, list)
    assert asked[0]["status"] != 100
