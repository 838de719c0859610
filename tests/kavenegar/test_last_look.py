"""The lease may end while a connection is made: it is asked again right before the first byte leaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.errors import GatewayError, Postpone
from kavenegar_campaigns.kavenegar.transport import Transport, prepare_request
from tests.kavenegar.scripted_server import LOCALHOST_PEM, ScriptedServer, server_context
from tests.waiting import PATIENCE_S, until


class Lease:
    """Holds until something happens on the way to the server; counts how often it was asked."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.asked = 0

    def in_time(self) -> bool:
        self.asked += 1
        return not self.over.is_set()


class Slow:
    """A server, or a proxy before it, in whose hands a lease ends before the connection is made; keeps what came."""

    def __init__(self, lease: Lease, serve: Callable[[Slow, socket.socket], None]) -> None:
        self.lease = lease
        self.came = b""
        self.done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._serve = serve
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _run(self) -> None:
        with self._listener, suppress(OSError), self._listener.accept()[0] as sock:
            self._serve(self, sock)
        self.done.set()

    def read_all(self, sock: socket.socket) -> None:
        """Everything until the other side closes."""
        with suppress(OSError):
            while data := sock.recv(65_536):
                self.came += data

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def slow_tls(server: Slow, sock: socket.socket) -> None:
    """The handshake ends when the lease is over."""
    server.lease.over.set()
    with server_context().wrap_socket(sock, server_side=True) as secured:
        server.read_all(secured)


def slow_proxy(server: Slow, sock: socket.socket) -> None:
    """A proxy that opens its tunnel when the lease is over, and is itself at the other end of it."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(65_536)
    server.lease.over.set()
    sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with server_context().wrap_socket(sock, server_side=True) as secured:
        server.read_all(secured)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(LOCALHOST_PEM))


@contextmanager
def transport_to(url: str, **options: Any) -> Iterator[Transport]:
    given: dict[str, Any] = {"deadline_s": PATIENCE_S, "connect_timeout_s": PATIENCE_S, "pool_size": 1}
    transport = Transport(url, **given | options)
    yield transport
    transport.close()


@pytest.mark.parametrize("way", ["TLS", "proxy"])
def test_nothing_leaves_when_the_lease_ended_during_the_handshake(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease()
    server = Slow(lease, slow_tls if way == "TLS" else slow_proxy)
    url = f"https://{server.address}"
    if way == "proxy":
        monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
        url = "https://127.0.0.1:1"
    with transport_to(url) as transport, pytest.raises(Postpone):
        transport.request(prepare_request(f"{url}/v1/KEY/sms/send.json"), b"receptor=1", lease.in_time)
    server.join()
    assert (server.came, lease.asked) == (b"", 2)


def test_nothing_leaves_when_the_lease_ended_while_the_name_was_looked_up(server: ScriptedServer) -> None:
    lease, port = Lease(), int(server.url.rpartition(":")[2])
    server.will(server.answer(200, []))

    def slow(*_: Any, **__: Any) -> list[Any]:
        lease.over.set()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    url = "http://gateway.invalid"
    with transport_to(url, resolver=slow) as transport, pytest.raises(Postpone):
        transport.request(prepare_request(f"{url}/v1/KEY/sms/send.json"), b"receptor=1", lease.in_time)
    assert server.hung_up.wait(PATIENCE_S)
    assert (server.received, lease.asked) == ([], 2)


def test_nothing_leaves_when_the_lease_ended_in_a_full_queue_of_connections() -> None:
    """The server neither takes the connection nor refuses it; then it takes it, and the lease has ended."""
    lease = Lease()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        before = [socket.socket() for _ in range(4)]
        for sock in before:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended: list[BaseException] = []

        def ask() -> None:
            with transport_to(url) as transport:
                try:
                    transport.request(prepare_request(f"{url}/v1/KEY/sms/send.json"), b"receptor=1", lease.in_time)
                except GatewayError as why:
                    ended.append(why)

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: lease.asked == 1, "the first look")
        lease.over.set()
        came = b""
        listener.settimeout(0.1)
        while thread.is_alive():
            with suppress(TimeoutError), listener.accept()[0] as taken:
                taken.settimeout(0.1)
                with suppress(TimeoutError):
                    came += taken.recv(65_536)
        thread.join()
        for sock in before:
            sock.close()
    assert [type(why) for why in ended] == [Postpone]
    assert (came, lease.asked) == (b"", 2)


def test_a_deadline_that_passed_while_the_lease_was_asked_about_means_that_nothing_left(server: ScriptedServer) -> None:
    """The last look takes long: the database has to tell its time anew."""
    server.will(server.answer(200, []))
    asked: list[float] = []

    def slow_at_last() -> bool:
        asked.append(steady())
        if len(asked) == 2:
            until(lambda: steady() > asked[0] + 0.5, "the deadline")
        return True

    with transport_to(server.url, deadline_s=0.5) as transport, pytest.raises(Postpone, match="deadline"):
        transport.request(prepare_request(f"{server.url}/v1/KEY/sms/send.json"), b"receptor=1", slow_at_last)
    assert server.hung_up.wait(PATIENCE_S)
    assert (server.received, len(asked)) == ([], 2)


@pytest.mark.parametrize("connected", [False, True])
def test_the_last_look_is_made_on_a_connection_that_was_kept_as_well(server: ScriptedServer, connected: bool) -> None:
    server.will(server.answer(200, []))
    lease = Lease()
    with transport_to(server.url) as transport:
        if connected:
            transport.request(prepare_request(f"{server.url}/v1/KEY/sms/status.json"), b"")
        reply = transport.request(prepare_request(f"{server.url}/v1/KEY/sms/send.json"), b"receptor=1", lease.in_time)
    assert (reply.http_status, lease.asked) == (200, 2)
