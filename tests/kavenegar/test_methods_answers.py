"""What comes back: every method's answer as the documentation shows it, in all the shapes it comes in."""

from __future__ import annotations

from typing import Any

import pytest

from kavenegar_campaigns.errors import (
    AnswerLost,
    AnswerUnclear,
    CampaignRefused,
    GatewayDown,
    GatewayError,
    OutcomeUnknown,
)
from kavenegar_campaigns.kavenegar import codes, methods
from kavenegar_campaigns.kavenegar.account import (
    AccountConfig,
    AccountInfo,
    BlockedNumber,
    BlockedPage,
    BlockedStatus,
    ServerDate,
)
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.inbox import InboundMessage, InboxCount, InboxPage
from kavenegar_campaigns.kavenegar.sent_messages import (
    CancelStatus,
    LocalStatus,
    MessageStatus,
    OutboxCount,
    ReceptorStatus,
    SentMessage,
)
from kavenegar_campaigns.kavenegar.transport import Fault, FaultKind
from kavenegar_campaigns.rules.suppression import REMOVABLE_BLOCKREASONS
from tests.kavenegar.calls import AN_HOUR_AGO, CONSUMING, EVERY, NUMBER, SENDING, TEXT, ending
from tests.kavenegar.scripted_server import ScriptedServer, envelope

SENT = {
    "messageid": 8792343,
    "message": TEXT,
    "status": 1,
    "statustext": "در صف ارسال",
    "sender": "10004346",
    "receptor": NUMBER,
    "date": 1356619709,
    "cost": 120,
}
STATUS = {"messageid": 85463238, "status": 10, "statustext": "رسیده به گیرنده"}
INBOUND = {"messageid": 35850015, "message": TEXT, "sender": NUMBER, "receptor": "3000202030", "date": 1357206241}
BLOCKED = {"linenumber": "12345", "receptor": NUMBER, "status": "AlreadyExists"}
CONFIG = {
    "apilogs": "justfaults",
    "dailyreport": "disabled",
    "debugmode": "enabled",
    "defaultsender": "10004535",
    "mincreditalarm": "50000",
    "resendfailed": "true",
}

_SENT = SentMessage(8792343, NUMBER, "10004346", TEXT, 1, "در صف ارسال", 1356619709, 120)
_INBOUND = InboundMessage(35850015, TEXT, NUMBER, "3000202030", 1357206241)

# The row of the documentation's sample, and the answer it makes alone.
SAMPLES: dict[str, tuple[dict[str, Any], Any]] = {
    "utils/getdate": ({"datetime": "02/06/2012 01:53:46 ب.ظ", "unixtime": 1338645226}, ServerDate(1338645226)),
    "sms/send": (SENT, [_SENT]),
    "sms/sendarray": (SENT, [_SENT]),
    "verify/lookup": (SENT, _SENT),
    "call/maketts": (SENT, [_SENT]),
    "sms/status": (STATUS, [MessageStatus(85463238, 10, "رسیده به گیرنده")]),
    "sms/statuslocalmessageid": (STATUS | {"localid": "450"}, [LocalStatus(450, 85463238, 10, "رسیده به گیرنده")]),
    "sms/statusbyreceptor": (
        STATUS | {"receptor": NUMBER},
        [ReceptorStatus(85463238, NUMBER, 10, "رسیده به گیرنده")],
    ),
    "sms/select": (SENT, [_SENT]),
    "sms/cancel": (STATUS | {"status": 13}, [CancelStatus(85463238, 13, "رسیده به گیرنده")]),
    "sms/selectoutbox": (SENT, [_SENT]),
    "sms/latestoutbox": (SENT, [_SENT]),
    "sms/countoutbox": (
        {"startdate": 1, "enddate": 1, "sumpart": 45000, "sumcount": 15000, "cost": 5175000},
        OutboxCount(15000, 45000, 5175000, 1, 1),
    ),
    "sms/receive": (INBOUND, InboxPage([_INBOUND], 1)),
    "sms/inboxpaged": (INBOUND, InboxPage([_INBOUND], 1)),
    "sms/countinbox": ({"startdate": 1, "enddate": 1, "sumcount": 15000}, InboxCount(15000, 1, 1)),
    "line/blocked/list": (
        {"number": NUMBER, "blockreason": 0, "date": 0},
        BlockedPage([BlockedNumber(NUMBER, 0, 0)], 1),
    ),
    "line/blocked/add": (BLOCKED, [BlockedStatus("12345", NUMBER, "AlreadyExists")]),
    "line/blocked/exists": (BLOCKED, [BlockedStatus("12345", NUMBER, "AlreadyExists")]),
    "line/blocked/remove": ({"message": "Done-removed 1 item from blacklist"}, "Done-removed 1 item from blacklist"),
    "account/info": (
        {"remaincredit": 1500000, "expiredate": 13548889, "type": "master"},
        AccountInfo(1500000, "master", 13548889),
    ),
    "account/config": (
        CONFIG,
        AccountConfig("justfaults", "10004535", debugmode=True, resendfailed=True, mincreditalarm=50000),
    ),
}
# What an answer without a readable row is, where it is one.
NOTHING: dict[str, Any] = {
    **{path: [] for path in EVERY if isinstance(SAMPLES[path][1], list) and path not in SENDING},
    "sms/countoutbox": OutboxCount(0, 0, 0, AN_HOUR_AGO, AN_HOUR_AGO),
    "sms/countinbox": InboxCount(0, AN_HOUR_AGO, AN_HOUR_AGO),
    "sms/receive": InboxPage([], 0),
    "sms/inboxpaged": InboxPage([], 0),
    "line/blocked/list": BlockedPage([], 0),
    "line/blocked/remove": "",
}


