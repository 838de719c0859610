"""Every ending of a one-time password that is sent, and what the record says afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import KeyConflict, OtpState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput, OutcomeUnknown
from kavenegar_campaigns.stages.otp.send import OtpOutcome, send_at_once, send_otp
from kavenegar_campaigns.store import otps
from tests.stages.accepted import calls
from tests.stages.otp_requests import CODE, NUMBER, ordered, otp_request, sent, state_of, tokens_kept
from tests.world import Sandbox, at, run_due_work

pytestmark = pytest.mark.usefixtures("slow_operators")

LOST_ANSWERS = ["accept_then_drop", "http_5xx_html_after", "bad_json", "entries_null", "accept_then_hang"]
LOST_REQUESTS = ["drop", "http_5xx_html_before", "waf"]


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def test_a_code_is_accepted_with_its_id_and_cost_and_its_tokens_are_gone(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    otp_id = ordered(engine)
    assert state_of(engine, otp_id).state is OtpState.WAITING
    assert tokens_kept(engine) == 1

    assert send_otp(context, otp_id) is OtpOutcome.ACCEPTED

    found = state_of(engine, otp_id)
    assert found.state is OtpState.ACCEPTED
    assert found.gateway_id
    assert found.cost_rial == 120
    assert tokens_kept(engine) == 0
    assert sent(sandbox) == 1


def test_a_rolled_back_transaction_orders_nothing(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        campaigns.order_otp(connection, number=NUMBER, template="verify", token=CODE, key="k")
        transaction.rollback()
    with engine.connect() as connection, pytest.raises(campaigns.NotFound):
        campaigns.otp_state(connection, key="k")


def test_the_same_key_is_the_same_password_and_another_number_under_it_is_a_conflict(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    first = ordered(engine)
    assert ordered(engine, number="+98 912 123 4567") == first
    for other in ({"number": "09121234568"}, {"template": "login"}, {"kind": "call"}):
        with pytest.raises(KeyConflict):
            ordered(engine, **other)
    send_otp(context, first)
    assert ordered(engine) == first
    assert send_otp(context, first) is OtpOutcome.NOT_DUE
    assert sent(sandbox) == 1


def test_two_threads_with_one_key_order_and_send_one_password(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    together = Barrier(4)

    def ask(_: int) -> int:
        together.wait(30)
        return send_at_once(context, otp_request(key="login-7")).id

    with ThreadPoolExecutor(4) as threads:
        ids = set(threads.map(ask, range(4)))

    assert len(ids) == 1
    assert sent(sandbox) == 1


def test_a_doubled_ring_and_two_workers_send_once(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    otp_id = ordered(engine)
    with ThreadPoolExecutor(6) as threads:
        outcomes = sorted(threads.map(lambda _: send_otp(context, otp_id), range(6)))
    assert outcomes == [OtpOutcome.ACCEPTED, *[OtpOutcome.NOT_DUE] * 5]
    assert sent(sandbox) == 1


def test_a_ring_that_comes_twice_takes_no_slot_of_the_pace(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    otp_id = ordered(engine)
    send_otp(context, otp_id)
    taken = calls(context)
    assert send_otp(context, otp_id) is OtpOutcome.NOT_DUE
    assert calls(context) == taken


def test_a_key_that_somebody_else_ordered_under_is_told_about_and_left_to_their_ring(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    otp_id = ordered(engine, key="login-1")
    found = send_at_once(context, otp_request(key="login-1"))
    assert (found.id, found.state) == (otp_id, OtpState.WAITING)
    assert sent(sandbox) == 0


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_a_lost_answer_is_told_and_the_code_that_left_is_never_sent_again(
    context: Context, engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    sandbox.arm(fault, "verify/lookup", count=1, seconds=60)

    with pytest.raises(OutcomeUnknown) as caught:
        send_at_once(at(context, sandbox.url, deadline_s=1.0), otp_request(key="login-1"))
    with pytest.raises(OutcomeUnknown):
        send_at_once(context, otp_request(key="login-1"))
    for seconds in (5, 91, 125):
        sandbox.advance(seconds=seconds)
        run_due_work(context)

    with engine.connect() as connection:
        found = campaigns.otp_state(connection, key="login-1")
    assert found.state is OtpState.UNKNOWN
    assert str(found.id) in str(caught.value)
    assert tokens_kept(engine) == 0
    assert sent(sandbox) == 1


@pytest.mark.parametrize("fault", LOST_REQUESTS)
def test_a_request_that_may_have_arrived_is_unknown_also_where_it_did_not(
    context: Context, engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    sandbox.arm(fault, "verify/lookup", count=1)
    otp_id = ordered(engine, call_after=timedelta(seconds=30))

    assert send_otp(context, otp_id) is OtpOutcome.UNKNOWN
    for seconds in (31, 125):
        sandbox.advance(seconds=seconds)
        run_due_work(context)

    assert state_of(engine, otp_id).state is OtpState.UNKNOWN
    assert state_of(engine, otp_id).call_id is None
    assert sent(sandbox) == 0


def test_what_a_worker_held_when_it_died_is_unknown_and_not_sent_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """It may have died before the request, or between the answer and the commit: nobody can tell."""
    otp_id = ordered(engine, lifetime=timedelta(hours=1))
    claim = context.database(otps.claim, otp_id, owner=uuid4(), now=context.now(), lease=context.policy.lease)
    assert claim is not None
    context.gateway.lookup(claim.number, claim.template, claim.tokens["token"])

    run_due_work(context)
    assert state_of(engine, otp_id).state is OtpState.CLAIMED
    sandbox.advance(seconds=121)
    run_due_work(context)
    run_due_work(context)

    assert state_of(engine, otp_id).state is OtpState.UNKNOWN
    assert tokens_kept(engine) == 0
    assert sent(sandbox) == 1


def test_an_answer_that_comes_after_the_lease_still_counts(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    otp_id = ordered(engine)
    claim = context.database(otps.claim, otp_id, owner=uuid4(), now=context.now(), lease=context.policy.lease)
    assert claim is not None
    sandbox.advance(seconds=121)
    run_due_work(context)
    facts = {"gateway_id": 7, "status": 5, "cost_rial": 120, "poll_at": None}

    assert context.database(otps.accept, claim, state=OtpState.ACCEPTED, now=context.now(), **facts)  # type: ignore[arg-type]
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED
    assert state_of(engine, otp_id).settled_at is None


@pytest.mark.parametrize(
    ("knobs", "code", "word"),
    [
        ({"templates": {"other": "%token"}}, 424, "template"),
        ({"templates": {"verify": "no place for it"}}, 432, "template"),
        ({"advanced_service": False}, 426, "advanced"),
        ({"separators_in_tokens": "8"}, 431, "separator"),
        ({"bad_receptors": [NUMBER]}, 411, "number"),
    ],
)
def test_a_refusal_is_told_with_its_code_and_what_to_do(
    context: Context, engine: Engine, sandbox: Sandbox, knobs: dict[str, object], code: int, word: str
) -> None:
    sandbox.turn(**knobs)

    found = send_at_once(context, otp_request())

    assert (found.state, found.refused_code) == (OtpState.REFUSED, code)
    assert word in str(found.advice)
    assert tokens_kept(engine) == 0
    assert sent(sandbox) == 0


@pytest.mark.parametrize("code", [402, 409, 503, 999])
def test_a_code_that_does_not_say_what_was_done_leaves_it_unknown_and_it_is_not_sent_again(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.arm("code", "verify/lookup", count=1, code=code)
    with pytest.raises(OutcomeUnknown):
        send_at_once(context, otp_request(key="login-9"))
    run_due_work(context)
    with engine.connect() as connection:
        assert campaigns.otp_state(connection, key="login-9").state is OtpState.UNKNOWN
    assert tokens_kept(engine) == 0
    assert sandbox.summary()["requests"]["verify/lookup"] == 1


@pytest.mark.parametrize("code", [413, 422, 428, 607, 400])
def test_a_code_without_a_certain_later_ends_the_matter(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.arm("code", "verify/lookup", count=1, code=code)
    found = send_at_once(context, otp_request())
    run_due_work(context)
    assert (found.state, found.refused_code) == (OtpState.REFUSED, code)
    assert sandbox.summary()["requests"]["verify/lookup"] == 1


def test_a_landline_is_called_and_a_number_abroad_is_written_to(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    at_home = send_at_once(context, otp_request(number="021 8877 6655", call_after=timedelta(seconds=30)))
    abroad = send_at_once(context, otp_request(number="+974 211 234 565"))
    assert (at_home.kind, at_home.state) == ("call", OtpState.ACCEPTED)
    assert (abroad.kind, abroad.state, abroad.number) == ("sms", OtpState.ACCEPTED, "00974211234565")
    with pytest.raises(BadInput):
        otp_request(number="02188776655", tokens={"token": "ab12"})


def test_every_token_reaches_the_template(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(
        templates={"verify": "%token %token2 %token3 %token10 %token20"}, poison_text="1 2 3 علی رضایی خانه ی ما"
    )
    tokens = {"token": "1", "token2": "2", "token3": "3", "token10": "علی رضایی", "token20": "خانه ی ما"}
    assert send_at_once(context, otp_request(tokens=tokens)).refused_code == 422


def test_one_is_named_by_its_id_or_its_key(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(BadInput):
        campaigns.otp_state(connection)
