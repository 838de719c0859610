"""The pace as an operator sees it: found or fixed, whose, what was learnt, and why all calls pause."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.rules.pace import Lane, LearntRate
from kavenegar_worker import wiring
from kavenegar_worker.settings import load
from tests.store.given import draft
from tests.worker.conftest import Command
from tests.world import Sandbox, run_due_work, running

KEYS = {"at", "egress", "rate", "max_rate", "fixed", "learnt", "last_hour", "paused", "queue_s", "lanes"}


@pytest.fixture
def throttle(broker_url: str, sandbox: Sandbox) -> Throttle:
    """The pace of the command's world, as its workers have it."""
    return of_workers(broker_url, sandbox.api_key)


def of_workers(broker_url: str, account: str, egress: str = "default", **settings: str) -> Throttle:
    chosen = load({"PACE_START": "200", "PACE_MAX": "200", **settings})
    return wiring.build_throttle(chosen, broker_url, wiring.account_label(account, egress))


def test_a_pace_that_nobody_has_used_is_told_with_all_its_keys(command: Command) -> None:
    found = command("pace", "--json").answer

    assert set(found) == KEYS
    assert (found["rate"], found["max_rate"], found["fixed"], found["egress"]) == (200, 200, False, "default")
    assert (found["learnt"], found["paused"]) == (None, None)
    assert found["last_hour"] == {"refusals": 0, "pauses": 0}
    assert set(found["lanes"]) == {lane.label for lane in Lane}
    assert all(seen == {"calls": 0, "share": 0, "waiting": False} for seen in found["lanes"].values())
    assert abs(datetime.fromisoformat(found["at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert "200.00 calls a second, nothing learnt yet (at most 200)" in command("pace").out


def test_the_help_tells_every_key_of_the_json(alone: Command) -> None:
    printed = alone("pace", "--help").out

    assert all(f" {key} " in printed for key in KEYS - {"max_rate", "fixed"})
    assert "max_rate:" in printed
    assert "fixed:" in printed


def test_calls_are_shared_out_by_lane(command: Command, throttle: Throttle) -> None:
    for lane in [Lane.OTP] * 2 + [Lane.SEND] * 6:
        throttle.take(lane)

    found = command("pace", "--json").answer["lanes"]

    assert {name: seen["calls"] for name, seen in found.items() if seen["calls"]} == {"send": 6, "otp": 2}
    assert (found["send"]["share"], found["otp"]["share"]) == (0.75, 0.25)
    assert "75.0%" in command("pace").out


def test_what_was_learnt_is_told_with_its_age(command: Command, throttle: Throttle) -> None:
    throttle.restore(LearntRate(rate=2.8, refused=3.1, at=datetime.now(UTC) - timedelta(minutes=30)))

    found = command("pace", "--json").answer

    assert (found["learnt"]["rate"], found["learnt"]["refused"]) == (pytest.approx(2.8, rel=0.05), pytest.approx(3.1))
    assert 1790 < found["learnt"]["age_s"] < 1990
    assert found["rate"] < 3.1
    said = command("pace").out
    assert f"{found['learnt']['rate']:.2f} a second went well, 3.10 was refused; confirmed 30 min ago" in said
    assert "found (at most 200)" in said


def test_a_pause_is_told_with_its_code_its_meaning_and_its_end(command: Command, throttle: Throttle) -> None:
    throttle.report_throttled(throttle.take(Lane.SEND), 409, 300)

    paused = command("pace", "--json").answer["paused"]
    said = command("pace").out
    findings = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}

    assert paused["code"] == 409
    assert paused["meaning"].startswith("the gateway is busy")
    assert 200 < paused["for_s"] <= 300
    assert datetime.fromisoformat(paused["until"]) > datetime.now(UTC)
    assert "Tehran (in " in said
    assert "409, the gateway is busy" in said
    assert findings["pace"]["level"] == "warn"
    assert "409" in findings["pace"]["says"]


def test_refusals_and_pauses_of_the_last_hour_are_counted(command: Command, throttle: Throttle) -> None:
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)

    assert command("pace", "--json").answer["last_hour"] == {"refusals": 1, "pauses": 1}
    assert '1 answers "too many", 1 pauses' in command("pace").out


def test_a_fixed_pace_is_what_it_is_set_to_whatever_else_is_set(command: Command) -> None:
    found = command("pace", "--json", PACE_FIXED="7", PACE_START="9", PACE_MAX="3").answer

    assert (found["rate"], found["max_rate"], found["fixed"]) == (pytest.approx(7, rel=0.02), 7, True)
    assert "fixed by PACE_FIXED" in command("pace", PACE_FIXED="7").out
    assert command("pace", PACE_START="9", PACE_MAX="3").exit == 2


# ── whose pace ──


def calls(found: Mapping[str, Mapping[str, Mapping[str, int]]]) -> int:
    return sum(seen["calls"] for seen in found["lanes"].values())


def test_hosts_behind_one_address_share_a_pace_and_those_behind_another_have_their_own(
    command: Command, throttle: Throttle
) -> None:
    throttle.take(Lane.SEND)

    assert calls(command("pace", "--json").answer) == 1
    elsewhere = command("pace", "--json", PACE_EGRESS="second").answer
    assert (calls(elsewhere), elsewhere["egress"]) == (0, "second")


def test_with_a_name_the_pace_is_found_without_the_key(command: Command, broker_url: str) -> None:
    of_workers(broker_url, "the context").take(Lane.SEND)

    assert calls(command("pace", "--json", PACE_NAME="the context", KAVENEGAR_API_KEY=None).answer) == 1
    nobodys = command("pace", KAVENEGAR_API_KEY=None)
    assert nobodys.exit == 2
    assert "PACE_NAME" in nobodys.sentence


def test_the_label_of_an_account_tells_neither_key_nor_address() -> None:
    label = wiring.account_label("4A6B7C8D9E0F", "Tehran office")
    assert not any(part in label for part in ("4A6B", "Tehran", "office"))
    assert len({label, wiring.account_label("4A6B7C8D9E0F", ""), wiring.account_label("4A6B7C8D9E", "0F")}) == 3


# ── watching ──


def test_a_watch_tells_an_object_a_line_until_ctrl_c(command: Command) -> None:
    watching = command.start("pace", "--watch", "--json")
    assert watching.stdout is not None
    first, second = (json.loads(watching.stdout.readline()) for _ in range(2))

    assert _interrupted(watching) == b"campaigns: interrupted\n"
    assert set(first) == set(second) == KEYS
    assert first["at"] < second["at"]


def test_a_watch_without_a_terminal_is_a_line_a_second(command: Command) -> None:
    watching = command.start("pace", "--watch")
    assert watching.stdout is not None

    assert b"200.00 calls a second, queue 0.0 s, calls in the last minute: none" in watching.stdout.readline()
    _interrupted(watching)


def _interrupted(process: subprocess.Popen[bytes]) -> bytes:
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    return said


# ── campaigns and the pace ──


def test_a_campaign_tells_why_it_waits_in_a_word_a_sentence_and_a_time(
    command: Command, context: Context, engine: Engine, throttle: Throttle
) -> None:
    run_due_work(context)
    campaign = running(engine, 500)
    throttle.report_throttled(throttle.take(Lane.SEND), 409, 300)

    shown = command("show", campaign, "--json").answer["waiting"]
    (listed,) = command("list", "--json").answer

    assert (shown["reason"], listed["waiting"]["reason"]) == ("pace_paused", "pace_paused")
    assert shown["sentence"].startswith("the gateway answered 409, the gateway is busy: all calls pause until ")
    assert datetime.fromisoformat(shown["until"]) > datetime.now(UTC)
    for command_line in (("show", campaign), ("list",)):
        assert "all calls pause until" in " ".join(command(*command_line).out.split())


def test_with_redis_away_everything_but_the_pace_is_still_told(
    command: Command, context: Context, engine: Engine
) -> None:
    run_due_work(context)
    campaign = running(engine, 500)
    nowhere = "redis://127.0.0.1:1/0"

    shown = command("show", campaign, BROKER_URL=nowhere)
    assert shown.exit == 0
    assert "2 requests to leave before its last one; due since" in shown.out
    assert "not known: Redis" in shown.out
    assert command("list", "--json", BROKER_URL=nowhere).answer[0]["waiting"]["until"] is None
    without = command("show", campaign, KAVENEGAR_API_KEY=None)
    assert without.exit == 0
    assert "PACE_NAME" in without.out


def test_a_list_tells_of_each_campaign_that_is_not_over_what_it_waits_for(command: Command, engine: Engine) -> None:
    with engine.begin() as connection:
        waiting, paused = draft(connection, 3), draft(connection, 3)
    command("start", paused)
    command("pause", paused, "--reason", "قیمت اشتباه است")

    reasons = {each["id"]: each["waiting"]["reason"] for each in command("list", "--json").answer}

    assert reasons == {waiting: "draft", paused: "paused"}
    assert "قیمت" in command("list").out
