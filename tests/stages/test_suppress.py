"""Whoever is suppressed gets nothing from the next batch on, and the report says who and why."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, SuppressionReason
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.verify import verify_campaign
from tests.world import Sandbox, batch_ids, counters, numbers, run_due_work, running, states


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    """One database for all."""
    return emptied


def suppress(engine: Engine, *found: str, **options: str) -> int:
    with engine.begin() as connection:
        return campaigns.suppress(connection, found, **options)


def why(engine: Engine, number: str) -> str | None:
    """Why a number is suppressed."""
    with engine.connect() as connection:
        found = campaigns.suppressed(connection, number)
    return None if found is None else found.reason


def exported(engine: Engine, campaign: int) -> list[dict[str, str]]:
    out = io.StringIO()
    with engine.connect() as connection:
        campaigns.export(connection, campaign, out)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def until_over(context: Context, sandbox: Sandbox, *, rounds: int = 6) -> None:
    for _ in range(rounds):
        run_due_work(context)
        sandbox.advance(minutes=6)


# ── the face ──


def test_numbers_come_in_any_spelling_and_are_suppressed_once(engine: Engine) -> None:
    assert suppress(engine, "0912 000 0001", "+989120000001", "۰۹۱۲۰۰۰۰۰۰۲") == 2
    assert suppress(engine, "9120000001") == 0
    assert why(engine, "00989120000002") == SuppressionReason.MANUAL
    with engine.begin() as connection:
        assert campaigns.unsuppress(connection, ["09120000001", "09120000009"]) == 1
    assert why(engine, "09120000001") is None


def test_one_wrong_number_suppresses_nobody_and_is_not_told_in_full(engine: Engine) -> None:
    with pytest.raises(BadInput) as refusal:
        suppress(engine, "09120000001", "02188776655")
    assert "landline" in str(refusal.value)
    assert "02188776655" not in str(refusal.value)
    assert why(engine, "09120000001") is None


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "two\nlines"])
def test_a_reason_that_no_report_could_show_is_refused(engine: Engine, reason: str) -> None:
    with pytest.raises(BadInput, match="reason"):
        suppress(engine, "09120000001", reason=reason)


def test_it_happens_in_the_callers_transaction(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        campaigns.suppress(connection, ["09120000001"])
        transaction.rollback()
    assert why(engine, "09120000001") is None


# ── a running campaign ──


def test_who_opts_out_between_two_batches_gets_nothing(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    campaign = running(engine, 600)
    first, second, third = batch_ids(engine, campaign)
    assert submit.send_batch(context, first) == "accepted"

    suppress(
        engine, numbers(1)[0], *numbers(300)[298:], reason=SuppressionReason.OPTED_OUT, source="an inbound message"
    )
    submit.send_batch(context, second)
    submit.send_batch(context, third)
    until_over(context, sandbox)

    assert states(engine, campaign) == {"delivered": 598, "suppressed": 2}
    assert sandbox.summary()["messages"] == 598
    with engine.connect() as connection:
        assert counters(connection, campaign) == {"delivered": 598, "suppressed": 2}
        assert campaigns.get(connection, campaign).state == "finished"
        assert campaigns.build_report(connection, campaign).suppressed == {SuppressionReason.OPTED_OUT: 2}
        assert campaigns.build_report(connection, campaign).mean_batch == pytest.approx(598 / 3)
    assert verify_campaign(context, campaign).true


def test_a_campaign_whose_last_batch_is_suppressed_ends_without_a_call(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    campaign = running(engine, 203)
    first, second = batch_ids(engine, campaign)
    submit.send_batch(context, first)
    suppress(engine, *numbers(203)[200:])

    assert submit.send_batch(context, second) == "not due"
    until_over(context, sandbox)

    assert states(engine, campaign) == {"delivered": 200, "suppressed": 3}
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).state == "finished"
        assert campaigns.build_report(connection, campaign).requests["send"] == 1


def test_what_the_gateway_never_saw_is_not_sent_to_whoever_opted_out_meanwhile(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 5)
    (only,) = batch_ids(engine, campaign)
    sandbox.arm("drop", "sms/send")
    assert submit.send_batch(context, only) == "unknown"
    sandbox.disarm()
    suppress(engine, *numbers(2))

    sandbox.advance(minutes=3)
    assert submit.resolve_batch(context, only) == "ready again"
    assert submit.send_batch(context, only) == "accepted"

    assert states(engine, campaign) == {"accepted": 3, "suppressed": 2}
    assert sandbox.summary()["messages"] == 3
    assert verify_campaign(context, campaign).true


# ── verdicts ──


def test_whoever_blocked_us_is_left_out_of_the_next_campaign(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"blocked": 1.0})
    first = running(engine, 3)
    until_over(context, sandbox, rounds=3)
    assert states(engine, first) == {"blocked": 3}

    second = running(engine, 4)
    assert states(engine, second) == {"pending": 1, "suppressed": 3}
    assert why(engine, numbers(1)[0]) == SuppressionReason.BLOCKED


def test_the_fourth_campaign_leaves_out_whom_three_did_not_reach(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"undelivered": 1.0})
    for _ in range(3):
        assert "suppressed" not in states(engine, running(engine, 2))
        until_over(context, sandbox, rounds=3)

    assert states(engine, running(engine, 2)) == {"suppressed": 2}
    assert why(engine, numbers(1)[0]) == SuppressionReason.UNREACHABLE


# ── the report ──


def test_the_report_tells_everybody_who_was_left_out_and_why_even_when_lifted(engine: Engine) -> None:
    known = {"opted_out": numbers(3)[0], "moved abroad": numbers(3)[1], "lifted": numbers(3)[2]}
    suppress(
        engine, known["opted_out"], known["lifted"], reason=SuppressionReason.OPTED_OUT, source="an inbound message"
    )
    suppress(engine, known["moved abroad"], reason="moved abroad")
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.suppressions SET created_at = '2026-11-19T21:00Z'"))
    campaign = running(engine, 4)
    with engine.begin() as connection:
        campaigns.unsuppress(connection, [known["lifted"]])

    outcomes = [(line["state"], line["reason"]) for line in exported(engine, campaign)]

    assert outcomes == [
        ("suppressed", "suppressed: opted out by an inbound message, 2026-11-20"),
        ("suppressed", "suppressed: moved abroad, 2026-11-20"),
        ("suppressed", "suppressed: opted out by an inbound message, 2026-11-20"),
        ("pending", ""),
    ]
    with engine.connect() as connection:
        assert campaigns.build_report(connection, campaign).suppressed == {
            SuppressionReason.OPTED_OUT: 2,
            "moved abroad": 1,
        }


def test_a_suppressed_message_that_the_gateway_has_after_all_is_found_out(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 3)
    run_due_work(context)
    sandbox.advance(seconds=1)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.messages SET state = 'suppressed', gateway_id = NULL, cost_rial = NULL WHERE row_no = 1")
        )
    failed = [check.name for check in verify_campaign(context, campaign).checks if check.holds is False]
    assert "ids at the gateway" in failed
