"""One reading of a broker's address for Celery, the pace, Flower and INBOX_TASK: plain and over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from kavenegar_campaigns.errors import BadInput
from kavenegar_worker.settings import load, revealed
from tests.kavenegar.scripted_server import LOCALHOST_PEM
from tests.own_process import answer_of
from tests.tls import in_front_of

# What Celery, the pace and Flower each come to: the number of the database they write to, or the error's kind.
WHO_CONNECTS = """
import asyncio, json, sys
from flower.utils.broker import Broker
from kavenegar_worker import wiring
from kavenegar_worker.app import app
from kavenegar_worker.inbound_delivery import inbox_task_producers

def celery():
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=5)
        channel = connection.default_channel
        channel.client.set("celery", 1)
        return channel.client.connection_pool.connection_kwargs["db"]

def pace():
    wiring.broker().set("pace", 1)
    return wiring.broker().connection_pool.connection_kwargs["db"]

def flower():
    with app.connection() as connection:
        url = connection.as_uri(include_password=True)
    broker = Broker(url, broker_options=app.conf.broker_transport_options, broker_use_ssl=app.conf.broker_use_ssl)
    asyncio.run(broker.queues(["send"]))
    return broker.redis.connection_pool.connection_kwargs["db"]

def inbox_task():
    with inbox_task_producers().acquire(block=True, timeout=5) as producer:
        producer.connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=5)
        producer.channel.client.set("inbox task", 1)
        return producer.channel.client.connection_pool.connection_kwargs["db"]

results = {}
for who in (celery, pace, flower, inbox_task):
    try:
        results[who.__name__] = who()
    except Exception as why:
        results[who.__name__] = "not verified" if "verify failed" in str(why) else f"{type(why).__name__}: {why}"
json.dump(results, sys.stdout)
"""
ALL = ("celery", "pace", "flower", "inbox_task")


def _connect(broker_url: str) -> dict[str, object]:
    found: dict[str, object] = answer_of(
        "-c",
        WHO_CONNECTS,
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nowhere",
        CAMPAIGNS_BROKER_URL=broker_url,
        KAVENEGAR_API_KEY="sandbox",
        INBOX_TASK="shop.answered",
        INBOX_TASK_BROKER=broker_url,
    )
    return found


def test_of_both_its_names_the_one_in_use_is_named_in_an_error_and_the_value_is_not() -> None:
    for name in ("CAMPAIGNS_BROKER_URL", "BROKER_URL", "INBOX_TASK_BROKER"):
        with pytest.raises(BadInput, match=f"(?m)^{name}: its value is not a Redis") as refused:
            load({name: "amqp://guest:hunter2@rabbit.example", "INBOX_TASK": "shop.answered"})
        assert "hunter2" not in str(refused.value)


def test_the_broker_of_the_users_task_comes_from_a_file_and_needs_a_task(tmp_path: Path) -> None:
    file = tmp_path / "broker"
    file.write_text("redis://:hunter2@shop.example:6379/3\n")
    settings = load({"INBOX_TASK": "shop.answered", "INBOX_TASK_BROKER_FILE": str(file)})
    assert revealed(settings.inbox_task_broker) == "redis://:hunter2@shop.example:6379/3"
    assert "hunter2" not in repr(settings)
    with pytest.raises(BadInput, match="INBOX_TASK_BROKER is set, and INBOX_TASK is not"):
        load({"INBOX_TASK_BROKER_FILE": str(file)})


@pytest.fixture
def tls_url(broker_url: str) -> Iterator[str]:
    """The broker behind a certificate that no authority signed."""
    url = make_url(broker_url)
    with in_front_of(int(url.port or 0)) as port:
        yield f"rediss://:{url.password}@127.0.0.1:{port}/0"


def test_a_certificate_that_nobody_knows_is_refused_by_everybody(tls_url: str) -> None:
    for query in ("", "?ssl_cert_reqs=required", "?ssl_cert_reqs=CERT_REQUIRED", "?ssl_check_hostname=false"):
        assert _connect(tls_url + query) == dict.fromkeys(ALL, "not verified"), query


@pytest.mark.parametrize("spelling", ["none", "CERT_NONE"])
def test_who_says_so_in_either_spelling_gets_a_connection_that_is_not_verified(tls_url: str, spelling: str) -> None:
    assert _connect(f"{tls_url}?ssl_cert_reqs={spelling}") == dict.fromkeys(ALL, 0)


def test_an_authority_of_ones_own_is_named_once_for_everybody(tls_url: str) -> None:
    assert _connect(f"{tls_url}?ssl_ca_certs={LOCALHOST_PEM}&ssl_cert_reqs=CERT_REQUIRED") == dict.fromkeys(ALL, 0)


def test_a_database_named_in_the_path_or_the_query_is_one_for_everybody(broker_url: str) -> None:
    server = broker_url.removesuffix("/0")
    for url in (
        f"{server}/3",
        f"{server}?db=3",
        f"{server}/?virtual_host=3",
        f"{server}/3".replace("redis:", "valkey:"),
    ):
        assert _connect(url) == dict.fromkeys(ALL, 3), url


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("redis://h/zero", "the number of one database"),
        ("redis://h/1?db=2", "the number of one database"),
        ("redis://h/0?ssl_cert_reqs=none", "only a rediss://"),
        ("redis://h/0?socket_timeout=5", "only a rediss://"),
        ("rediss://h/0?ssl_cert_reqs=maybe", "ssl_cert_reqs in its query must be required or none"),
        ("rediss://h/0?ssl_check_hostname=perhaps", "ssl_check_hostname in its query must be true or false"),
        ("rediss://h/0?ssl_ca_certs=/not/there.pem", "ssl_ca_certs in its query must be a file that is there"),
        ("rediss://h/0?ssl_version=3", "its query may hold ssl_cert_reqs"),
        ("redis://h:port/0", "a Redis or Valkey address such as"),
        ("redis://", "a Redis or Valkey address such as"),
        ("unix:///run/valkey.sock", "a Redis or Valkey address such as"),
        ("redis+socket:///run/valkey.sock", "a Redis or Valkey address such as"),
        ("sentinel://h/0", "a Redis or Valkey address such as"),
    ],
)
def test_what_one_of_them_would_read_otherwise_is_refused(url: str, right: str) -> None:
    with pytest.raises(BadInput, match=f"BROKER_URL: its value is not .*{right}"):
        load({"BROKER_URL": url})
