"""The gateway's own answers: rows, or the one error that says what to do next."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kavenegar_campaigns.errors import (
    AccountBlocked,
    AnswerUnclear,
    CampaignRefused,
    GatewayDown,
    GatewayError,
    OutcomeUnknown,
    Postpone,
    RecipientRefused,
    RequestRefused,
    TextRefused,
    Throttled,
)
from kavenegar_campaigns.kavenegar.account import AccountInfo
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.codes import RETURN_CODES
from kavenegar_campaigns.kavenegar.sent_messages import MessageStatus, OutboxCount
from tests.kavenegar.calls import (
    NOW,
    NUMBER,
    READS,
    ROW,
    SECRETS,
    SENDS,
    ending,
    everything_shown,
)
from tests.kavenegar.scripted_server import API_KEY, ScriptedServer, envelope

CLASSES = [
    (200, None),
    (402, OutcomeUnknown),
    (409, OutcomeUnknown),
    (503, OutcomeUnknown),
    (411, RecipientRefused),
    (413, TextRefused),
    (419, RequestRefused),
    (412, CampaignRefused),
    (607, CampaignRefused),
    (418, AccountBlocked),
    (451, Throttled),
]


@pytest.mark.parametrize("http_status", [200, 400, 404, 418, 451, 500, 503])
@pytest.mark.parametrize(("code", "expected"), CLASSES)
def test_the_envelope_decides_and_never_the_http_status(
    server: ScriptedServer, client: Client, code: int, expected: type[GatewayError] | None, http_status: int
) -> None:
    server.will(server.answer(code, [ROW] if code == 200 else None, http=http_status))
    if expected is None:
        assert SENDS[0](client)[0].cost == 120
    else:
        error = ending(SENDS[0], client)
        assert type(error) is expected
        assert error.code == code


def test_a_code_above_599_may_stand_in_the_status_line_too(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(607, http=607))
    assert type(ending(SENDS[0], client)) is CampaignRefused


@pytest.mark.parametrize("code", sorted(set(RETURN_CODES) - {200, 449}))
def test_every_code_reaches_the_caller_with_its_number_and_its_advice(
    server: ScriptedServer, client: Client, code: int
) -> None:
    server.will(server.answer(code))
    for call in (SENDS[1], READS[0]):
        error = ending(call, client)
        assert error.code == code
        assert RETURN_CODES[code].advice in str(error)
        if isinstance(error, Postpone):
            assert error.retry_after_s == RETURN_CODES[code].pause_s > 0


def test_the_error_sample_of_the_documentation_is_no_json_and_is_understood(
    server: ScriptedServer, client: Client
) -> None:
    server.will(server.body('{"return": {"status": 404, "message": "متد"}, "entries": {\n null\n }}'.encode(), 404))
    assert type(ending(SENDS[0], client)) is RequestRefused


def test_a_failure_of_the_gateways_own_is_unknown_for_a_send_and_postponed_for_a_read(
    server: ScriptedServer, client: Client
) -> None:
    server.will(server.answer(500), server.answer(500), server.answer(501))
    assert type(ending(SENDS[0], client)) is OutcomeUnknown
    assert type(ending(READS[0], client)) is GatewayDown
    assert type(ending(SENDS[0], client)) is CampaignRefused  # this one has a row of its own


def test_an_undocumented_code_is_quoted_without_numbers(server: ScriptedServer, client: Client) -> None:
    message = f"ارسال به {NUMBER} با {API_KEY} مجاز نیست"
    server.will(server.body(envelope(813, None, message)))
    error = ending(SENDS[0], client)
    assert isinstance(error, AnswerUnclear)
    assert "مجاز نیست" in str(error)
    assert not any(secret in everything_shown(error) for secret in SECRETS)


def test_no_record_is_an_empty_answer_to_a_listing_and_a_refusal_to_a_send(
    server: ScriptedServer, client: Client
) -> None:
    server.will(server.answer(449))
    assert client.status([1]) == client.statuslocalmessageid([1]) == client.select([1]) == client.cancel([1]) == []
    assert client.countoutbox(NOW - 200, NOW - 100) == OutboxCount(0, 0, 0, NOW - 200, NOW - 100)
    assert type(ending(SENDS[0], client)) is CampaignRefused


@pytest.mark.parametrize("entries", [None, [], {}, "text", [{"messageid": None}], [1, 2]])
def test_an_acceptance_without_a_readable_row_is_unknown(
    server: ScriptedServer, client: Client, entries: object
) -> None:
    server.will(server.answer(200, entries))
    assert type(ending(SENDS[0], client)) is OutcomeUnknown
    assert client.status([1]) == []
    assert type(ending(lambda c: c.account_info(), client)) is GatewayDown


def test_rows_come_back_in_the_gateways_order_and_without_the_unreadable(
    server: ScriptedServer, client: Client
) -> None:
    rows = [{"messageid": n, "status": "4", "statustext": "x"} for n in (3, 1, 2)]
    server.will(server.answer(200, [rows[0], {"messageid": "?"}, rows[1], rows[2]]))
    assert client.status([1, 2, 3]) == [MessageStatus(3, 4, "x"), MessageStatus(1, 4, "x"), MessageStatus(2, 4, "x")]


def test_one_object_is_as_good_as_a_list_of_one(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, ROW), server.answer(200, [{"remaincredit": 5, "type": "master", "expiredate": 9}]))
    assert SENDS[0](client)[0].messageid == 1
    assert client.account_info() == AccountInfo(5, "master", 9)


def test_a_compressed_answer_is_read_although_none_was_asked_for(server: ScriptedServer, client: Client) -> None:
    server.will(server.body(gzip.compress(envelope(200, [ROW])), headers="Content-Encoding: gzip\r\n"))
    assert SENDS[0](client)[0].messageid == 1


def test_an_answer_in_chunks_is_read(server: ScriptedServer, client: Client) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, bytes([byte])) for byte in envelope(200, [ROW]))
    server.will(server.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"))
    assert SENDS[0](client)[0].messageid == 1


def test_an_answer_that_ends_with_the_connection_is_read(server: ScriptedServer, client: Client) -> None:
    server.will(server.raw_then_close(b"HTTP/1.0 200 OK\r\n\r\n" + envelope(200, [ROW])))
    assert SENDS[0](client)[0].messageid == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.booleans())
def test_no_bytes_whatever_turn_a_send_into_anything_but_unknown(
    server: ScriptedServer, client: Client, junk: bytes, http_head: bool
) -> None:
    server.script.clear()
    server.will(server.raw_then_close((b"HTTP/1.1 200 OK\r\n" if http_head else b"") + junk))
    assert type(ending(SENDS[0], client)) is OutcomeUnknown