def test_every_method_has_a_sample() -> None:
    assert set(SAMPLES) == {row.path for row in methods.METHODS}


@pytest.mark.parametrize("path", SAMPLES)
def test_the_sample_of_the_documentation_is_read_as_a_list_and_as_an_object(
    server: ScriptedServer, client: Client, path: str
) -> None:
    row, answer = SAMPLES[path]
    server.will(server.answer(200, [row]), server.answer(200, row), server.answer(200, [row, 1, None]))
    for _ in range(3):
        assert EVERY[path](client) == answer


@pytest.mark.parametrize("entries", [None, [], "text"])
@pytest.mark.parametrize("path", NOTHING)
def test_an_answer_without_rows_is_an_answer_of_a_listing(
    server: ScriptedServer, client: Client, path: str, entries: Any
) -> None:
    server.will(server.answer(200, entries), server.answer(449))
    for _ in range(2):
        assert EVERY[path](client) == NOTHING[path]


@pytest.mark.parametrize("path", sorted(set(EVERY) - set(NOTHING)))
def test_an_answer_without_rows_is_none_where_one_was_due(server: ScriptedServer, client: Client, path: str) -> None:
    server.will(server.answer(200, None))
    error = ending(EVERY[path], client)
    assert type(error) is (OutcomeUnknown if path in SENDING else GatewayDown)
    assert isinstance(error.__cause__, Fault)
    assert error.__cause__.kind is FaultKind.UNUSABLE


@pytest.mark.parametrize("path", EVERY)
def test_what_we_have_no_name_for_is_kept_and_changes_nothing(
    server: ScriptedServer, client: Client, path: str
) -> None:
    row, answer = SAMPLES[path]
    server.will(server.answer(200, [row | {"gatewayid": 5, "parts": [1]}]))
    came = EVERY[path](client)
    assert came == answer
    for record in _records(came):
        assert {name: record.extra[name] for name in ("gatewayid", "parts")} == {"gatewayid": 5, "parts": [1]}


@pytest.mark.parametrize("path", sorted(set(EVERY) - {"utils/getdate", "account/config"}))
def test_a_row_that_holds_nothing_more_carries_nothing_more(server: ScriptedServer, client: Client, path: str) -> None:
    server.will(server.answer(200, [SAMPLES[path][0]]))
    assert all(record.extra == {} for record in _records(EVERY[path](client)))


@pytest.mark.parametrize("path", EVERY)
def test_no_record_shows_a_text_or_a_persons_number(server: ScriptedServer, client: Client, path: str) -> None:
    server.will(server.answer(200, [SAMPLES[path][0] | {"copy": f"{NUMBER} {TEXT}"}]))
    shown = repr(EVERY[path](client))
    assert NUMBER not in shown
    assert TEXT not in shown


def _records(answer: Any) -> list[Any]:
    if isinstance(answer, InboxPage):
        return list(answer.messages)
    if isinstance(answer, BlockedPage):
        return list(answer.numbers)
    return [] if isinstance(answer, str) else answer if isinstance(answer, list) else [answer]


# ── codes ──


