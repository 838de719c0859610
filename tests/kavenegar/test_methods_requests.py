"""What leaves us: one request a call, in the gateway's words, with every parameter the documentation has."""

from __future__ import annotations

import json
import logging

import pytest

from kavenegar_campaigns.errors import GatewayDown
from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.client import Client
from tests.kavenegar.calls import EVERY, NOW, Asking, ending
from tests.kavenegar.scripted_server import API_KEY, ScriptedServer

A, B = "09120000001", "09120000002"
ANYTHING = {
    "messageid": 1,
    "receptor": A,
    "sender": "10004346",
    "message": "x",
    "status": 1,
    "cost": 120,
    "apilogs": "enabled",
    "unixtime": 5,
    "remaincredit": 7,
    "sumcount": 1,
    "sumpart": 1,
}
ASKED: list[tuple[str, Asking, dict[str, str]]] = [
    (
        "sms/send",
        lambda c: c.send([A, B], "سلام & 100%+", sender="10004346", localids=[11, 12]),
        {"receptor": f"{A},{B}", "message": "سلام & 100%+", "sender": "10004346", "localid": "11,12"},
    ),
    (
        "sms/send",
        lambda c: c.send(
            [A], "x", sender=None, localids=None, date=1999, type=0, hide=True, tag="t-1_B", policy="nightly"
        ),
        {"receptor": A, "message": "x", "date": "1999", "type": "0", "hide": "1", "tag": "t-1_B", "policy": "nightly"},
    ),
    (
        "verify/lookup",
        lambda c: c.lookup(A, "welcome", "852596"),
        {"receptor": A, "template": "welcome", "token": "852596", "type": "sms"},
    ),
    (
        "verify/lookup",
        lambda c: c.lookup(
            *("00974211234565", "welcome", "۱۲"),
            token2="b",
            token3="ج",
            token10="یک دو سه",
            token20="a b",
            type="call",
            tag="otp",
        ),
        {"receptor": "00974211234565", "template": "welcome", "token": "۱۲", "token2": "b", "token3": "ج"}
        | {"token10": "یک دو سه", "token20": "a b", "type": "call", "tag": "otp"},
    ),
    (
        "call/maketts",
        lambda c: c.maketts([A, B], "سلام", localids=[11, 12], date=1999, repeat=0, tag="t"),
        {"receptor": f"{A},{B}", "message": "سلام", "localid": "11,12", "date": "1999", "repeat": "0", "tag": "t"},
    ),
    ("call/maketts", lambda c: c.maketts([A], "سلام", localids=None), {"receptor": A, "message": "سلام"}),
    ("sms/status", lambda c: c.status([5, 6]), {"messageid": "5,6"}),
    ("sms/statuslocalmessageid", lambda c: c.statuslocalmessageid([5, 6]), {"localid": "5,6"}),
    (
        "sms/statusbyreceptor",
        lambda c: c.statusbyreceptor(A, 100, 200),
        {"receptor": A, "startdate": "100", "enddate": "200"},
    ),
    ("sms/statusbyreceptor", lambda c: c.statusbyreceptor(A, 100), {"receptor": A, "startdate": "100"}),
    ("sms/select", lambda c: c.select([5]), {"messageid": "5"}),
    ("sms/cancel", lambda c: c.cancel([5, 6]), {"messageid": "5,6"}),
    (
        "sms/selectoutbox",
        lambda c: c.selectoutbox(NOW - 9, NOW - 5, "2000"),
        {"startdate": f"{NOW - 9}", "enddate": f"{NOW - 5}", "sender": "2000"},
    ),
    ("sms/selectoutbox", lambda c: c.selectoutbox(NOW - 9), {"startdate": f"{NOW - 9}"}),
    ("sms/latestoutbox", lambda c: c.latestoutbox(), {"pagesize": "200"}),
    ("sms/latestoutbox", lambda c: c.latestoutbox(7, "2000"), {"pagesize": "7", "sender": "2000"}),
    ("sms/countoutbox", lambda c: c.countoutbox(NOW - 9), {"startdate": f"{NOW - 9}"}),
    (
        "sms/countoutbox",
        lambda c: c.countoutbox(NOW - 9, NOW - 5, status=1),
        {"startdate": f"{NOW - 9}", "enddate": f"{NOW - 5}", "status": "1"},
    ),
    ("sms/receive", lambda c: c.receive("2000"), {"linenumber": "2000", "isread": "0"}),
    ("sms/receive", lambda c: c.receive("2000", isread=True), {"linenumber": "2000", "isread": "1"}),
    (
        "sms/inboxpaged",
        lambda c: c.inboxpaged("2000", isread=False),
        {"linenumber": "2000", "isread": "0", "pagenumber": "1"},
    ),
    (
        "sms/inboxpaged",
        lambda c: c.inboxpaged("2000", isread=True, start=100, end=200, page=3),
        {"linenumber": "2000", "isread": "1", "startdate": "100", "enddate": "200", "pagenumber": "3"},
    ),
    ("sms/countinbox", lambda c: c.countinbox(NOW - 9), {"startdate": f"{NOW - 9}"}),
    (
        "sms/countinbox",
        lambda c: c.countinbox(NOW - 9, NOW - 5, "2000", isread=False),
        {"startdate": f"{NOW - 9}", "enddate": f"{NOW - 5}", "linenumber": "2000", "isread": "0"},
    ),
    ("line/blocked/list", lambda c: c.blocked_list("2000"), {"linenumber": "2000", "pagenumber": "1"}),
    (
        "line/blocked/list",
        lambda c: c.blocked_list("2000", blockreason=0, start=100, page=2),
        {"linenumber": "2000", "blockreason": "0", "startdate": "100", "pagenumber": "2"},
    ),
    ("line/blocked/add", lambda c: c.blocked_add("2000", [A, B]), {"linenumber": "2000", "receptor": f"{A},{B}"}),
    ("line/blocked/exists", lambda c: c.blocked_exists("2000", [A, B]), {"linenumber": "2000", "receptor": f"{A},{B}"}),
    ("line/blocked/remove", lambda c: c.blocked_remove("2000", [A, B]), {"linenumber": "2000", "receptor": f"{A},{B}"}),
    ("account/info", lambda c: c.account_info(), {}),
    ("account/config", lambda c: c.account_config(), {}),
    ("account/config", lambda c: c.configure(debugmode=False), {"debugmode": "disabled"}),
    (
        "account/config",
        lambda c: c.configure(
            apilogs="justfaults",
            debugmode=True,
            defaultsender="2000",
            mincreditalarm=0,
            resendfailed=True,
            dailyreport=False,
        ),
        {"apilogs": "justfaults", "debugmode": "enabled", "defaultsender": "2000", "mincreditalarm": "0"}
        | {"resendfailed": "enabled", "dailyreport": "disabled"},
    ),
    ("utils/getdate", lambda c: c.getdate(), {}),
]


