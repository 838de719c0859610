"""How requests leave us: on few connections, once, by the way this machine is told, and with no more than ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.transport import Transport, prepare_request
from tests.kavenegar.scripted_server import API_KEY, ScriptedServer
from tests.waiting import PATIENCE_S

ROW = {"messageid": 1, "receptor": "09120000001", "sender": "10004346", "message": "x", "status": 1, "cost": 120}


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
    transport = Transport(server.url, deadline_s=20, connect_timeout_s=5, pool_size=2, max_idle_s=0)
    for _ in range(2):
        assert transport.request(prepare_request(server.url), b"a=1").http_status == 200
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
