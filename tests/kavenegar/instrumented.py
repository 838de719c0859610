"""A shop's process with every instrument on: makes calls that end in every way, and prints all that the tools saw.

    python -m tests.kavenegar.instrumented        its secrets and addresses are in the environment

sentry-sdk traces, keeps breadcrumbs, and captures each error with the local variables of its frames; OpenTelemetry
traces requests and urllib3; urllib3 logs at DEBUG; http.client prints at its debuglevel; an audit hook listens.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import sentry_sdk
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_worker import otp, tasks
from tests.kavenegar.scripted_server import ScriptedServer


class Secrets:
    """What no tool may see. The variables of this process's own frames hold no more than this object."""

    key = os.environ["KAVENEGAR_API_KEY"]
    number, code, text = os.environ["NUMBER"], os.environ["CODE"], os.environ["TEXT"]


SECRETS: Final = Secrets()
_collected: Final[list[str]] = []


class _Collecting(Transport):
    """Keeps every envelope as text, and sends none."""

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            _collected.append(f"sentry {item.type} {json.dumps(item.payload.json, ensure_ascii=False, default=repr)}")


@contextlib.contextmanager
def instruments() -> Iterator[None]:
    """Turn every instrument on, and collect what each has seen."""
    sentry_sdk.init(
        "http://public@127.0.0.1:9/1",
        transport=_Collecting,
        traces_sample_rate=1.0,
        include_local_variables=True,
        attach_stacktrace=True,
        send_default_pii=True,
        max_value_length=100_000,
        max_request_body_size="always",
    )
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    bodies: list[str] = []
    hook = {"request_hook": lambda _span, _pool, request: bodies.append(repr((request.url, request.body)))}
    URLLib3Instrumentor().instrument(tracer_provider=provider, **hook)
    RequestsInstrumentor().instrument(tracer_provider=provider)
    logged, printed = io.StringIO(), io.StringIO()
    logging.basicConfig(stream=logged, level=logging.DEBUG)
    http.client.HTTPConnection.debuglevel = 1
    sys.addaudithook(lambda event, found: bodies.append(repr(found)) if event == "http.client.send" else None)
    with contextlib.redirect_stdout(printed):
        yield
    sentry_sdk.flush()
    found = [f"log {logged.getvalue()}", f"printed {printed.getvalue()}", f"hooks {bodies}"]
    _collected.extend([*found, *(f"otel {span.to_json()}" for span in spans.get_finished_spans())])


def _lookup(client: Client) -> object:
    return client.lookup(SECRETS.number, "verify", SECRETS.code, token2=SECRETS.code)


def _send(client: Client) -> object:
    return client.send([SECRETS.number], SECRETS.text, sender="10004346", localids=[77])


def _sendarray(client: Client) -> object:
    return client.sendarray([SECRETS.number], [SECRETS.text], ["10004346"], [78])


def _unblock(client: Client) -> object:
    return client.blocked_remove("10004346", [SECRETS.number])


def _too_long(client: Client) -> object:
    return client.send([SECRETS.number], SECRETS.text * 100, sender="10004346", localids=[79])


CALLS: Final[tuple[Callable[[Client], object], ...]] = (_lookup, _send, _sendarray, _unblock, _too_long)


def worlds() -> Iterator[tuple[str, str]]:
    """Gateways that answer, refuse, fail, hang, break TLS and are away: what each does, and its URL."""
    yield "the sandbox", os.environ["KAVENEGAR_BASE_URL"]
    plain, tls = ScriptedServer(), ScriptedServer(tls=True)
    url = plain.url
    yield "a broken certificate", tls.url
    behaviours = {
        "a refusal": plain.answer(418),
        "a refusal with an unknown code": plain.answer(499),
        "5xx": plain.body(b"<html>Bad Gateway</html>", 502),
        "a reset": plain.reset(),
        "a timeout": plain.hang(),
    }
    for name, behaviour in behaviours.items():
        plain.script.clear()
        plain.will(behaviour)
        yield name, url
    plain.stop()
    tls.stop()
    yield "nobody", url


def attempt(name: str, call: Callable[[], object]) -> str:
    """Make a call as a shop's request does: in a transaction of Sentry's, its error captured and logged."""
    with sentry_sdk.start_transaction(name=name, op="test"):
        try:
            call()
        except (CampaignsError, ValueError) as why:
            sentry_sdk.capture_exception(why)
            logging.getLogger("shop").exception("call failed")
            return f"{name}: {type(why).__name__}"
    return f"{name}: answered"


def every_ending() -> list[str]:
    """Make every call in every world. Returns how each ended."""
    seen = []
    for name, url in worlds():
        client = Client(SECRETS.key, url, deadline_s=0.7)
        seen += [attempt(f"{name} {call.__name__}", partial(call, client)) for call in CALLS]
        client.close()
    for place in range(int(os.environ["OTPS"])):
        seen.append(attempt(f"otp {place}", _straight))
    seen.append(attempt("otp with a code that no template takes", lambda: _straight(spaced=True)))
    given = {"recipients": "customers.csv", "text_file": "text.txt", "key": "k", "sender": "10004346"}
    state = tasks.app.tasks["campaigns.create"].apply(kwargs=given).state  # Sentry's integration captures its error
    return [*seen, f"task of a text that is too long: {state}"]


def _straight(*, spaced: bool = False) -> Any:
    return otp.send(number=SECRETS.number, template="verify", token=SECRETS.code + " " * spaced + SECRETS.code * spaced)


def main() -> None:
    """Print what became of the calls, and everything that the tools saw."""
    with instruments():
        endings = every_ending()
    print(json.dumps({"endings": endings, "seen": _collected}))  # noqa: T201


if __name__ == "__main__":
    main()
