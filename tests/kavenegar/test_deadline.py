"""A call ends when its time is up, whatever the other side does meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kavenegar_campaigns.errors import GatewayDown, GatewayError, OutcomeUnknown
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.transport import Fault, FaultKind, Transport, prepare_request
from tests.kavenegar.scripted_server import (
    API_KEY,
    LOCALHOST_PEM,
    Behaviour,
    ScriptedServer,
    envelope,
    http_answer,
    server_context,
)

ROW = {"messageid": 1, "receptor": "09120000001", "sender": "1", "message": "x", "status": 1, "cost": 120}
OK = http_answer(envelope(200, [ROW]), headers="X-Padding: " + "x" * 200 + "\r\n")
HEAD = OK.index(b"\r\n\r\n") + 4
# Time enough for a loaded machine to write a request.
DEADLINE_S = 1.0
# What a loaded machine may add; well below the 9 s and more that each of these servers would take.
GRACE_S = 5.0


def send(client: Client) -> Any:
    return client.send(["09120000001"], "x", sender=None, localids=[1])


def timed(call: Callable[[], Any]) -> tuple[GatewayError | Fault, float]:
    began = time.monotonic()
    with pytest.raises((GatewayError, Fault)) as caught:
        call()
    return caught.value, time.monotonic() - began


SLOW: dict[str, Callable[[ScriptedServer], Behaviour]] = {
    "a byte of the headers at a time": lambda s: s.drip(OK),
    "a byte of the body at a time": lambda s: s.drip(OK, at_once=HEAD),
    "silence before the headers": lambda s: s.hang(),
    "silence in the body": lambda s: s.hang(OK[: HEAD + 5]),
    "an endless row of 100 Continue": lambda s: s.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    "an endless body in chunks": lambda s: s.drip(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 200, at_once=50
    ),
}


@pytest.mark.parametrize("slow", SLOW)
def test_a_slow_answer_ends_at_the_deadline(
    server: ScriptedServer, make_client: Callable[..., Client], slow: str
) -> None:
    server.will(SLOW[slow](server))
    error, took_s = timed(lambda: send(make_client(server.url, deadline_s=DEADLINE_S)))
    assert type(error) is OutcomeUnknown
    assert DEADLINE_S <= took_s < DEADLINE_S + GRACE_S


@pytest.mark.parametrize("slow", ["a byte of the headers at a time", "a byte of the body at a time"])
def test_a_slow_answer_over_tls_ends_at_the_deadline(
    tls_server: ScriptedServer, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(LOCALHOST_PEM))
    tls_server.will(tls_server.answer(200, [ROW]), SLOW[slow](tls_server))
    client = make_client(tls_server.url, deadline_s=2 * DEADLINE_S)
    assert send(client)[0].messageid == 1
    error, took_s = timed(lambda: send(client))
    assert type(error) is OutcomeUnknown
    assert 2 * DEADLINE_S <= took_s < 2 * DEADLINE_S + GRACE_S
    assert [request.connection for request in tls_server.received] == [1, 1]


def test_a_connection_that_was_given_up_is_not_used_again(
    server: ScriptedServer, make_client: Callable[..., Client]
) -> None:
    server.will(server.drip(OK, at_once=HEAD), server.answer(200, [ROW]))
    client = make_client(server.url, deadline_s=2 * DEADLINE_S)
    timed(lambda: send(client))
    assert send(client)[0].messageid == 1
    assert [request.connection for request in server.received] == [1, 2]


def test_an_answer_that_is_slow_but_in_time_is_read(server: ScriptedServer, make_client: Callable[..., Client]) -> None:
    server.will(server.drip(OK, every_s=0.001))
    assert send(make_client(server.url, deadline_s=20))[0].messageid == 1


@pytest.fixture
def deaf_address() -> Iterator[tuple[str, socket.socket]]:
    """A server whose queue of connections is full: it neither takes nor refuses one more."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", listener
        for sock in waiting:
            sock.close()


