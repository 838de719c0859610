"""Accepted messages are followed to their verdicts, whatever the gateway's answers look like."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import track
from kavenegar_campaigns.store import installation
from tests.kavenegar.scripted_server import ScriptedServer
from tests.stages.accepted import accepted, calls
from tests.world import SENDER, Sandbox, batch_ids, numbers, run_due_work, states


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def rows(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT id, gateway_id, state, status FROM sms.messages ORDER BY id"))
        return [dict(row) for row in found.mappings()]


def poll_at(engine: Engine, campaign: int) -> list[datetime | None]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT poll_at FROM sms.batches WHERE campaign_id = :id ORDER BY first_id"), {"id": campaign}
        )
        return list(found.scalars())


def test_answers_in_another_order_reach_the_right_messages(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(order="shuffled", fates={"delivered": 0.5, "failed": 0.5})
    accepted(context, engine, 400)
    sandbox.advance(minutes=6)

    assert track.poll_statuses(context).moved == 400

    ours = {(row["id"], row["gateway_id"], row["status"]) for row in rows(engine)}
    ledger = requests.get(f"{sandbox.url}/_sandbox/ledger/stream", timeout=10).text.splitlines()
    theirs = {(int(row["localid"]), row["messageid"], row["status"]) for row in map(json.loads, ledger)}
    assert ours == theirs
    assert {status for *_, status in ours} == {6, 10}


def test_a_message_missing_from_an_answer_is_asked_about_again_and_nothing_else_is(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = accepted(context, engine, 300)
    sandbox.arm("missing_rows", "sms/status", count=1, rows=40)
    sandbox.advance(minutes=6)

    assert track.poll_statuses(context).moved == 260
    assert states(engine, campaign)["accepted"] == 40
    sandbox.advance(minutes=5)
    assert track.poll_statuses(context) == track.Polled(asked=40, moved=40)


def test_a_message_under_way_keeps_its_newest_status_and_is_delivered_later(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(delivery_s=[500, 500], fates={"delivered": 1.0})
    accepted(context, engine, 3)
    assert {row["status"] for row in rows(engine)} == {1}
    sandbox.advance(minutes=6)

    track.poll_statuses(context)
    assert {(row["state"], row["status"]) for row in rows(engine)} == {("accepted", 4)}
    sandbox.advance(minutes=5)
    track.poll_statuses(context)
    assert {(row["state"], row["status"]) for row in rows(engine)} == {("delivered", 10)}


def test_throttled_polls_are_put_off_and_cost_no_round(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = accepted(context, engine, 300)
    sandbox.arm("code", "sms/status", count=1, code=451)
    sandbox.advance(minutes=6)
    before = context.now()

    polled = track.poll_statuses(context)

    assert polled.moved == 0
    assert "451" in polled.trouble
    assert states(engine, campaign) == {"accepted": 300}
    for moment in poll_at(engine, campaign):
        assert moment is not None
        assert moment > before
    with engine.connect() as connection:
        assert connection.execute(text("SELECT DISTINCT poll_no FROM sms.batches")).scalars().all() == [0]
    assert sandbox.summary()["requests"]["sms/status"] == 1
    assert context.pace.view().pauses == 1  # everybody knows


@pytest.mark.parametrize("fault", ["drop", "http_5xx_html_before", "bad_json", "html_200"])
def test_a_poll_without_a_usable_answer_changes_nothing(
    context: Context, engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    campaign = accepted(context, engine, 10)
    sandbox.arm(fault, "sms/status", count=4)
    sandbox.advance(minutes=6)

    assert track.poll_statuses(context).moved == 0

    assert states(engine, campaign) == {"accepted": 10}
    assert {row["status"] for row in rows(engine)} == {1}
    assert all(poll_at(engine, campaign))


def test_a_blocked_account_is_held_and_the_poll_comes_again(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = accepted(context, engine, 10)
    sandbox.advance(minutes=6)
    sandbox.turn(account_code=403)

    track.poll_statuses(context)

    hold = context.database(installation.read).hold
    assert hold is not None
    assert hold.code == 403
    sandbox.turn(account_code=0)
    sandbox.advance(minutes=2)
    track.poll_statuses(context)
    assert "accepted" not in states(engine, campaign)


def test_nothing_due_costs_no_slot_of_the_pace(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    accepted(context, engine, 10)
    before = calls(context)
    assert track.poll_statuses(context).summary == "nothing due"
    assert calls(context) == before


def test_a_batch_is_asked_about_at_the_ages_of_the_schedule(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(context, engine, 10)
    with engine.connect() as connection:
        accepted_at = connection.execute(text("SELECT accepted_at FROM sms.batches")).scalar_one()
    ages = []
    for minutes in (6, 6, 60, 45 * 60 + 50):
        (due,) = poll_at(engine, campaign)
        assert due is not None
        ages.append(due - accepted_at)
        sandbox.advance(minutes=minutes)
        track.poll_statuses(context)
    (closing,) = poll_at(engine, campaign)
    assert ages == list(context.policy.status_polls)
    assert closing == accepted_at + context.policy.status_window


def test_messages_that_the_gateway_held_for_a_date_are_asked_about_by_the_age_since_that_date(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Handed over three days ahead, delivered an hour after their time."""
    sandbox.turn(delivery_s=[3000, 3000], fates={"delivered": 1.0})
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(10), text="سلام", sender=SENDER)
        campaigns.start(connection, campaign, at=context.now() + timedelta(days=3), at_gateway=True)
    run_due_work(context)
    sandbox.advance(days=3, minutes=6)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 10}
    for _ in range(8):
        sandbox.advance(hours=6, minutes=1)
        run_due_work(context)
    assert states(engine, campaign) == {"delivered": 10}


