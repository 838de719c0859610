"""`campaigns account`, `ledger`, `number`, `outbox`: the account and what it sent, from the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.rules.dates import TEHRAN
from kavenegar_campaigns.stages.otp.send import send_otp as run_otp
from tests.waiting import until
from tests.worker.conftest import Command
from tests.world import SENDER, Sandbox, numbers, run_due_work, running


@pytest.fixture
def campaign(context: Context, engine: Engine) -> int:
    """A campaign of five that the gateway has taken."""
    found = running(engine, 5)
    run_due_work(context)
    return found


def test_an_account_that_stands_well_ends_with_0(command: Command) -> None:
    found = command("account", "show", "--json")

    assert found.exit == 0
    assert found.answer["hold"] is None
    assert found.answer["settings"]["debugmode"] is False
    assert found.answer["credit_low"] is False
    assert "default sender  10004346" in command("account", "show").out


def test_debug_mode_ends_with_1_and_is_shouted_wherever_the_account_is_shown(
    command: Command, sandbox: Sandbox
) -> None:
    sandbox.turn(debug_mode=True)

    shown, settings = command("account", "show"), command("account", "config")
    findings = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}

    assert (shown.exit, settings.exit) == (1, 0)
    assert "DEBUG MODE" in shown.out
    assert "DEBUG MODE" in settings.out
    assert findings["debug mode"]["level"] == "bad"


def test_a_setting_is_written_only_when_it_is_named_and_confirmed(command: Command) -> None:
    before = command("account", "config", "--json").answer
    unasked = command("account", "config", "--debug-mode", "on")
    written = command("account", "config", "--debug-mode", "on", "--yes", "--json")

    assert "--yes" in unasked.sentence
    assert unasked.exit == 2
    assert written.answer == {**before, "debugmode": True}
    assert command("account", "config", "--json").answer == written.answer


def test_a_blank_setting_is_refused_with_what_would_be_right(command: Command) -> None:
    before = command("account", "config", "--json").answer
    refused = command("account", "config", "--default-sender", "", "--yes")

    assert refused.exit == 2
    assert "blank" in refused.sentence
    assert command("account", "config", "--json").answer == before


def test_the_ledger_holds_both_counts_side_by_side(command: Command, campaign: int) -> None:
    days = command("ledger", "--json").answer

    assert len(days) == 3
    assert sum(day["ours"]["messages"] for day in days) == 5
    assert all(day["difference"] == {"messages": 0, "parts": 0, "cost_rial": 0} for day in days)
    assert command("ledger").out.count("\n") == 4


def test_the_ledger_and_the_report_say_what_is_estimated(command: Command, campaign: int, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.messages SET cost_rial = NULL WHERE id = (SELECT min(id) FROM sms.messages)")
        )
    printed = command("ledger").out.replace("\n", " ")
    assert (
        "of 1 messages the gateway never told the price; at the average of their kind they are 120 of our 600"
        in printed
    )
    days = command("ledger", "--stored", "--json").answer
    assert {"messages": 1, "rial": 120} in [day["estimated"] for day in days]
    assert command("report", campaign, "--json").answer["unpriced"] == 1
    assert "1 messages whose price the gateway never told" in command("report", campaign).out.replace("\n", " ")


def test_a_ledger_without_the_gateway_says_so(command: Command, campaign: int, closed_port_url: str) -> None:
    said = command("ledger", KAVENEGAR_BASE_URL=closed_port_url)
    assert said.exit == 4
    assert "the gateway did not answer for" in said.out
    assert command("ledger", "--stored", KAVENEGAR_BASE_URL=closed_port_url).exit == 0


def test_the_outbox_says_what_it_could_not_see_and_whose_a_password_is(
    command: Command, campaign: int, engine: Engine, context: Context, sandbox: Sandbox
) -> None:
    sandbox.turn(ip_registered=True)
    with engine.begin() as connection:
        otp = campaigns.order_otp(connection, number=numbers(1)[0], template="verify", token="1234", key="login:1")
    run_otp(context, otp)
    assert command("outbox", "--latest", 10, "--foreign").out == "6 messages, 0 of them not ours\n"
    assert f"one-time password {otp}" in command("outbox", "--latest", 10).out
    panel = Client(sandbox.api_key, sandbox.url)
    at = (context.now() + timedelta(seconds=5)).replace(microsecond=0)
    for first in range(0, 600, 200):
        panel.send(numbers(600)[first : first + 200], "سلام", sender=SENDER, localids=None, date=int(at.timestamp()))
    panel.close()
    until(lambda: context.now() >= at + timedelta(seconds=2), "the second is over")
    day = f"{at.astimezone(TEHRAN):%Y-%m-%d}"

    said = command("outbox", "--day", day, "--foreign")

    assert said.exit == 4
    assert "100 more messages left in this second: the gateway shows 500 of a second" in said.out.replace("\n", " ")
    assert command("outbox", "--day", day, "--json").out.count('"not_shown":100') == 1


def test_a_ledger_that_is_only_read_asks_nobody(command: Command, campaign: int, sandbox: Sandbox) -> None:
    assert command("ledger", "--stored").out == "no day was counted yet\n"
    assert "sms/countoutbox" not in sandbox.summary()["requests"]


def day_of_sending(engine: Engine) -> str:
    """The day in Tehran on which the messages left: today, unless midnight has passed since."""
    with engine.connect() as connection:
        at = connection.execute(text("SELECT min(accepted_at) FROM sms.batches")).scalar_one()
    return f"{at.astimezone(TEHRAN):%Y-%m-%d}"


def test_one_persons_messages_are_told_without_their_number(command: Command, campaign: int, engine: Engine) -> None:
    person, day = numbers(1)[0], day_of_sending(engine)
    found = command("number", f"+98{person[1:]}", "--ask", "--day", day, "--json")
    said = command("number", person, "--ask", "--day", day)

    assert [each["campaign_id"] for each in found.answer["received"]] == [campaign]
    assert len(found.answer["gateway"]) == 1
    assert "1 messages of ours" in said.out
    assert person not in found.out + said.out
    assert command("number", "12").exit == 2


def test_the_outbox_is_told_apart_and_says_what_to_do_where_it_may_not_be_read(
    command: Command, campaign: int, engine: Engine, sandbox: Sandbox
) -> None:
    refused, sent_on = command("outbox"), ("--day", day_of_sending(engine))
    sandbox.turn(ip_registered=True)
    day, latest = command("outbox", *sent_on), command("outbox", "--latest", 3, "--json")

    assert refused.exit == 1
    assert "security settings" in refused.sentence
    assert "5 messages, 0 of them not ours" in day.out
    assert latest.out.count(f'"campaign_id":{campaign}') == 3
    assert command("outbox", "--foreign", *sent_on).out == "5 messages, 0 of them not ours\n"
    assert numbers(1)[0] not in day.out + latest.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--latest", 5, "--day", "2026-12-01"), "contradict"),
        (("--day", "tomorrow"), "such as 2026-12-01"),
        (("--day", "2999-01-01"), "still to come"),
        (("--day", "2020-01-01"), "three days"),
    ],
)
def test_a_day_that_cannot_be_shown_is_said(command: Command, arguments: tuple[str, ...], says: str) -> None:
    refused = command("outbox", *arguments)
    assert refused.exit == 2
    assert says in refused.sentence
