"""Campaigns of calls: the same path as SMS, through call/maketts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.stages.verify import verify_campaign
from kavenegar_sandbox.columns import text_digest
from tests.kavenegar.scripted_server import Behaviour, ScriptedServer, Wire, envelope, http_answer
from tests.world import Sandbox, batch_ids, numbers, run_due_work, states

TARIFF_RIAL = 900
MAKETTS = "call/maketts"


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def _slow_phones(sandbox: Sandbox) -> None:
    """Verdicts take a day, so that what is accepted stays accepted while we look."""
    sandbox.turn(delivery_s=[86_400, 90_000])


slow_phones = pytest.mark.usefixtures("_slow_phones")


def calling(engine: Engine, recipients: Any, words: str = "سلام", **options: Any) -> int:
    """A campaign of calls that runs."""
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=recipients, text=words, kind="voice", **options)
        campaigns.start(connection, campaign)
    return campaign


def from_cities(*runs: tuple[str, int]) -> list[tuple[str, dict[str, str]]]:
    """Recipients in the order of their cities: a city, and how many live there."""
    cities = [city for city, count in runs for _ in range(count)]
    return [(number, {"city": city}) for number, city in zip(numbers(len(cities)), cities, strict=True)]


def called(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Every call that was really made."""
    answer = requests.get(f"{sandbox.url}/_sandbox/ledger/stream", timeout=60)
    lines = [json.loads(line) for line in answer.content.splitlines()]
    assert {line["kind"] for line in lines} <= {"call"}
    return lines


def requests_made(sandbox: Sandbox) -> int:
    found: int = sandbox.summary()["requests"].get(MAKETTS, 0)
    return found


def sizes(engine: Engine, campaign: int) -> list[int]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT last_id - first_id + 1 FROM sms.batches WHERE campaign_id = :id ORDER BY first_id"),
            {"id": campaign},
        )
        return [row[0] for row in rows]


# ── the whole way ──


