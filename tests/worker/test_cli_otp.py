"""`campaigns otp` as a shell sees it."""

from __future__ import annotations

from sqlalchemy import Engine, text

from tests.stages.otp_requests import CODE, NUMBER
from tests.worker.conftest import Command
from tests.world import Sandbox

SEND = ("otp", "send", NUMBER, "--template", "verify")


def test_a_code_given_on_standard_input_is_sent_and_shown_nowhere(command: Command, sandbox: Sandbox) -> None:
    sent = command(*SEND, "--key", "k", "--json", stdin=f"{CODE}\n")
    again = command(*SEND, "--key", "k", "--token", CODE)
    shown = command("otp", "show", "--key", "k")
    by_id = command("otp", "show", sent.answer["id"], "--json")

    assert [each.exit for each in (sent, again, shown, by_id)] == [0, 0, 0, 0]
    assert (sent.answer["state"], sent.answer["cost_rial"]) == ("accepted", 120)
    assert by_id.answer == sent.answer
    assert "accepted" in shown.out
    assert "0912***4567" in shown.out
    printed = "".join(each.out + each.err for each in (sent, again, shown, by_id))
    assert CODE not in printed
    assert NUMBER not in printed
    assert sandbox.summary()["messages"] == 1


def test_a_refusal_ends_with_1_and_says_what_to_do(command: Command) -> None:
    done = command("otp", "send", NUMBER, "--template", "none", "--token", CODE)
    assert done.exit == 1
    assert "424: the template is missing or not approved" in done.out


def test_an_unknown_outcome_ends_with_1_and_says_what_that_means(command: Command, sandbox: Sandbox) -> None:
    sandbox.arm("accept_then_drop", "verify/lookup", count=1)
    done = command(*SEND, "--key", "k", "--token", CODE)
    assert done.exit == 1
    assert "may have arrived" in done.sentence
    shown = command("otp", "show", "--key", "k", "--json")
    assert (shown.exit, shown.answer["state"]) == (1, "unknown")


def test_what_cannot_be_sent_ends_with_2_and_a_sentence_without_the_code(command: Command, engine: Engine) -> None:
    for wrong in (
        ("--token", f"{CODE} {CODE}"),
        ("--token", f"{CODE}x", "--call"),
        ("--token", f"{CODE}x", "--call-after", "30s"),
        ("--token", CODE, "--call-after", "soon"),
        ("--token", CODE, "--call-after", "3m"),
        ("--token", ""),
    ):
        done = command(*SEND, *wrong)
        assert done.exit == 2
        assert CODE not in done.sentence
    assert command("otp", "show", 999).exit == 2
    assert command("otp", "show").exit == 2
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sms.otps")).scalar_one() == 0


def test_a_call_is_made_where_one_is_asked_for(command: Command, sandbox: Sandbox) -> None:
    done = command(*SEND, "--call", "--token", CODE, "--json")
    assert (done.answer["kind"], done.answer["cost_rial"]) == ("call", 900)


def test_the_help_warns_of_the_shells_history(command: Command) -> None:
    assert "shell's history" in command("otp", "send", "--help").out
