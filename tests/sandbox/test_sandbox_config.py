"""account/config: settings that are read, written, obeyed and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from kavenegar_sandbox import Knobs, Options, background
from tests.sandbox.client import KEY, UNHURRIED, Client, form, numbers

DEFAULTS = {
    "apilogs": "justfaults",
    "dailyreport": "disabled",
    "debugmode": "disabled",
    "defaultsender": "10004346",
    "mincreditalarm": "50000",
    "resendfailed": "false",
}


@contextmanager
def sandbox_with(journal: Path, **knobs: Any) -> Iterator[Client]:
    options = Options(api_key=KEY, knobs=Knobs().turned(knobs), journal=journal)
    with background(options) as base_url, requests.Session() as session:
        yield Client(base_url, session)


def config(sandbox: Client, **settings: Any) -> dict[str, str]:
    found: dict[str, str] = sandbox.entries("account/config", settings)
    return found


def test_without_a_value_the_settings_are_read_as_mixed_as_the_spec_shows_them(sandbox: Client) -> None:
    blanks = dict.fromkeys(("apilogs", "debugmode", "defaultsender", "mincreditalarm", "resendfailed"), "")
    assert config(sandbox) == DEFAULTS
    assert config(sandbox, **blanks) == DEFAULTS
    assert sandbox.session.get(sandbox.url("account/config"), timeout=60).json()["entries"] == DEFAULTS


def test_what_has_a_value_is_written_and_blanks_beside_it_are_not(sandbox: Client) -> None:
    written = config(sandbox, apilogs="enabled", mincreditalarm="0", defaultsender="+9830002626", debugmode="")
    assert written == {**DEFAULTS, "apilogs": "enabled", "mincreditalarm": "0", "defaultsender": "30002626"}
    assert config(sandbox) == written
    assert sandbox.session.get(sandbox.url("account/config"), params={"apilogs": "disabled"}, timeout=60).ok
    assert config(sandbox)["apilogs"] == "disabled"


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        (400, {"apilogs": "all"}),
        (400, {"debugmode": "perhaps"}),
        (400, {"mincreditalarm": "a lot"}),
        (400, {"mincreditalarm": "9" * 5000}),
        (400, {"resendfailed": "always"}),
        (412, {"defaultsender": "50001"}),
        (427, {"defaultsender": "2000"}),
    ],
)
def test_one_value_that_makes_no_sense_and_nothing_is_written(
    start: Callable[..., Client], code: int, settings: dict[str, str]
) -> None:
    sandbox = start(restricted_senders=["2000"])
    assert sandbox.code("account/config", {"apilogs": "enabled", **settings}) == code
    assert config(sandbox) == DEFAULTS


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sms/send", form(numbers(1))),
        ("call/maketts", form(numbers(1))),
        ("verify/lookup", {"receptor": "09121234567", "token": "1", "template": "verify"}),
    ],
)
def test_in_debug_mode_nothing_goes_out_and_nothing_is_paid_until_it_ends(
    start: Callable[..., Client], method: str, params: dict[str, str]
) -> None:
    sandbox = start(**UNHURRIED)
    before = sandbox.credit()
    assert config(sandbox, debugmode="Enabled")["debugmode"] == "enabled"
    rows = sandbox.entries(method, params)
    assert (rows if isinstance(rows, dict) else rows[0])["status"] == 13
    assert (sandbox.summary()["physical_messages"], sandbox.credit()) == (0, before)
    config(sandbox, debugmode="disabled")
    assert sandbox.send(*numbers(1))[0]["status"] == 1


def test_the_default_sender_sends_what_names_no_line(sandbox: Client) -> None:
    config(sandbox, defaultsender="30002626")
    assert sandbox.send("09121234567")[0]["sender"] == "30002626"


def test_what_failed_is_sent_again_while_the_account_says_so(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"undelivered": 1}, delivery_s=[10, 10])
    ends = []
    for setting in ("enabled", "disabled"):
        config(sandbox, resendfailed=setting)
        ids = [row["messageid"] for row in sandbox.send(*numbers(100))]
        sandbox.advance(31)
        ends.append(sandbox.statuses(*ids).count(10))
    assert 25 < ends[0] < 75
    assert ends[1] == 0


def test_settings_and_knobs_are_one_thing_under_two_names(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 1, "resent": 1}, debug_mode=True)
    assert (config(sandbox)["resendfailed"], config(sandbox)["debugmode"]) == ("true", "enabled")
    config(sandbox, resendfailed="0", debugmode="0", defaultsender="30002626")
    knobs = sandbox.admin("GET", "knobs").json()
    assert (knobs["resend_failed"], knobs["debug_mode"], knobs["default_sender"]) == (False, False, "30002626")
    assert knobs["outcomes"] == {"delivered": 1, "undelivered": 1}
    sandbox.turn(outcomes={"resent": 1}, credit_alarm_rial=7)
    assert (config(sandbox)["resendfailed"], config(sandbox)["mincreditalarm"]) == ("true", "7")
    sandbox.turn(resend_failed=False)
    assert config(sandbox)["resendfailed"] == "false"


def test_a_restart_remembers_what_was_written_whatever_the_knobs_it_starts_with(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with sandbox_with(journal) as sandbox:
        config(sandbox, debugmode="enabled", mincreditalarm="9", apilogs="disabled")
        written = config(sandbox)
    with sandbox_with(journal, debug_mode=False, credit_alarm_rial=1) as again:
        assert config(again) == written
        again.turn(debug_mode=False)
    with sandbox_with(journal, debug_mode=True) as third:
        assert config(third) == {**written, "debugmode": "disabled"}
