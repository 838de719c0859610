"""The gateway misbehaves in one way while it is asked. It drops no repeats, so that a wrong conclusion would show."""

from __future__ import annotations

from typing import Any, Final

import pytest
from sqlalchemy import Engine

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import submit, track
from kavenegar_campaigns.stages.submit import Outcome
from tests.chaos.tampering import Change, Row, tampered
from tests.chaos.workshop import to_the_end
from tests.world import Sandbox, at, batch_ids, run_due_work, running, states

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


BROKEN_ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "drop": {},
    "accept_then_drop": {},
    "http_5xx_html_before": {"status": 503},
    "http_5xx_html_after": {"status": 500},
    "html_200": {},
    "waf": {"status": 429},
    "bad_json": {},
    "entries_null": {},
    "missing_rows": {"rows": 70},
    "duplicate_rows": {"rows": 70},
    "code": {"code": 503},
    "drip": {},
    "late_accept": {"seconds": 0.6},
}
DEADLINE_S: Final = 0.4


@pytest.mark.parametrize("kind", BROKEN_ANSWERS)
def test_a_broken_answer_about_unknown_messages_sends_none_of_them_again(
    context: Context, engine: Engine, sandbox: Sandbox, kind: str
) -> None:
    running(engine, 200)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    run_due_work(context)
    sandbox.arm(kind, "sms/statuslocalmessageid", count=4, **BROKEN_ANSWERS[kind])

    found = to_the_end(at(context, sandbox.url, deadline_s=DEADLINE_S), engine, sandbox)

    assert found.broken == ()
    assert found.sent == 200
    assert sandbox.summary()["requests"]["sms/send"] == 1


@pytest.mark.parametrize("kind", BROKEN_ANSWERS)
def test_a_broken_answer_about_accepted_messages_is_asked_for_again(
    context: Context, engine: Engine, sandbox: Sandbox, kind: str
) -> None:
    campaign = running(engine, 200)
    sandbox.arm(kind, "sms/status", count=2, **BROKEN_ANSWERS[kind])

    found = to_the_end(at(context, sandbox.url, deadline_s=DEADLINE_S), engine, sandbox)

    assert found.broken == ()
    assert "expired" not in states(engine, campaign)


def _about_other_ids(rows: list[Row]) -> list[Row]:
    return [{**row, "localid": str(int(row["localid"]) + 1_000_000)} for row in rows]


def _one_about_another_id(rows: list[Row]) -> list[Row]:
    return [{**rows[0], "localid": str(int(rows[0]["localid"]) + 1_000_000)}, *rows[1:]]


def _known_but_without_an_id(rows: list[Row]) -> list[Row]:
    return [{**row, "messageid": 0} for row in rows]


def _unreadable(rows: list[Row]) -> list[Row]:
    return [{**row, "status": "؟"} for row in rows]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (_about_other_ids, Outcome.PUT_OFF),
        (_one_about_another_id, Outcome.RESOLVED),  # that one is asked about again, and then told of
        (_known_but_without_an_id, Outcome.PUT_OFF),
        (_unreadable, Outcome.PUT_OFF),
    ],
)
def test_an_answer_that_does_not_say_never_seen_sends_nothing_again(
    context: Context, engine: Engine, sandbox: Sandbox, change: Change, outcome: Outcome
) -> None:
    campaign = running(engine, 200)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    run_due_work(context)
    sandbox.advance(seconds=91)

    with tampered(sandbox.url, "sms/statuslocalmessageid", change) as url:
        (batch,) = batch_ids(engine, campaign)
        assert submit.resolve_batch(at(context, url), batch) is outcome

    found = to_the_end(context, engine, sandbox)
    assert found.broken == ()
    assert found.sent == 200


def _forgotten(rows: list[Row]) -> list[Row]:
    return [{**row, "status": 100} for row in rows]


def _of_others(rows: list[Row]) -> list[Row]:
    return [{**row, "messageid": row["messageid"] + 1, "status": 6} for row in rows[:1]]


def _back_in_the_queue(rows: list[Row]) -> list[Row]:
    return [{**row, "status": 1} for row in rows]


def _of_no_known_kind(rows: list[Row]) -> list[Row]:
    return [{**row, "status": 77} for row in rows]


@pytest.mark.parametrize("change", [_forgotten, _of_others, _back_in_the_queue, _of_no_known_kind])
def test_a_status_that_is_no_verdict_changes_none(
    context: Context, engine: Engine, sandbox: Sandbox, change: Change
) -> None:
    campaign = running(engine, 200)
    run_due_work(context)
    sandbox.advance(minutes=6)

    with tampered(sandbox.url, "sms/status", change) as url:
        track.poll_statuses(at(context, url))
    assert states(engine, campaign) == {"accepted": 200}

    assert to_the_end(context, engine, sandbox).broken == ()
