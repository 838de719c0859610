"""What leaves us: one POST a call, in the gateway's words, within the gateway's limits, on few connections."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from campaigns.kavenegar import methods
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.transport import Transport, prepare
from tests.kavenegar.scripted_server import API_KEY, ScriptedServer
from tests.waiting import PATIENCE_S

ROW = {"messageid": 1, "receptor": "09120000001", "sender": "10004346", "message": "x", "status": 1, "cost": 120}
CONFIG = {"apilogs": "enabled", "unixtime": 5, "remaincredit": 7, "sumcount": 1, "sumpart": 1, "cost": 1}


@pytest.mark.parametrize(
    ("call", "path", "form"),
    [
        (
            lambda c: c.send(["09120000001", "09120000002"], "سلام & 100%+", sender="10004346", localids=[11, 12]),
            "sms/send",
            {
                "receptor": "09120000001,09120000002",
                "message": "سلام & 100%+",
                "sender": "10004346",
                "localid": "11,12",
            },
        ),
        (
            lambda c: c.send(["09120000001"], "x", sender=None, localids=None, date=1999, hide=True, tag="t-1"),
            "sms/send",
            {"receptor": "09120000001", "message": "x", "date": "1999", "hide": "1", "tag": "t-1"},
        ),
        (lambda c: c.status([5, 6]), "sms/status", {"messageid": "5,6"}),
        (lambda c: c.statuslocalmessageid([5, 6]), "sms/statuslocalmessageid", {"localid": "5,6"}),
        (lambda c: c.select([5]), "sms/select", {"messageid": "5"}),
        (lambda c: c.cancel([5, 6]), "sms/cancel", {"messageid": "5,6"}),
        (lambda c: c.countoutbox(100), "sms/countoutbox", {"startdate": "100"}),
        (
            lambda c: c.countoutbox(100, 200, status=1),
            "sms/countoutbox",
            {"startdate": "100", "enddate": "200", "status": "1"},
        ),
        (lambda c: c.account_info(), "account/info", {}),
        (lambda c: c.account_config(), "account/config", {}),
        (lambda c: c.getdate(), "utils/getdate", {}),
    ],
)
def test_a_method_is_one_form_posted_to_its_path(
    server: ScriptedServer, client: Client, call: Callable[[Client], Any], path: str, form: dict[str, str]
) -> None:
    server.will(server.answer(200, [ROW | CONFIG]))
    call(client)
    (request,) = server.received
    assert (request.verb, request.path) == ("POST", f"/v1/{API_KEY}/{path}.json")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (request.form if request.body else {}) == form


def test_sendarray_speaks_json_arrays_and_leaves_out_the_ids_it_has_not(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [ROW]))
    client.sendarray(["09120000001", "09120000002"], ["سلام «علی»", 'a"b\\c'], ["10004346", "2000"], [11, 12])
    client.sendarray(["09120000001"], ["x"], ["2000"], None)
    first, second = (request.form for request in server.received)
    assert {name: json.loads(value) for name, value in first.items()} == {
        "receptor": ["09120000001", "09120000002"],
        "message": ["سلام «علی»", 'a"b\\c'],
        "sender": ["10004346", "2000"],
        "localmessageids": [11, 12],
    }
    assert set(second) == {"receptor", "message", "sender"}


NUMBERS = [f"09{n:09}" for n in range(201)]
IDS = list(range(1, 502))


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.send([], "x", sender=None, localids=None),
        lambda c: c.send(NUMBERS, "x", sender=None, localids=None),
        lambda c: c.sendarray(NUMBERS, ["x"] * 201, ["1"] * 201, None),
        lambda c: c.sendarray(NUMBERS[:2], ["x"], ["1", "1"], None),
        lambda c: c.sendarray(NUMBERS[:2], ["x", "y"], ["1"], None),
        lambda c: c.send(NUMBERS[:2], "x", sender=None, localids=[1]),
        lambda c: c.send(NUMBERS[:2], "x", sender=None, localids=[1, 1]),
        lambda c: c.send(NUMBERS[:2], "x", sender=None, localids=[0, 1]),
        lambda c: c.send(["09120000001", "09120000001"], "x", sender=None, localids=None),
        lambda c: c.send(["09120000001,09120000002"], "x", sender=None, localids=None),
        lambda c: c.status([]),
        lambda c: c.status(IDS),
        lambda c: c.statuslocalmessageid(IDS),
        lambda c: c.select(IDS),
        lambda c: c.cancel(IDS[:201]),
    ],
)
def test_what_the_gateway_forbids_never_leaves_us(
    server: ScriptedServer, client: Client, call: Callable[[Client], Any]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        call(client)
    assert server.received == []


def test_the_largest_requests_allowed_do_leave(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [ROW]))
    client.sendarray(NUMBERS[:200], ["ی" * 900] * 200, ["1"] * 200, IDS[:200])
    client.status(IDS[:500])
    assert json.loads(server.received[0].form["message"]) == ["ی" * 900] * 200
    assert server.received[1].form["messageid"].count(",") == 499


def test_calls_share_one_connection(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [ROW]))
    for _ in range(3):
        client.status([1])
    assert [request.connection for request in server.received] == [1, 1, 1]


def test_a_refusal_does_not_cost_the_connection(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(449), server.answer(200, [ROW]))
    assert client.status([1]) == []
    assert len(client.status([1])) == 1
    assert [request.connection for request in server.received] == [1, 1]


def test_a_connection_that_rested_too_long_is_not_used_again(server: ScriptedServer) -> None:
    server.will(server.answer(200, [ROW]))
    transport = Transport(server.url, deadline_s=20, connect_timeout_s=5, pool_size=2, longest_idle_s=0)
    for _ in range(2):
        assert transport.post(prepare(server.url), b"a=1").http_status == 200
    transport.close()
    assert [request.connection for request in server.received] == [1, 2]


def test_a_connection_the_server_has_closed_is_noticed_before_a_send_is_written(
    server: ScriptedServer, client: Client
) -> None:
    closes_at_once = server.raw_then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    server.will(closes_at_once, server.answer(200, [ROW]))
    with pytest.raises(Exception, match="envelope"):
        client.status([1])
    assert server.hung_up.wait(PATIENCE_S)
    assert client.send(["09120000001"], "x", sender=None, localids=[1])[0].messageid == 1
    assert [request.connection for request in server.received] == [1, 2]


def test_a_redirect_is_not_followed(server: ScriptedServer, client: Client) -> None:
    server.will(server.body(b"", 302, f"Location: {server.url}/elsewhere\r\n"))
    with pytest.raises(Exception, match="HTTP 302"):
        client.status([1])
    assert len(server.received) == 1


def test_neither_cookies_nor_passwords_of_this_machine_are_sent(
    server: ScriptedServer, client: Client, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert requests.utils.get_netrc_auth(server.url) == ("somebody", "secret")
    server.will(server.raw(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    for _ in range(2):
        with pytest.raises(Exception, match="envelope"):
            client.getdate()
    assert all("authorization" not in r.headers and "cookie" not in r.headers for r in server.received)


def test_a_proxy_of_the_environment_is_used(
    server: ScriptedServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    server.will(server.answer(200, [ROW]))
    make_client("http://gateway.invalid").status([1])
    assert server.received[0].path == f"http://gateway.invalid/v1/{API_KEY}/sms/status.json"


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.kavenegar.com",
        "ftp://api.kavenegar.com",
        "https://",
        "https://api.kavenegar.com/v1",
        "https://user:pass@api.kavenegar.com",
        "https://api.kavenegar.com?x=1",
        "https://api.kavenegar.com:99999",
        f"https://{'a' * 64}.com",
    ],
)
def test_a_base_url_that_cannot_work_is_found_at_once(base_url: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the sentences differ, and some are the library's
        Client(API_KEY, base_url)
    assert API_KEY not in repr(caught.value)


@pytest.mark.parametrize("key", ["", "with blank", "line\n", "کلید"])
def test_a_key_that_no_account_has_is_found_at_once_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        Client(key)
    assert not key or key not in str(caught.value)


def test_every_method_is_prepared() -> None:
    listed = {value for value in vars(methods).values() if isinstance(value, methods.Method)}
    assert set(methods.METHODS) == listed
