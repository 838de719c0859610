"""What a request that was given up leaves behind in the kernel, on a machine whose network works."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Final

import pytest

from kavenegar_campaigns.errors import OutcomeUnknown
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.transport import Fault, FaultKind, Transport, prepare_request
from tests.kavenegar.scripted_server import LOCALHOST_PEM, ScriptedServer, Wire, server_context
from tests.waiting import PATIENCE_S

ROW = {"messageid": 1, "receptor": "09120000001", "sender": "1", "message": "x", "status": 1, "cost": 120}
DEADLINE_S: Final = 60.0
DROPS: Final = struct.pack("ii", 1, 0)
KEEPS: Final = struct.pack("ii", 0, 0)

user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)
on_linux = pytest.mark.skipif(user_timeout is None, reason="this system's TCP has no TCP_USER_TIMEOUT")


def sockets_to(port: int) -> list[socket.socket]:
    """The open sockets of this process that are connected to a port of this machine."""
    found = []
    for each in gc.get_objects():
        if issubclass(type(each), socket.socket):  # isinstance would ask the lazy objects of frameworks what they are
            with suppress(OSError):
                if each.getpeername()[1] == port:
                    found.append(each)
    return found


def linger(sock: socket.socket) -> bytes:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)


class Proxy:
    """Opens one tunnel to wherever it is asked; `tls`: the way to it is TLS as well."""

    def __init__(self, *, tls: bool) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _serve(self) -> None:
        with ExitStack() as stack, suppress(OSError):
            near = stack.enter_context(self._listener.accept()[0])
            if self._tls:
                near = stack.enter_context(server_context().wrap_socket(near, server_side=True))
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(65_536)
            host, _, port = head.split()[1].decode().rpartition(":")
            far = stack.enter_context(socket.create_connection((host, int(port))))
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(far, near), daemon=True)
            back.start()
            _copy(near, far)
            back.join(PATIENCE_S)

    def stop(self) -> None:
        self._listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


WAYS = ("plain", "TLS", "TLS through a proxy", "TLS through a proxy behind TLS")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ScriptedServer, int]]:
    """A server, and the port that our own connection leads to."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(LOCALHOST_PEM))
    server = ScriptedServer(tls=request.param != "plain")
    port = int(server.url.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        if "proxy" in request.param:
            behind_tls = request.param.endswith("behind TLS")
            proxy = Proxy(tls=behind_tls)
            stack.callback(proxy.stop)
            monkeypatch.setenv("HTTPS_PROXY", f"http{'s' * behind_tls}://127.0.0.1:{proxy.port}")
            port = proxy.port
        yield server, port


def test_while_a_send_is_under_way_the_kernel_drops_it_at_the_deadline_and_at_a_close(
    way: tuple[ScriptedServer, int], make_client: Callable[..., Client]
) -> None:
    server, port = way
    seen: list[tuple[int | None, bytes]] = []

    def look(wire: Wire) -> None:
        for sock in sockets_to(port):
            timeout = None if user_timeout is None else sock.getsockopt(socket.IPPROTO_TCP, user_timeout)
            seen.append((timeout, linger(sock)))
        server.answer(200, [ROW])(wire)

    server.will(look)
    client = make_client(server.url, deadline_s=DEADLINE_S)
    client.send(["09120000001"], "x", sender=None, localids=[1])

    assert DROPS in [lingers for _, lingers in seen]
    if user_timeout is not None:
        assert any(DEADLINE_S / 2 < (timeout or 0) / 1000 <= DEADLINE_S for timeout, _ in seen), seen
    kept = [linger(sock) for sock in sockets_to(port)]
    assert KEEPS in kept, "a connection that rests is closed in order"
    assert DROPS not in kept


@on_linux
def test_each_request_on_a_connection_has_what_is_left_of_its_own_deadline(
    server: ScriptedServer, make_client: Callable[..., Client]
) -> None:
    port, seen = int(server.url.rpartition(":")[2]), []

    def look(wire: Wire) -> None:
        seen.extend(sock.getsockopt(socket.IPPROTO_TCP, user_timeout or 0) for sock in sockets_to(port))
        server.answer(200, [ROW])(wire)

    server.will(look)
    long = Transport(server.url, deadline_s=DEADLINE_S, connect_timeout_s=5, pool_size=1)
    long.request(prepare_request(f"{server.url}/v1/KEY/x.json"), b"")
    long._deadline_s = DEADLINE_S / 4
    long.request(prepare_request(f"{server.url}/v1/KEY/x.json"), b"")
    long.close()

    assert [request.connection for request in server.received] == [1, 1]
    assert DEADLINE_S / 2 < seen[0] / 1000 <= DEADLINE_S
    assert 0 < seen[1] / 1000 <= DEADLINE_S / 4


def test_a_server_that_reads_slowly_but_steadily_never_gets_all_of_a_request_that_was_given_up() -> None:
    """Its acknowledgements keep coming, so the kernel would go on sending what was written, for as long as it takes."""
    whole, given_up = 400_000, threading.Event()
    came: list[int] = []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)

        def serve() -> None:
            with listener.accept()[0] as sock, suppress(OSError):
                while data := sock.recv(2048):
                    came.append(len(data))
                    given_up.wait(0.02)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = Transport(url, deadline_s=1.0, connect_timeout_s=5, pool_size=1)
        with pytest.raises(Fault) as caught:
            transport.request(prepare_request(f"{url}/v1/KEY/sms/send.json"), b"x" * whole)
        given_up.set()
        transport.close()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert caught.value.kind is FaultKind.LOST
    assert sum(came) < whole


def test_a_server_that_hangs_up_right_after_its_answer_spoils_nothing(
    server: ScriptedServer, make_client: Callable[..., Client]
) -> None:
    server.will(server.answer(200, [ROW]), lambda wire: wire.reset(), server.answer(200, [ROW]))
    client = make_client(server.url)
    assert client.send(["09120000001"], "x", sender=None, localids=[1])[0].messageid == 1
    with pytest.raises(OutcomeUnknown):
        client.send(["09120000001"], "x", sender=None, localids=[1])
    assert client.send(["09120000001"], "x", sender=None, localids=[1])[0].messageid == 1
