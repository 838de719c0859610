"""The statements of one-time passwords: one row a key, one call an SMS, and no cost that grows with what is over."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.otp_request import OtpKind, OtpRequest, Secret
from kavenegar_campaigns.rules.states import OTP_MOVES, OtpState
from kavenegar_campaigns.store import installation, otp_due, otps
from kavenegar_campaigns.store.otp_due import OtpFact
from tests.store.given import LEASE, NOW
from tests.waiting import until_somebody_waits

SECOND = timedelta(seconds=1)


def otp_request(key: str | None = "k", *, call_after_s: int | None = None) -> OtpRequest:
    return OtpRequest(
        kind=OtpKind.SMS,
        number=Secret("09121234567"),
        template="login",
        tokens={"token": Secret("481516")},
        key=None if key is None else Secret(key),
        tag=None,
        call_after_s=call_after_s,
        lifetime=timedelta(minutes=2),
    )


def made(connection: Connection, **options: Any) -> int:
    return otps.create(connection, otp_request(None, **options), now=NOW)[0]


def accepted(connection: Connection, **options: Any) -> int:
    """One that the gateway has, to be asked about at once."""
    otp_id = made(connection, **options)
    claim = otps.claim(connection, otp_id, owner=uuid4(), now=NOW, lease=LEASE)
    assert claim is not None
    facts: Mapping[str, Any] = {"gateway_id": otp_id, "status": 5, "cost_rial": 120, "poll_at": NOW}
    assert otps.accept(connection, claim, state=OtpState.ACCEPTED, now=NOW, **facts)
    return otp_id


def test_who_orders_under_a_key_in_use_waits_for_the_other_transaction(engine: Engine) -> None:
    """Committed, it is the same; rolled back, there was nothing."""
    for commits in (True, False):
        key = f"key {commits}"

        def second(key: str = key) -> tuple[int, bool]:
            with engine.begin() as connection:
                return otps.create(connection, otp_request(key), now=NOW)

        with ThreadPoolExecutor(1) as thread, engine.connect() as connection:
            transaction = connection.begin()
            first, new = otps.create(connection, otp_request(key), now=NOW)
            assert new
            other = thread.submit(second)
            until_somebody_waits(engine)
            transaction.commit() if commits else transaction.rollback()
            found, made_anew = other.result(60)
        assert (found == first, made_anew) == (commits, not commits)


def test_without_a_key_every_order_is_its_own(connection: Connection) -> None:
    assert made(connection) != made(connection)


def test_only_who_holds_the_claim_decides(connection: Connection) -> None:
    otp_id = made(connection)
    first = otps.claim(connection, otp_id, owner=uuid4(), now=NOW, lease=LEASE)
    assert first is not None
    assert otps.claim(connection, otp_id, owner=uuid4(), now=NOW, lease=LEASE) is None
    assert otps.release(connection, first, due_at=NOW, now=NOW)
    second = otps.claim(connection, otp_id, owner=uuid4(), now=NOW, lease=LEASE)
    assert second is not None
    assert not otps.release(connection, first, due_at=NOW, now=NOW)
    assert not otps.mark_unknown(connection, first, now=NOW)
    assert not otps.refuse(connection, first, code=424, now=NOW)
    assert otps.refuse(connection, second, code=424, now=NOW)
    assert otps.read(connection, otp_id).refused_code == 424


def test_nothing_is_claimed_or_rung_for_while_the_account_is_on_hold(connection: Connection) -> None:
    otp_id = made(connection)
    installation.hold_account(connection, code=418, reason="x", hold_recheck_at=NOW, now=NOW)
    assert not otps.is_due(connection, otp_id, now=NOW)
    assert otps.claim(connection, otp_id, owner=uuid4(), now=NOW, lease=LEASE) is None
    assert otp_due.enqueue_ready(connection, now=NOW, since=NOW, most=9) == []
    installation.release_hold(connection, credit_rial=1, now=NOW)
    assert otps.claim(connection, otp_id, owner=uuid4(), now=NOW, lease=LEASE) is not None


def test_a_row_that_waits_again_has_forgotten_when_it_left(connection: Connection) -> None:
    otp_id = made(connection)
    claim = otps.claim(connection, otp_id, owner=uuid4(), now=NOW, lease=LEASE)
    assert claim is not None
    assert otps.read(connection, otp_id).sent_at == NOW
    otps.release(connection, claim, due_at=NOW + timedelta(hours=1), now=NOW)
    assert otps.read(connection, otp_id).sent_at is None
    assert otp_due.enqueue_ready(connection, now=NOW + timedelta(minutes=1), since=NOW, most=9) == []
    assert otp_due.expire_unsent(connection, now=NOW + timedelta(minutes=2)) == 1


def test_one_just_ordered_is_enqueued_by_the_next_tick_and_not_by_the_one_after_it(connection: Connection) -> None:
    first, second, put_off = made(connection), made(connection), made(connection)
    otps.postpone(connection, put_off, due_at=NOW + SECOND, now=NOW)
    assert otp_due.enqueue_ready(connection, now=NOW, since=NOW - SECOND, most=1) == [first]
    assert otp_due.enqueue_ready(connection, now=NOW, since=NOW - SECOND, most=9) == [second]
    assert otp_due.enqueue_ready(connection, now=NOW + SECOND, since=NOW - SECOND, most=9) == [put_off]
    assert otp_due.enqueue_ready(connection, now=NOW + SECOND, since=NOW, most=9) == [first, second]


def test_one_that_is_sent_at_once_is_left_to_its_thread(connection: Connection) -> None:
    otp_id, _ = otps.create(connection, otp_request(None), now=NOW, at_once=True)
    assert otp_due.enqueue_ready(connection, now=NOW + SECOND, since=NOW - SECOND, most=9) == []
    assert otp_due.enqueue_ready(connection, now=NOW + SECOND, since=NOW, most=9) == [otp_id]


def test_one_that_was_put_off_is_enqueued_when_it_is_due(connection: Connection) -> None:
    otp_id = made(connection)
    assert otp_due.enqueue_ready(connection, now=NOW, since=NOW - SECOND, most=9) == [otp_id]
    otps.postpone(connection, otp_id, due_at=NOW, now=NOW)
    assert otp_due.enqueue_ready(connection, now=NOW, since=NOW - SECOND, most=9) == [otp_id]


@pytest.mark.parametrize("state", sorted(OTP_MOVES[OtpState.ACCEPTED]))
def test_every_verdict_moves_what_was_accepted_and_leaves_no_question(connection: Connection, state: OtpState) -> None:
    otp_id = accepted(connection)
    assert otp_due.record_facts(connection, [OtpFact(otp_id, state, 10, None)], now=NOW) == 1
    found = otps.read(connection, otp_id)
    assert (found.state, found.settled_at) == (state, NOW)
    assert not otp_due.any_poll_due(connection, now=NOW + timedelta(days=3))


def test_what_was_taken_to_be_asked_about_is_due_again_after_the_lease(connection: Connection) -> None:
    otp_id = accepted(connection, call_after_s=30)
    (asked,) = otp_due.claim_polls(connection, now=NOW, lease=LEASE)
    assert (asked.otp_id, asked.gateway_id, asked.call_at) == (otp_id, otp_id, NOW + timedelta(seconds=30))
    assert otp_due.claim_polls(connection, now=NOW + LEASE - SECOND, lease=LEASE) == []
    assert len(otp_due.claim_polls(connection, now=NOW + LEASE, lease=LEASE)) == 1


def test_a_call_carries_what_the_sms_carried_and_only_the_call_holds_it_then(connection: Connection) -> None:
    otp_id = accepted(connection, call_after_s=30)
    assert otp_due.create_calls(connection, [otp_id], now=NOW + 29 * SECOND) == []
    (call_id,) = otp_due.create_calls(connection, [otp_id], now=NOW + 30 * SECOND)
    claim = otps.claim(connection, call_id, owner=uuid4(), now=NOW + 30 * SECOND, lease=LEASE)
    assert claim is not None
    assert (claim.kind, claim.number, claim.template) == (OtpKind.CALL, "09121234567", "login")
    assert claim.tokens == {"token": "481516"}
    assert claim.call_at is None
    kept = connection.execute(text("SELECT id FROM sms.otps WHERE tokens IS NOT NULL")).scalars().all()
    assert kept == [call_id]


def test_nothing_looks_through_what_is_over(connection: Connection) -> None:
    """200,000 that were delivered, and each question of the tick reads an index in which none of them stands."""
    connection.execute(
        text("""
            INSERT INTO sms.otps (kind, number, template, state, due_at, expires_at, sent_at)
            SELECT 'sms', '09121234567', 'login', 'delivered', :now, :now, :now FROM generate_series(1, 200000)
        """),
        {"now": NOW},
    )
    connection.execute(text("ANALYZE sms.otps"))
    otp_id = accepted(connection)
    later = NOW + timedelta(days=1)
    questions = {
        otp_due._ENQUEUE: {"now": later, "since": later, "most": 9},
        otp_due._EXPIRE_LEASES: {"now": later},
        otp_due._EXPIRE_UNSENT: {"now": later},
        otp_due._ANY_POLL_DUE: {"now": later},
        otp_due._CLAIM_POLLS: {"now": later, "lease_ends": later},
        otps._BY_ID: {"id": otp_id},
        otps._BY_KEY: {"key": "k"},
    }
    for question, values in questions.items():
        plan = "\n".join(connection.execute(text(f"EXPLAIN {question.text}"), values).scalars())
        assert "Seq Scan on otps" not in plan, plan