@pytest.mark.parametrize(("path", "call", "form"), ASKED)
def test_a_method_is_one_form_to_its_path_with_what_was_given_and_no_blank(
    server: ScriptedServer, client: Client, path: str, call: Asking, form: dict[str, str]
) -> None:
    server.will(server.answer(200, [ANYTHING]))
    call(client)
    (request,) = server.received
    assert request.path.partition("?")[0] == f"/v1/{API_KEY}/{path}.json"
    assert request.form == form


def test_every_method_of_the_table_is_asked_for_here_and_in_the_calls() -> None:
    listed = {row.path for row in methods.METHODS}
    assert {path for path, _, _ in ASKED} | {"sms/sendarray"} == listed == set(EVERY)


@pytest.mark.parametrize("path", EVERY)
def test_a_form_is_the_body_of_a_post_so_that_no_url_holds_a_number_or_a_text(
    server: ScriptedServer, client: Client, path: str
) -> None:
    server.will(server.answer(200, [ANYTHING]))
    EVERY[path](client)
    (request,) = server.received
    if path == "line/blocked/remove":
        assert (request.verb, request.body) == ("DELETE", b"")
        assert "content-type" not in request.headers
    else:
        assert (request.verb, "?" in request.path) == ("POST", False)
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_sendarray_speaks_json_arrays_and_leaves_out_what_it_has_not(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [ANYTHING]))
    texts = ["سلام «علی»", 'a"b\\c']
    client.sendarray(
        [A, B], texts, ["10004346", "2000"], [11, 12], date=1999, types=[1, 0], hide=True, tag="t", policy="nightly"
    )
    client.sendarray([A], ["x"], ["2000"], None)
    first, second = (request.form for request in server.received)
    plain = {name: first.pop(name) for name in ("date", "hide", "tag", "policy")}
    assert plain == {"date": "1999", "hide": "1", "tag": "t", "policy": "nightly"}
    assert {name: json.loads(value) for name, value in first.items()} == {
        "receptor": [A, B],
        "message": texts,
        "sender": ["10004346", "2000"],
        "localmessageids": [11, 12],
        "type": [1, 0],
    }
    assert set(second) == {"receptor", "message", "sender"}


def test_the_numbers_in_a_query_are_in_no_log_and_no_error(
    server: ScriptedServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    server.will(server.answer(200, {"message": "Done-removed 1 item from blacklist"}), server.reset())
    with caplog.at_level(logging.DEBUG):
        client.blocked_remove("2000", [A])
        error = ending(lambda c: c.blocked_remove("2000", [A]), client)
    assert type(error) is GatewayDown
    logged = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    assert "/v1/***/line/blocked/remove.json HTTP" in logged
    assert not any(secret in f"{logged} {error!r} {error.__cause__!r}" for secret in (A, API_KEY))


def test_a_client_is_asked_for_nothing_it_was_not_told(server: ScriptedServer, client: Client) -> None:
    """Reading the settings with any parameter would write them."""
    server.will(server.answer(200, {"apilogs": "enabled"}))
    client.account_config()
    assert server.received[0].body == b""