def test_a_server_that_takes_no_connection_ends_at_the_connect_timeout(
    deaf_address: tuple[str, socket.socket], make_client: Callable[..., Client]
) -> None:
    error, took_s = timed(lambda: send(make_client(deaf_address[0], connect_timeout_s=0.3)))
    assert type(error) is GatewayDown
    assert 0.25 <= took_s < 0.3 + GRACE_S


@pytest.fixture(params=["deaf", "slow", "slow over TLS"])
def reluctant_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with small buffers that reads nothing, or a little at a time: writing to it stalls, or never ends."""
    tls, stopping = request.param.endswith("TLS"), threading.Event()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(LOCALHOST_PEM))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)

        def serve() -> None:
            with (
                contextlib.suppress(OSError),
                listener.accept()[0] as plain,
                server_context().wrap_socket(plain, server_side=True) if tls else plain as sock,
            ):
                while not stopping.wait(0.01) and (request.param == "deaf" or sock.recv(8192)):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http{'s' * tls}://127.0.0.1:{listener.getsockname()[1]}"
        stopping.set()
        thread.join()


def test_a_server_that_will_not_read_ends_at_the_deadline(reluctant_url: str) -> None:
    transport = Transport(reluctant_url, deadline_s=DEADLINE_S, connect_timeout_s=2, pool_size=1)
    error, took_s = timed(lambda: transport.request(prepare_request(reluctant_url), b"x" * 20_000_000))
    transport.close()
    assert isinstance(error, Fault)
    assert error.kind is FaultKind.LOST
    assert DEADLINE_S <= took_s < DEADLINE_S + GRACE_S


def test_a_resolver_that_does_not_answer_is_left_behind() -> None:
    answered = threading.Event()

    def silent(*_: Any, **__: Any) -> list[Any]:
        answered.wait(30)
        return []

    transport = Transport("http://gateway.invalid", deadline_s=30, connect_timeout_s=0.3, pool_size=1, resolver=silent)
    error, took_s = timed(lambda: transport.request(prepare_request("http://gateway.invalid/v1/KEY/x.json"), b""))
    answered.set()
    assert isinstance(error, Fault)
    assert (error.kind, str(error)) == (FaultKind.NOT_SENT, "no connection to the gateway in time")
    assert took_s < 0.3 + GRACE_S


def test_a_name_that_does_not_exist_means_that_nothing_left() -> None:
    def nobody(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    transport = Transport("http://gateway.invalid", deadline_s=20, connect_timeout_s=5, pool_size=1, resolver=nobody)
    error, _ = timed(lambda: transport.request(prepare_request("http://gateway.invalid/v1/KEY/x.json"), b""))
    assert isinstance(error, Fault)
    assert (error.kind, str(error)) == (FaultKind.NOT_SENT, "the gateway's name cannot be resolved")


def test_the_second_address_of_a_name_is_tried_when_the_first_refuses(
    server: ScriptedServer, closed_port_url: str
) -> None:
    ports = [int(url.rpartition(":")[2]) for url in (closed_port_url, server.url)]

    def two(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]

    server.will(server.answer(200, [ROW]))
    transport = Transport("http://gateway.invalid", deadline_s=20, connect_timeout_s=5, pool_size=1, resolver=two)
    assert transport.request(prepare_request("http://gateway.invalid/"), b"").http_status == 200
    transport.close()


@pytest.mark.parametrize("connected", [False, True])
def test_a_process_that_stood_still_after_it_was_in_time_sends_nothing(server: ScriptedServer, connected: bool) -> None:
    """Frozen between the look at its lease and the first byte: by the time it wakes, others may have the batch."""
    server.will(server.answer(200, [ROW]))
    client = Client(API_KEY, server.url, deadline_s=2, connect_timeout_s=2)
    if connected:
        client.status([1])
    before = len(server.received)

    def frozen_then() -> bool:
        time.sleep(2.3)
        return True

    with pytest.raises(GatewayError):
        client.send(["09120000001"], "x", sender=None, localids=[1], in_time=frozen_then)
    assert len(server.received) == before
    client.close()
