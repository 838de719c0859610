"""A call that brings no answer of the gateway's: only a send can be unknown, and no error tells a secret."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from kavenegar_campaigns.errors import (
    AnswerLost,
    GatewayDown,
    OutcomeUnknown,
)
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.transport import Fault, FaultKind
from tests.kavenegar.calls import (
    CONSUMING,
    EVERY,
    LEFT_WITHOUT_ANSWER,
    NOT_THE_GATEWAY,
    READS,
    SECRETS,
    SENDS,
    Asking,
    ending,
    everything_shown,
)
from tests.kavenegar.scripted_server import API_KEY, ScriptedServer


@pytest.mark.parametrize("call", SENDS)
@pytest.mark.parametrize("fault", [*LEFT_WITHOUT_ANSWER, *NOT_THE_GATEWAY])
def test_a_send_that_left_without_the_gateways_answer_is_unknown_and_is_not_repeated(
    server: ScriptedServer, hasty: Client, call: Asking, fault: str
) -> None:
    server.will((LEFT_WITHOUT_ANSWER | NOT_THE_GATEWAY)[fault](server))
    error = ending(call, hasty)
    assert type(error) is OutcomeUnknown
    assert len(server.received) == 1
    assert not any(secret in everything_shown(error) for secret in SECRETS)


@pytest.mark.parametrize("fault", [*LEFT_WITHOUT_ANSWER, *NOT_THE_GATEWAY])
def test_a_read_without_the_gateways_answer_is_postponed(server: ScriptedServer, hasty: Client, fault: str) -> None:
    server.will((LEFT_WITHOUT_ANSWER | NOT_THE_GATEWAY)[fault](server))
    error = ending(READS[0], hasty)
    assert type(error) is GatewayDown
    assert error.retry_after_s == 5
    assert isinstance(error.__cause__, Fault)
    assert error.__cause__.kind is (FaultKind.LOST if fault in LEFT_WITHOUT_ANSWER else FaultKind.UNUSABLE)
    assert not any(secret in everything_shown(error) for secret in SECRETS)


@pytest.mark.parametrize("path", CONSUMING)
@pytest.mark.parametrize("fault", [*LEFT_WITHOUT_ANSWER, *NOT_THE_GATEWAY])
def test_unread_messages_whose_answer_did_not_come_whole_are_lost_and_not_postponed(
    server: ScriptedServer, hasty: Client, path: str, fault: str
) -> None:
    server.will((LEFT_WITHOUT_ANSWER | NOT_THE_GATEWAY)[fault](server))
    error = ending(CONSUMING[path], hasty)
    assert type(error) is AnswerLost
    assert error.retry_after_s == 5
    assert len(server.received) == 1
    assert not any(secret in everything_shown(error) for secret in SECRETS)


@pytest.mark.parametrize("code", [409, 429, 451, 412, 813])
def test_unread_messages_are_not_lost_where_the_gateway_refused(
    server: ScriptedServer, client: Client, code: int
) -> None:
    server.will(server.answer(code))
    for call in CONSUMING.values():
        error = ending(call, client)
        assert not isinstance(error, AnswerLost)
        assert error.code == code


@pytest.mark.parametrize("call", READS)
def test_every_read_is_postponed_when_the_connection_is_lost(
    server: ScriptedServer, hasty: Client, call: Asking
) -> None:
    server.will(server.reset())
    assert type(ending(call, hasty)) is GatewayDown


@pytest.mark.parametrize("call", EVERY.values())
def test_a_refused_connection_means_that_nothing_left(
    closed_port_url: str, make_client: Callable[..., Client], call: Asking
) -> None:
    error = ending(call, make_client(closed_port_url))
    assert type(error) is GatewayDown
    assert isinstance(error.__cause__, Fault)
    assert error.__cause__.kind is FaultKind.NOT_SENT
    assert not any(secret in everything_shown(error) for secret in SECRETS)


@pytest.mark.parametrize("call", [SENDS[0], READS[0]])
def test_a_server_that_speaks_no_tls_means_that_nothing_left(
    server: ScriptedServer, make_client: Callable[..., Client], call: Asking
) -> None:
    server.will(server.answer(200))
    error = ending(call, make_client(server.url.replace("http:", "https:"), connect_timeout_s=0.3))
    assert type(error) is GatewayDown
    assert isinstance(error.__cause__, Fault)
    assert error.__cause__.kind is FaultKind.NOT_SENT


def test_a_certificate_nobody_vouches_for_means_that_nothing_left(
    tls_server: ScriptedServer, make_client: Callable[..., Client]
) -> None:
    error = ending(SENDS[0], make_client(tls_server.url))
    assert type(error) is GatewayDown
    assert "TLS failed" in str(error)
    assert tls_server.received == []
    assert API_KEY not in everything_shown(error)


def test_a_proxy_that_is_not_there_means_that_nothing_left(
    closed_port_url: str, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", closed_port_url)
        error = ending(SENDS[0], make_client(f"{scheme}://gateway.invalid"))
        assert type(error) is GatewayDown
        assert "proxy" in str(error)
        assert API_KEY not in everything_shown(error)


def test_a_proxy_that_will_not_connect_us_means_that_nothing_left(
    server: ScriptedServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    server.will(server.raw_then_close(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"))
    error = ending(SENDS[0], make_client("https://gateway.invalid"))
    assert type(error) is GatewayDown
    assert API_KEY not in everything_shown(error)
    assert [request.verb for request in server.received] == ["CONNECT"]


def test_a_client_shows_its_gateway_and_not_its_key(client: Client, server: ScriptedServer) -> None:
    assert repr(client) == f"<Client of {server.url}>"
    assert API_KEY not in f"{client} {client!r}"


@pytest.mark.parametrize("fault", ["hangs", "reset in the body", "HTML of a firewall, 403", "broken header"])
def test_no_log_of_any_library_tells_the_key(
    server: ScriptedServer, hasty: Client, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    strange = server.raw_then_close(b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n")
    known = LEFT_WITHOUT_ANSWER | NOT_THE_GATEWAY
    server.will(known[fault](server) if fault in known else strange)
    with caplog.at_level(logging.DEBUG):
        ending(SENDS[0], hasty)
    logged = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    assert "urllib3" in {record.name.partition(".")[0] for record in caplog.records}
    assert not any(secret in logged for secret in SECRETS)