def test_a_campaign_of_calls_goes_the_whole_way_and_its_record_is_true(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = calling(engine, numbers(250), "یادآوری نوبت فردا " * 20)

    run_due_work(context)
    assert requests_made(sandbox) == 2
    assert len({call["receptor"] for call in called(sandbox)}) == 250
    sandbox.advance(minutes=6)
    for _ in range(3):
        run_due_work(context)

    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    assert report.campaign.state is CampaignState.FINISHED
    assert (report.campaign.kind, report.campaign.sender, report.campaign.parts) == ("voice", "", 250)
    assert report.cost_rial + report.refunded_rial == 250 * TARIFF_RIAL
    assert report.counts["delivered"] > 150
    assert [check.name for check in verify_campaign(context, campaign).checks if check.holds is False] == []


@slow_phones
def test_two_hundred_calls_and_one_row_in_the_answer_are_found_by_our_own_ids_and_nobody_is_called_twice(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(dedupe=False)
    sandbox.arm("missing_rows", MAKETTS, count=1, rows=199)
    campaign = calling(engine, numbers(200))

    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 1, "pending": 199}

    sandbox.advance(seconds=91)
    run_due_work(context)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert (requests_made(sandbox), sandbox.summary()["messages"]) == (1, 200)
    assert sandbox.summary()["requests"]["sms/statuslocalmessageid"] == 1


@slow_phones
def test_an_answer_that_is_an_object_instead_of_a_list_counts_for_one_and_the_others_are_asked_about(
    context: Context, scripted: Context, engine: Engine, server: ScriptedServer, sandbox: Sandbox
) -> None:
    sandbox.turn(dedupe=False)
    server.will(_carried_out_by(sandbox, server))
    campaign = calling(engine, numbers(200))
    (only,) = batch_ids(engine, campaign)

    assert submit.send_batch(scripted, only) is Outcome.UNKNOWN
    assert states(engine, campaign) == {"accepted": 1, "pending": 199}
    assert submit.send_batch(context, only) is Outcome.NOT_DUE

    sandbox.advance(seconds=91)
    run_due_work(context)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert (requests_made(sandbox), sandbox.summary()["messages"]) == (1, 200)


def _carried_out_by(sandbox: Sandbox, server: ScriptedServer) -> Behaviour:
    """The sandbox makes the calls, and of its rows one comes back, as an object: so the documentation shows it."""

    def behave(wire: Wire) -> None:
        form = server.received[-1].form
        made = requests.post(f"{sandbox.url}/v1/{sandbox.api_key}/{MAKETTS}.json", data=form, timeout=60)
        row = made.json()["entries"][117]
        wire.sock.sendall(http_answer(envelope(200, row)))

    return behave


@slow_phones
@pytest.mark.parametrize("fault", ["accept_then_drop", "drop", "bad_json", "http_5xx_html_after"])
def test_whatever_is_lost_on_the_way_everybody_is_called_once(
    context: Context, engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    sandbox.turn(dedupe=False)
    sandbox.arm(fault, MAKETTS, count=1)
    campaign = calling(engine, numbers(200))

    run_due_work(context)
    assert states(engine, campaign) == {"pending": 200}
    sandbox.advance(seconds=91)
    run_due_work(context)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert sandbox.summary()["messages"] == 200


@slow_phones
def test_the_line_that_called_is_whatever_the_gateway_says(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(service_sender="2188776655")
    campaign = calling(engine, numbers(3))
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 3}


# ── refusals ──


@slow_phones
def test_one_bad_number_is_refused_alone_and_the_others_are_called(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(bad_receptors=[numbers(77)[-1]])
    campaign = calling(engine, numbers(200))

    for _ in range(12):
        run_due_work(context)

    assert states(engine, campaign) == {"accepted": 199, "refused": 1}
    assert (sandbox.summary()["messages"], requests_made(sandbox) <= 1 + 2 * 8) == (199, True)


def test_a_text_that_cannot_be_read_out_pauses_the_campaign_that_has_no_other(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(poison_text="سلام")
    campaign = calling(engine, numbers(400))

    run_due_work(context)
    with engine.connect() as connection:
        held = campaigns.get(connection, campaign)
    assert (held.state, held.hold_code) == (CampaignState.PAUSED, 422)
    assert states(engine, campaign) == {"pending": 400}


@slow_phones
def test_a_text_of_some_that_cannot_be_read_out_is_refused_with_one_request_and_the_others_are_called(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(poison_text="شیراز")
    campaign = calling(engine, from_cities(("تهران", 30), ("شیراز", 25), ("یزد", 10)), "سلام به {city}")

    for _ in range(3):
        run_due_work(context)

    assert states(engine, campaign) == {"accepted": 40, "refused": 25}
    assert requests_made(sandbox) == 3


# ── a text of each recipient's own ──


@slow_phones
def test_neighbours_with_the_same_text_share_a_request_and_everybody_hears_their_own(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    recipients = from_cities(("تهران", 230), ("یزد", 3), ("تهران", 1), ("قم", 2))
    campaign = calling(engine, recipients, "سلام به {city}")
    assert sizes(engine, campaign) == [200, 30, 3, 1, 2]

    run_due_work(context)

    assert states(engine, campaign) == {"accepted": 236}
    assert requests_made(sandbox) == 5
    heard = {call["receptor"]: call["text_digest"] for call in called(sandbox)}
    assert heard == {number: text_digest(f"سلام به {values['city']}".encode()) for number, values in recipients}


@slow_phones
def test_texts_that_all_differ_leave_one_by_one(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = calling(engine, [(number, {"code": number[-2:]}) for number in numbers(12)], "کد شما {code}")
    run_due_work(context)
    assert sizes(engine, campaign) == [1] * 12
    assert states(engine, campaign) == {"accepted": 12}


def test_batches_of_one_text_hold_every_message_once_and_follow_one_another(engine: Engine) -> None:
    """Also where a row between them was left out, and where ids of two blocks meet."""
    people: list[Any] = from_cities(*((f"شهر {place % 7}", 1 + place % 450) for place in range(0, 14_400, 240)))
    assert len(people) > 10_000
    people.insert(50, ("0211", {"city": "تهران"}))
    campaign = calling(engine, people, "سلام به {city}")

    with engine.connect() as connection:
        outside = connection.execute(
            text("""
                SELECT count(*) FROM sms.messages AS message
                 WHERE campaign_id = :id AND 1 <> (SELECT count(*) FROM sms.batches AS batch
                        WHERE message.id BETWEEN batch.first_id AND batch.last_id)
            """),
            {"id": campaign},
        ).scalar_one()
        mixed = connection.execute(
            text("""
                SELECT count(*) FROM (SELECT batch.id FROM sms.batches AS batch
                  JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
              GROUP BY batch.id, batch.last_id, batch.first_id, batch.pending
                HAVING count(DISTINCT message.text) > 1 OR count(*) <> batch.last_id - batch.first_id + 1
                    OR count(*) <> batch.pending OR count(*) > 200) AS wrong
            """)
        ).scalar_one()
    assert (outside, mixed) == (0, 0)


# ── made and estimated ──


def test_a_call_is_one_part_however_long_its_text(engine: Engine) -> None:
    words = "سلام " * 100
    assert campaigns.estimate(numbers(3), words, kind="voice").parts == 3
    assert campaigns.estimate(numbers(3), words).parts > 3
    campaign = calling(engine, [(number, {"name": "علی" * 30}) for number in numbers(3)], "سلام {name} جان")
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).parts == 3
        parts = connection.execute(text("SELECT sum(parts) FROM sms.messages")).scalar_one()
    assert parts == 3


def test_pausing_and_cancelling_bite_before_the_next_request(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = calling(engine, numbers(400))
    first, second = batch_ids(engine, campaign)
    submit.send_batch(context, first)
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)
    assert submit.send_batch(context, second) is Outcome.NOT_DUE
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    run_due_work(context)
    assert requests_made(sandbox) == 1
    assert states(engine, campaign)["cancelled"] == 200
