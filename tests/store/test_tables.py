"""What the tables refuse: one impossible row for every CHECK, so that no statement of ours can write it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from kavenegar_campaigns.rules.batches import EPOCH_SHIFT, ID_BLOCK_SIZE
from kavenegar_campaigns.rules.states import VERDICTS, MessageState
from kavenegar_campaigns.store.database import Database
from tests.store.given import NOW, draft

M = MessageState
KNOWN_TO_GATEWAY = sorted({M.ACCEPTED, *VERDICTS} - {M.CANCELLED})
UNKNOWN_TO_GATEWAY = sorted(set(M) - {*KNOWN_TO_GATEWAY, M.CANCELLED})

CAMPAIGN: dict[str, Any] = {
    "name": "x", "content_digest": b"x", "sender": "10004346", "template": "x", "personal": False, "state": "draft",
    "message_ids": "{[1,2)}", "rows_read": 1, "messages": 1, "duplicates": 0, "rejects": 0, "parts": 1,
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": 7, "campaign_id": 1, "row_no": 1, "parts": 1, "state": "pending", "number": "09121234567"
}  # fmt: skip
BATCH_ROW: dict[str, Any] = {
    "first_id": 1, "last_id": 1, "state": "ready", "due_at": NOW, "pending": 1
}  # fmt: skip
ATTEMPT: dict[str, Any] = {
    "batch_id": 1, "call_id": "00000000-0000-0000-0000-000000000000", "kind": "send", "event": "began",
    "attempt": 1, "messages": 1, "at": NOW,
}  # fmt: skip
PACE: dict[str, Any] = {"label": "x", "rate": 5, "refused": 6, "learnt_at": NOW}
LINE: dict[str, Any] = {"line": "10004346", "every": timedelta(minutes=1), "due_at": NOW, "reconcile_at": NOW}
INBOUND: dict[str, Any] = {
    "gateway_id": 1, "line": "10004346", "number": "09121234567", "text": "x", "received_at": NOW, "via": "receive"
}  # fmt: skip
OTP: dict[str, Any] = {
    "kind": "sms", "number": "09121234567", "template": "login", "tokens": "{}", "state": "waiting",
    "due_at": NOW, "expires_at": NOW,
}  # fmt: skip
EPOCH: dict[str, Any] = {"number": 7, "began_at": NOW, "cause": "test"}
POLLED = {"accepted_at": NOW, "closes_at": NOW}
OWNER = "00000000-0000-0000-0000-000000000001"

# The table, what differs from a row that stands, and the constraint that refuses it.
IMPOSSIBLE: list[tuple[str, dict[str, Any], str]] = [
    ("installation", {"id": 2}, "installation_single_check"),
    ("installation", {"epoch": 0}, "installation_epoch_check"),
    ("installation", {"epoch": 1 << 20}, "installation_epoch_check"),
    ("installation", {"hold_code": 418, "hold_recheck_at": NOW}, "installation_hold_check"),
    ("installation", {"held_since": NOW}, "installation_hold_check"),
    ("installation", {"hold_code": 418, "held_since": NOW}, "installation_hold_recheck_check"),
    ("campaigns", {"state": "asleep"}, "campaigns_state_check"),
    ("campaigns", {"messages": 2}, "campaigns_rows_check"),
    ("campaigns", {"hold_reason": "x"}, "campaigns_hold_check"),
    ("campaigns", {"paused_at": NOW}, "campaigns_paused_check"),
    ("campaigns", {"state": "running"}, "campaigns_started_check"),
    ("campaigns", {"state": "finished", "started_at": NOW}, "campaigns_finished_check"),
    ("campaigns", {"state": "running", "started_at": NOW, "finished_at": NOW}, "campaigns_over_check"),
    ("messages", {"state": "sent"}, "messages_state_check"),
    ("messages", {"id": 0}, "messages_id_check"),
    ("messages", {"id": 2**53}, "messages_id_check"),
    ("messages", {"number": "9121234567"}, "messages_number_check"),
    ("messages", {"number": "091212345678"}, "messages_number_check"),
    ("messages", {"status": 100}, "messages_status_check"),
    ("messages", {"state": "refused"}, "messages_refused_check"),
    ("messages", {"refused_code": 411}, "messages_refused_check"),
    *(("messages", {"state": state}, "messages_known_to_gateway_check") for state in KNOWN_TO_GATEWAY),
    *(
        ("messages", {"state": state, "gateway_id": 1, "refused_code": 411 if state is M.REFUSED else None},
         "messages_unknown_to_gateway_check")
        for state in UNKNOWN_TO_GATEWAY
    ),
    ("batches", {"state": "lost"}, "batches_state_check"),
    ("batches", {"last_id": 201, "pending": 201}, "batches_size_check"),
    ("batches", {"last_id": 0, "pending": 0, "state": "closed"}, "batches_size_check"),
    ("batches", {"pending": 2}, "batches_counts_check"),
    ("batches", {"pending": 2, "delivered": -1}, "batches_not_negative_check"),
    ("batches", {"state": "claimed"}, "batches_lease_check"),
    *(
        ("batches", {"state": state, "pending": 0, "delivered": 1, "lease_owner": OWNER}, "batches_has_work_check")
        for state in ("ready", "claimed", "unknown")
    ),
    *(("batches", {"state": state}, "batches_has_none_check")
      for state in ("accepted", "closed", "refused", "cancelled")),
    ("batches", {"accepted_at": NOW}, "batches_window_check"),
    ("batches", {"closes_at": NOW}, "batches_window_check"),
    ("batches", {"state": "accepted", "pending": 0, "accepted": 1, "poll_at": NOW}, "batches_closes_check"),
    ("batches", {"state": "closed", "pending": 0, "accepted": 1, "poll_at": NOW, **POLLED}, "batches_closed_check"),
    ("batches", {"state": "accepted", "pending": 0, "accepted": 1, **POLLED}, "batches_polled_check"),
    ("batches", {"state": "accepted", "pending": 0, "delivered": 1, "poll_at": NOW, **POLLED}, "batches_polled_check"),
    ("attempts", {"kind": "guess"}, "attempts_kind_check"),
    ("campaigns", {"kind": "letter"}, "campaigns_kind_check"),
    ("campaigns", {"repeat": 1}, "campaigns_repeat_check"),
    ("campaigns", {"repeat": 6, "kind": "voice"}, "campaigns_repeat_check"),
    ("campaigns", {"message_type": 4}, "campaigns_message_type_check"),
    ("lines", {"every": timedelta(0)}, "lines_every_check"),
    ("lines", {"lease_owner": OWNER}, "lines_lease_check"),
    ("lines", {"reconcile_began_at": NOW}, "lines_reconcile_check"),
    ("blocklists", {"page": 1}, "blocklists_page_check"),
    ("blocklists", {"page": 0, "began_at": NOW}, "blocklists_first_page_check"),
    ("inbound", {"via": "pigeon"}, "inbound_via_check"),
    ("inbound", {"next_delivery_at": NOW, "acknowledged_at": NOW}, "inbound_delivery_check"),
    ("otps", {"state": "sent"}, "otps_state_check"),
    ("otps", {"kind": "letter"}, "otps_kind_check"),
    ("otps", {"tokens": None}, "otps_tokens_check"),
    *(("otps", {"state": state}, "otps_erased_check") for state in ("delivered", "unknown", "expired")),
    ("otps", {"state": "refused", "refused_code": 424}, "otps_erased_check"),
    ("otps", {"state": "claimed"}, "otps_lease_check"),
    ("otps", {"lease_owner": OWNER}, "otps_lease_check"),
    ("otps", {"state": "refused", "tokens": None}, "otps_refused_check"),
    ("otps", {"refused_code": 424}, "otps_refused_check"),
    ("installation", {"clock_leapt_at": NOW}, "installation_leap_check"),
    ("identity", {"id": 2}, "identity_single_check"),
    ("epochs", {"number": 2**20}, "epochs_number_check"),
    ("epochs", {"lost_since": NOW}, "epochs_lost_check"),
    ("pace", {"rate": 0}, "pace_rate_check"),
    ("pace", {"refused": 0}, "pace_refused_check"),
]  # fmt: skip
ROWS: dict[str, dict[str, Any]] = {
    "installation": {},
    "campaigns": CAMPAIGN,
    "messages": MESSAGE,
    "batches": BATCH_ROW,
    "attempts": ATTEMPT,
    "lines": LINE,
    "blocklists": {"line": "10004346", "due_at": NOW},
    "inbound": INBOUND,
    "otps": OTP,
    "identity": {},
    "epochs": EPOCH,
    "pace": PACE,
}


ONLY_ROW = ("installation", "identity")


def write(connection: Connection, table: str, row: dict[str, Any]) -> None:
    """Insert a row; of some tables there is one row for ever, so that is changed instead."""
    if table == "batches" and "campaign_id" not in row:
        row = {**row, "campaign_id": draft(connection, 1)}
    names = ", ".join(row)
    if table in ONLY_ROW:
        changes = ", ".join(f"{name} = :{name}" for name in row)
        connection.execute(text(f"UPDATE sms.{table} SET {changes}"), row)
    else:
        values = ", ".join(f"CAST(:{name} AS int8multirange)" if name == "message_ids" else f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO sms.{table} ({names}) VALUES ({values})"), row)


@pytest.mark.parametrize(
    ("table", "differs", "constraint"),
    IMPOSSIBLE,
    ids=[f"{name}-{number}" for number, (*_, name) in enumerate(IMPOSSIBLE)],
)
def test_what_cannot_be_is_refused(
    connection: Connection, table: str, differs: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(IntegrityError) as refusal:
        write(connection, table, {**ROWS[table], **differs})
    assert refusal.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]


@pytest.mark.parametrize("table", [name for name in ROWS if name not in ONLY_ROW])
def test_the_rows_those_differ_from_stand(connection: Connection, table: str) -> None:
    write(connection, table, ROWS[table])


def test_every_check_has_its_impossible_row(connection: Connection) -> None:
    found = connection.execute(
        text("SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'sms'::regnamespace")
    )
    assert set(found.scalars()) == {constraint for *_, constraint in IMPOSSIBLE}


def test_two_campaigns_cannot_have_one_key(connection: Connection) -> None:
    write(connection, "campaigns", {**CAMPAIGN, "client_key": "spring"})
    with pytest.raises(IntegrityError):
        write(connection, "campaigns", {**CAMPAIGN, "client_key": "spring"})


def test_a_message_cannot_stand_in_two_batches_that_both_send(connection: Connection) -> None:
    """Two batches over one range of ids would send every message of it twice."""
    write(connection, "batches", BATCH_ROW)
    with pytest.raises(IntegrityError):
        write(connection, "batches", BATCH_ROW)


def test_the_blocks_of_one_epoch_cannot_run_over_into_the_ids_of_the_next(connection: Connection) -> None:
    last = connection.execute(
        text("SELECT max_value FROM pg_sequences WHERE schemaname = 'sms' AND sequencename = 'message_id_blocks'")
    ).scalar_one()
    assert (last + 1) * ID_BLOCK_SIZE <= 1 << EPOCH_SHIFT


def test_an_error_of_the_database_tells_neither_a_number_nor_a_text(engine: Engine) -> None:
    """PostgreSQL shows the failing row in its DETAIL, and a traceback shows that to everybody."""
    with engine.begin() as connection:
        draft(connection, 1, recipients=[("09121234567", {"name": "محرمانه"})], text="متن {name}")

    def spoil(connection: Connection) -> None:
        connection.execute(text("UPDATE sms.messages SET status = 100"))

    with pytest.raises(IntegrityError) as refusal:
        Database(engine)(spoil)
    message = f"{refusal.value} {refusal.value.orig!r}"
    assert "messages_status_check" in message
    assert "محرمانه" not in message
    assert "09121234567" not in message
