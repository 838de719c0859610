"""What became of a code, and the call that follows an SMS without good news."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import OtpState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.states import OTP_MOVES
from kavenegar_campaigns.stages.otp.send import Followed, OtpOutcome, follow_otps, send_otp
from kavenegar_campaigns.store import otp_due
from kavenegar_campaigns.store.otp_due import OtpFact
from tests.stages.otp_requests import ordered, state_of, tokens_kept
from tests.world import Sandbox, at, run_due_work

IN_30_S = timedelta(seconds=30)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def sent(context: Context, engine: Engine, **options: object) -> int:
    """One that the gateway has."""
    otp_id = ordered(engine, **options)
    assert send_otp(context, otp_id) is OtpOutcome.ACCEPTED
    return otp_id


def call_of(engine: Engine, otp_id: int) -> campaigns.Otp | None:
    """The call that followed, if one did."""
    call_id = state_of(engine, otp_id).call_id
    return None if call_id is None else state_of(engine, call_id)


def let_pass(context: Context, sandbox: Sandbox, *, seconds: int, step: int = 5) -> None:
    """Time, and a tick every few seconds of it."""
    for _ in range(0, seconds, step):
        sandbox.advance(seconds=step)
        run_due_work(context)


def by_kind(sandbox: Sandbox) -> dict[str, int]:
    """How often the gateway was asked to send, and how many messages it has."""
    summary = sandbox.summary()
    return {"asked": summary["requests"]["verify/lookup"], "messages": summary["messages"]}


def test_an_sms_that_is_not_delivered_is_followed_by_one_call_as_soon_as_that_is_known(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"undelivered": 1.0})
    otp_id = sent(context, engine, call_after=IN_30_S)
    assert tokens_kept(engine) == 1

    let_pass(context, sandbox, seconds=10)

    assert state_of(engine, otp_id).state is OtpState.UNDELIVERED
    call = call_of(engine, otp_id)
    assert call is not None
    assert (call.kind, call.state, call.parent_id) == ("call", OtpState.ACCEPTED, otp_id)
    let_pass(context, sandbox, seconds=60)
    assert by_kind(sandbox) == {"asked": 2, "messages": 2}
    assert tokens_kept(engine) == 0


def test_an_sms_without_a_verdict_is_followed_by_a_call_when_its_time_is_over_and_not_before(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(delivery_s=[86_400, 90_000])
    otp_id = sent(context, engine, call_after=IN_30_S)

    let_pass(context, sandbox, seconds=25)
    assert call_of(engine, otp_id) is None
    let_pass(context, sandbox, seconds=10)

    call = call_of(engine, otp_id)
    assert call is not None
    assert call.state is OtpState.ACCEPTED
    assert call.expires_at == state_of(engine, otp_id).expires_at
    let_pass(context, sandbox, seconds=200, step=20)
    assert by_kind(sandbox) == {"asked": 2, "messages": 2}


def test_an_sms_that_is_delivered_in_time_is_not_followed_by_a_call(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    otp_id = sent(context, engine, call_after=IN_30_S)

    let_pass(context, sandbox, seconds=60)

    assert state_of(engine, otp_id).state is OtpState.DELIVERED
    assert call_of(engine, otp_id) is None
    assert tokens_kept(engine) == 0
    assert by_kind(sandbox) == {"asked": 1, "messages": 1}


def test_a_verdict_that_comes_with_the_answer_is_followed_by_a_call_at_once(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """In the account's debug mode every message is cancelled as it is accepted."""
    sandbox.turn(debug_mode=True)
    otp_id = sent(context, engine, call_after=IN_30_S)
    assert state_of(engine, otp_id).state is OtpState.CANCELLED
    assert state_of(engine, otp_id).call_id is not None


def test_a_call_that_would_come_too_late_is_not_made(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """The SMS left late: by the time the call is due, the code is worth nothing."""
    sandbox.turn(delivery_s=[86_400, 90_000])
    otp_id = ordered(engine, call_after=IN_30_S)
    sandbox.advance(seconds=100)
    send_otp(context, otp_id)

    let_pass(context, sandbox, seconds=40)

    assert state_of(engine, otp_id).state is OtpState.ACCEPTED
    assert call_of(engine, otp_id) is None
    assert tokens_kept(engine) == 0


def test_a_call_follows_also_while_nobody_answers_questions(
    context: Context, engine: Engine, sandbox: Sandbox, closed_port_url: str
) -> None:
    otp_id = sent(context, engine, call_after=IN_30_S)
    sandbox.advance(seconds=31)

    followed = follow_otps(at(context, closed_port_url))

    assert [state_of(engine, otp_id).call_id] == followed.calls
    assert followed.summary == "asked 1, moved 0, calls 1"


def test_two_who_follow_at_once_make_one_call(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    otp_id = sent(context, engine, call_after=IN_30_S)
    sandbox.advance(seconds=31)
    first = context.database(otp_due.create_calls, [otp_id], now=context.now())
    assert len(first) == 1
    assert context.database(otp_due.create_calls, [otp_id], now=context.now()) == []


def test_a_call_that_is_to_follow_needs_digits_when_it_is_ordered(engine: Engine) -> None:
    with pytest.raises(BadInput, match="token2 is not all digits"):
        ordered(engine, token2="AB-12", call_after=IN_30_S)
    with pytest.raises(BadInput, match="within the lifetime"):
        ordered(engine, call_after=timedelta(minutes=3))


def test_without_a_call_to_follow_a_code_is_asked_about_like_any_message(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    otp_id = sent(context, engine)

    let_pass(context, sandbox, seconds=280, step=40)
    assert sandbox.summary()["requests"].get("sms/status", 0) == 0
    sandbox.advance(seconds=30)
    run_due_work(context)

    assert state_of(engine, otp_id).state is OtpState.DELIVERED
    assert follow_otps(context) == Followed()


def test_a_status_that_is_no_longer_known_is_no_verdict_and_the_window_ends_it(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(delivery_s=[864_000, 900_000], status_window_s=60)
    otp_id = sent(context, engine)

    sandbox.advance(minutes=6)
    run_due_work(context)
    known = state_of(engine, otp_id)
    assert (known.state, known.status) == (OtpState.ACCEPTED, 5)

    sandbox.advance(hours=48)
    run_due_work(context)
    over = state_of(engine, otp_id)
    assert (over.state, over.status) == (OtpState.EXPIRED, 5)
    sandbox.advance(hours=1)
    assert follow_otps(context) == Followed()


def test_an_account_that_may_not_even_ask_is_held(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    from kavenegar_campaigns.store import installation

    otp_id = sent(context, engine)
    sandbox.turn(account_code=401)
    sandbox.advance(minutes=6)
    run_due_work(context)
    assert context.database(installation.read).hold is not None
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


@pytest.mark.parametrize("first", sorted(OTP_MOVES[OtpState.ACCEPTED]))
@pytest.mark.parametrize("then", sorted({*OTP_MOVES[OtpState.ACCEPTED], OtpState.ACCEPTED}))
def test_facts_move_a_code_forward_only(
    context: Context, engine: Engine, sandbox: Sandbox, first: OtpState, then: OtpState
) -> None:
    otp_id = sent(context, engine)
    for state in (first, then):
        context.database(otp_due.record_facts, [OtpFact(otp_id, state, 10, None)], now=context.now())
    assert state_of(engine, otp_id).state is (then if then in OTP_MOVES[first] else first)