# ── answers that no gateway should give ──


def _answer(server: ScriptedServer, *entries: tuple[int, int]) -> None:
    server.will(
        server.answer(entries=[{"messageid": id_, "status": status, "statustext": ""} for id_, status in entries])
    )


def test_rows_of_strangers_and_doubled_rows_do_no_harm(
    context: Context, scripted: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    campaign = accepted(context, engine, 3)
    ids = [row["gateway_id"] for row in rows(engine)]
    _answer(server, (ids[2], 10), (99, 10), (ids[0], 6), (ids[2], 10), (98, 100))
    sandbox.advance(minutes=6)

    assert track.poll_statuses(scripted).moved == 2

    assert states(engine, campaign) == {"delivered": 1, "failed": 1, "accepted": 1}


def test_no_longer_known_is_never_a_verdict_and_keeps_the_last_status(
    context: Context, scripted: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    campaign = accepted(context, engine, 2)
    ids = [row["gateway_id"] for row in rows(engine)]
    _answer(server, (ids[0], 100), (ids[1], 100))
    sandbox.advance(minutes=6)

    assert track.poll_statuses(scripted).moved == 0

    assert {(row["state"], row["status"]) for row in rows(engine)} == {("accepted", 1)}
    assert all(poll_at(engine, campaign))


@pytest.mark.parametrize("status", [50, 77, 0, 99_999])
def test_a_status_that_nobody_has_documented_is_no_verdict_and_stops_nothing(
    context: Context, scripted: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer, status: int
) -> None:
    campaign = accepted(context, engine, 2)
    ids = [row["gateway_id"] for row in rows(engine)]
    _answer(server, (ids[0], status), (ids[1], 10))
    sandbox.advance(minutes=6)

    track.poll_statuses(scripted)

    assert states(engine, campaign) == {"accepted": 1, "delivered": 1}
    assert batch_ids(engine, campaign)


EMPTY_ANSWERS: dict[str, dict[str, Any]] = {
    "no rows": {"entries": []},
    "no record matches": {"code": 449},
    "rows of strangers": {"entries": [{"messageid": 99, "status": 10, "statustext": ""}]},
}


@pytest.mark.parametrize("answer", EMPTY_ANSWERS)
def test_an_answer_that_tells_nothing_is_asked_for_again_soon_and_costs_no_age_of_the_schedule(
    context: Context, scripted: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer, answer: str
) -> None:
    campaign = accepted(context, engine, 2)
    server.will(server.answer(**EMPTY_ANSWERS[answer]))
    sandbox.advance(minutes=6)
    before = context.now()

    assert track.poll_statuses(scripted).summary == "asked 2, moved 0, the answer told nothing"

    assert states(engine, campaign) == {"accepted": 2}
    (due,) = poll_at(engine, campaign)
    assert due is not None
    assert before + timedelta(seconds=30) <= due <= context.now() + timedelta(seconds=60)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT poll_no FROM sms.batches")).scalars().all() == [0]
    sandbox.advance(minutes=1)
    assert track.poll_statuses(context).moved == 2


def test_a_gateway_that_never_tells_anything_is_asked_more_and_more_seldom(
    context: Context, scripted: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    campaign = accepted(context, engine, 2)
    waits = []
    for age in (timedelta(minutes=6), timedelta(hours=2), timedelta(hours=24)):
        server.will(server.answer(entries=[]))
        sandbox.advance(seconds=(age - sandbox.ahead).total_seconds())
        before = context.now()
        track.poll_statuses(scripted)
        (due,) = poll_at(engine, campaign)
        assert due is not None
        waits.append(due - before)
    assert timedelta(0) < waits[0] < timedelta(minutes=1)
    assert timedelta(minutes=11) < waits[1] < timedelta(minutes=13)
    assert timedelta(hours=2) < waits[2] < timedelta(hours=3)


def test_what_the_gateway_no_longer_knows_is_an_answer_and_waits_for_the_next_age(
    context: Context, scripted: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    campaign = accepted(context, engine, 1)
    (only,) = rows(engine)
    _answer(server, (only["gateway_id"], 100))
    sandbox.advance(minutes=6)
    track.poll_statuses(scripted)
    (due,) = poll_at(engine, campaign)
    assert due is not None
    assert due > context.now() + timedelta(minutes=3)


# ── rounds that stop half-way ──


@pytest.mark.parametrize(("away", "again"), [({"hours": 2}, 200), ({"minutes": 1}, 0)], ids=["outage", "at once"])
def test_a_batch_that_was_half_asked_about_before_an_outage_is_asked_about_whole_after_it(
    context: Context, engine: Engine, sandbox: Sandbox, away: dict[str, int], again: int
) -> None:
    """500 of 600 at six minutes: half of the third batch. Ten minutes and an hour pass before the rest is asked."""
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(context, engine, 600)
    sandbox.advance(minutes=6)
    assert track.poll_statuses(context).asked == 500
    sandbox.advance(**away)
    assert track.poll_statuses(context).asked == (500 if again else 100)
    assert track.poll_statuses(context).asked == again
    assert track.poll_statuses(context).asked == 0
    assert all(at is not None and at > context.now() for at in poll_at(engine, campaign))
