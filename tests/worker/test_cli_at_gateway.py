"""A campaign for later, as an operator sees and steers it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kavenegar_campaigns.context import Context
from tests.worker.conftest import Command
from tests.world import Sandbox, run_due_work


def later(context: Context, hours: int) -> str:
    return (context.now() + timedelta(hours=hours)).replace(microsecond=0).isoformat()


def test_the_time_of_a_scheduled_campaign_is_changed_by_starting_it_again(
    command: Command, context: Context, sandbox: Sandbox, recipients: Path
) -> None:
    command("create", recipients, "--text", "سلام", "--at", later(context, 20), "--start")
    changed = command("start", 1, "--at", later(context, 2), "--json").answer
    assert (changed["state"], changed["at_gateway"], changed["held_by_gateway"]) == ("scheduled", False, 0)
    assert command("start", 1, "--json").answer["start_at"] == changed["start_at"]

    sandbox.advance(hours=1)
    run_due_work(context)
    assert sandbox.summary()["messages"] == 0
    sandbox.advance(hours=1, seconds=1)
    run_due_work(context)
    assert sandbox.summary()["messages"] == command("show", 1, "--json").answer["messages"]


def test_a_scheduled_campaign_begins_at_once_when_it_is_told_to(
    command: Command, context: Context, sandbox: Sandbox, recipients: Path
) -> None:
    command("create", recipients, "--text", "سلام", "--at", later(context, 20), "--start")
    assert command("start", 1, "--now", "--at", later(context, 1)).exit == 2
    assert command("start", 1, "--now", "--json").answer["state"] == "running"
    run_due_work(context)
    assert sandbox.summary()["messages"] > 0


@pytest.mark.parametrize(("kind", "tariff_rial"), [((), 120), (("--voice",), 900)], ids=["sms", "voice"])
def test_pausing_says_what_the_gateway_holds_and_cancelling_what_came_back(
    command: Command, context: Context, recipients: Path, kind: tuple[str, ...], tariff_rial: int
) -> None:
    created = command(
        "create", recipients, "--text", "سلام", *kind, "--at", later(context, 8), "--start", "--at-gateway"
    )
    assert created.exit == 0
    run_due_work(context)
    held = command("show", 1, "--json").answer["counts"]["accepted"]
    assert held > 0

    paused = command("pause", 1)
    assert f"{held} messages are at the gateway already" in paused.out
    assert "only `campaigns cancel 1` withdraws them" in paused.out
    assert f"{held} messages are at the gateway already" in command("show", 1).out
    assert command("resume", 1, "--json").answer["held_by_gateway"] == held

    cancelled = command("cancel", 1, "--yes")
    assert "unless they are withdrawn in time" in cancelled.out
    run_due_work(context)
    run_due_work(context)
    sentence = f"{held} messages at the gateway, {held * tariff_rial:,} rial refunded"
    assert sentence in command("show", 1).out
    assert sentence in command("report", 1).out
    for answer in (command("show", 1, "--json").answer, command("report", 1, "--json").answer):
        assert (answer["withdrawn"], answer["withdrawn_rial"]) == (held, held * tariff_rial)


def test_the_gateway_is_not_asked_to_hold_a_campaign_that_has_no_time(command: Command, recipients: Path) -> None:
    said = command("create", recipients, "--text", "سلام", "--start", "--at-gateway")
    assert said.exit == 2
    assert "no time" in said.sentence
    assert command("list", "--json").answer == []
