"""The true target and the body of a request take the place of what the libraries see, right before the socket."""

from __future__ import annotations

import gc
import http.client
import logging
import weakref

import pytest
import requests

from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.connection import Sealed
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.kavenegar.transport import Transport, prepare_request, seal
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine
from tests.kavenegar.scripted_server import ScriptedServer

SEALED = Sealed(b"/v1/***/sms/send.json", b"/v1/KEY/sms/send.json", b"receptor=1")


@pytest.mark.parametrize("host", [b"", b"http://gateway.example:80"], ids=["to the gateway", "to a proxy"])
def test_the_true_target_and_the_body_are_what_leaves(host: bytes) -> None:
    head = b"POST " + host + b"/v1/***/sms/send.json HTTP/1.1\r\nContent-Length: 10\r\n\r\n"

    assert SEALED.reveal(head) == (
        b"POST " + host + b"/v1/KEY/sms/send.json HTTP/1.1\r\nContent-Length: 10\r\n\r\nreceptor=1"
    )


def test_a_request_whose_target_another_tool_changed_does_not_leave() -> None:
    with pytest.raises(http.client.InvalidURL, match="not ours any more"):
        SEALED.reveal(b"POST /v1/***/sms/send.json?traced=1 HTTP/1.1\r\n\r\n")


def test_a_request_shows_neither_its_target_nor_its_body() -> None:
    template = prepare_request("https://gateway.example/v1/KEY/sms/send.json")

    assert "KEY" not in repr(template) + repr(template.sealed(b"receptor=1")) + repr(vars(template.shown))
    assert "receptor" not in repr(template.sealed(b"receptor=1"))


def test_the_address_of_a_webhook_is_in_no_log(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    server.will(server.answer())
    address = server.url.replace("http://", "http://shop:PASSWORD@") + "/inbox/TOKEN?from=sms"
    transport = Transport(address, deadline_s=20, connect_timeout_s=5, pool_size=1)
    with caplog.at_level(logging.DEBUG):
        transport.request(seal(requests.Request("POST", address).prepare(), "/***"), b"{}")
    transport.close()

    assert (server.received[0].path, server.received[0].body) == ("/inbox/TOKEN?from=sms", b"{}")
    assert server.received[0].headers["authorization"].startswith("Basic ")
    assert "/***" in caplog.text
    assert not {"TOKEN", "PASSWORD", "sms"} & set(caplog.text.replace("/", " ").replace("=", " ").split())


def test_parts_that_are_renewed_in_a_child_are_let_go_like_any_others() -> None:
    engine = make_engine("postgresql+psycopg://127.0.0.1:1/none")
    parts = [engine, Database(engine).clock, Client("KEY"), connect_redis("redis://127.0.0.1:1")]
    kept = [weakref.ref(part) for part in parts]
    del engine, parts
    gc.collect()

    assert [found() for found in kept] == [None] * len(kept)