@pytest.mark.parametrize("method", methods.METHODS, ids=lambda row: row.path)
def test_every_code_that_a_method_can_answer_ends_in_the_error_of_its_row(
    server: ScriptedServer, client: Client, method: methods.Method
) -> None:
    for code in sorted({*method.codes, *methods.COMMON_CODES} - {449}):
        server.script.clear()
        server.will(server.answer(code))
        error = ending(EVERY[method.path], client)
        assert type(error) is codes.return_code(code).for_call(sends=method.sends, consumes=method.consumes)
        assert error.code == code
        assert method.path in str(error)


@pytest.mark.parametrize("path", EVERY)
def test_a_code_nobody_has_documented_stops_and_is_survived(server: ScriptedServer, client: Client, path: str) -> None:
    server.will(server.answer(813, None, http=400))
    error = ending(EVERY[path], client)
    assert type(error) is (AnswerUnclear if path in SENDING else CampaignRefused)
    assert error.code == 813


@pytest.mark.parametrize("path", EVERY)
def test_a_failure_of_the_gateways_own_leaves_open_what_cannot_be_known(
    server: ScriptedServer, client: Client, path: str
) -> None:
    server.will(server.answer(500))
    expected: type[GatewayError] = GatewayDown
    if path in SENDING:
        expected = OutcomeUnknown
    elif path in CONSUMING:
        expected = AnswerLost
    error = ending(EVERY[path], client)
    assert type(error) is expected
    assert error.code == 500


# ── pages ──


def test_the_pages_of_an_answer_come_as_text_before_or_after_its_rows(server: ScriptedServer, client: Client) -> None:
    metadata = b'"metadata": {"totalcount": "201", "currentpage": "1", "totalpages": "2", "pagesize": "200"}'
    before = b"{%b, %b" % (metadata, envelope(200, [INBOUND])[1:])
    after = b"%b, %b}" % (envelope(200, [INBOUND])[:-1], metadata)
    server.will(server.body(before), server.body(after))
    for _ in range(2):
        assert client.inboxpaged("2000", isread=True) == InboxPage([_INBOUND], 1, 201, 1, 2, 200)


@pytest.mark.parametrize("metadata", ["null", "[]", '{"totalcount": "many", "pagesize": null}'])
def test_an_answer_that_says_nothing_about_its_pages_is_read_all_the_same(
    server: ScriptedServer, client: Client, metadata: str
) -> None:
    server.will(server.body(envelope(200, [INBOUND])[:-1] + f', "metadata": {metadata}}}'.encode()))
    assert client.inboxpaged("2000", isread=True) == InboxPage([_INBOUND], 1)


# ── what must not be lost for a detail ──


def test_a_message_from_a_person_needs_nothing_but_its_id(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [{"messageid": "7", "message": None}, {"message": "no id"}, INBOUND]))
    page = client.receive("2000")
    assert page.messages == [InboundMessage(7, "", "", "", 0), _INBOUND]
    assert page.row_count == 3, "the row without an id was handed out too"


def test_a_block_without_a_reason_is_blocked_for_an_unknown_one(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [{"number": NUMBER}, {"number": 9120000002, "blockreason": "2", "date": "5"}]))
    assert client.blocked_list("2000").numbers == [BlockedNumber(NUMBER, 10, 0), BlockedNumber("9120000002", 2, 5)]


@pytest.mark.parametrize(
    ("status", "blocked"), [("Active", True), ("AlreadyExists", True), ("active", True), ("NotExists", False)]
)
def test_whether_a_number_is_blocked_now(status: str, blocked: bool) -> None:
    assert BlockedStatus("2000", NUMBER, status).is_blocked is blocked


def test_only_what_the_panel_or_the_api_blocked_can_be_unblocked() -> None:
    assert set(REMOVABLE_BLOCKREASONS) == {0, 1}


# ── the table ──


def test_every_code_is_one_that_some_method_can_answer_and_the_other_way_round() -> None:
    answered = {*methods.COMMON_CODES, *(code for row in methods.METHODS for code in row.codes)}
    assert answered == set(codes.RETURN_CODES) - {200, 415}, "415 belonged to a method that is gone"


def test_a_method_tells_an_operator_what_it_is_for_and_where_it_stands() -> None:
    assert len(methods.METHODS) == len({row.path for row in methods.METHODS}) == 22
    assert all(row.purpose and row.used_by and ", L" in row.section for row in methods.METHODS)
    assert {row.path for row in methods.METHODS if row.sends} == set(SENDING)
    assert {row.path for row in methods.METHODS if row.consumes} == set(CONSUMING)
