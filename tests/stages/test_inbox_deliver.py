"""Inbound messages posted to a receiver of the user's: signed, at least once, with an id to know them again by."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import standardwebhooks
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages.inbox.deliver import Webhook, deliver_by_webhook, signature_headers
from tests.stages.inboxes import line_added, turns
from tests.world import SENDER, Sandbox, run_due_work

KEY = b"a secret between two of us"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@dataclass
class Receiver:
    """The user's web server: what it was posted, and what it answers."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next answers; 200 when there is none left
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    behave: Callable[[BaseHTTPRequestHandler], None] | None = None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if found.behave is not None:
                found.behave(self)
                return
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            self.send_header("Location", found.url + "elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quietly."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}/inbox?from=sms"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def telling(context: Context) -> Context:
    """A context in which inbound messages are to be delivered."""
    return replace(context, policy=replace(context.policy, deliver_inbound=True))


@pytest.fixture
def webhook(receiver: Receiver) -> Webhook:
    return Webhook.to(receiver.url, SECRET)


def wrote(context: Context, sandbox: Sandbox, *texts: str) -> None:
    """As many people write, and the line is pulled."""
    line_added(context)
    for place, said in enumerate(texts):
        sandbox.inject({"line": SENDER, "sender": f"0912333440{place}", "text": said, "age_s": 60 - place})
    turns(context)


def test_a_message_is_posted_signed_and_taken_with_a_2xx(
    telling: Context, engine: Engine, sandbox: Sandbox, webhook: Webhook, receiver: Receiver
) -> None:
    wrote(telling, sandbox, "سلام", "11")

    assert deliver_by_webhook(telling, webhook).summary == "2 taken"

    (headers, body), (_, second) = receiver.posts
    with engine.connect() as connection:
        newer, older = campaigns.list_inbound(connection)
    assert json.loads(body) == {
        "id": str(older.id),
        "line": SENDER,
        "number": "09123334400",
        "text": "سلام",
        "received_at": older.received_at.isoformat(),
        "campaign_id": None,
        "message_id": None,
        "opted_out": False,
    }
    assert json.loads(second)["opted_out"] is True
    assert standardwebhooks.Webhook(SECRET).verify(body, headers) == json.loads(body)
    assert headers["webhook-id"] == str(older.id)
    assert abs(int(headers["webhook-timestamp"]) - telling.now().timestamp()) < 60
    assert headers["content-type"] == "application/json"
    assert None not in (older.acknowledged_at, newer.acknowledged_at)
    assert deliver_by_webhook(telling, webhook).summary == "0 taken"


@pytest.mark.parametrize("theirs", [SECRET, SECRET.removeprefix("whsec_"), KEY], ids=["whole", "bare", "bytes"])
def test_the_librarys_own_verify_takes_the_signature_however_the_receiver_holds_the_secret(theirs: str | bytes) -> None:
    body = '{"text": "سلام"}'.encode()
    now = datetime.now(ZoneInfo("Asia/Tehran"))  # no time zone of ours may move the time that is signed
    headers = signature_headers(Webhook.to("http://127.0.0.1:1/", SECRET).key, "17", body, now=now)

    assert standardwebhooks.Webhook(theirs).verify(body, headers) == {"text": "سلام"}
    for changed in (body + b" ", body.replace(b"text", b"Text")):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(theirs).verify(changed, headers)


@pytest.mark.parametrize("secret", ["a secret between two of us, as it is", "whsec_", "whsec_no!", "whsec_c2hvcnQ="])
def test_a_secret_that_no_library_could_verify_with_is_refused(secret: str) -> None:
    assert Webhook.to("http://127.0.0.1:1/", SECRET).key == KEY
    with pytest.raises(BadInput, match="its value is not whsec_ and the base64 of 24 to 64 random bytes"):
        Webhook.to("http://127.0.0.1:1/", secret)


@pytest.mark.parametrize("status", [500, 404, 302, 308])
def test_anything_but_a_2xx_is_no_taking_and_the_message_comes_again_under_the_same_id(
    telling: Context, engine: Engine, sandbox: Sandbox, webhook: Webhook, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    wrote(telling, sandbox, "سلام")

    assert deliver_by_webhook(telling, webhook).summary == f"0 taken, HTTP {status}"
    assert deliver_by_webhook(telling, webhook).summary == "0 taken"  # not at once
    sandbox.advance(minutes=1)
    assert deliver_by_webhook(telling, webhook).summary == "1 taken"

    first, again = receiver.bodies
    assert first == again
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 1


def test_a_receiver_that_is_down_costs_one_try_and_gets_everything_later(
    telling: Context, engine: Engine, sandbox: Sandbox, webhook: Webhook, receiver: Receiver, closed_port_url: str
) -> None:
    wrote(telling, sandbox, "یک", "دو", "سه")

    down = deliver_by_webhook(telling, Webhook.to(closed_port_url, SECRET))

    assert down.taken == 0
    assert "no connection" in down.trouble
    sandbox.advance(minutes=1)
    assert deliver_by_webhook(telling, webhook).summary == "3 taken"
    assert [body["text"] for body in receiver.bodies] == ["دو", "سه", "یک"]  # the longest due first


def test_a_receiver_that_never_ends_its_answer_is_given_up(
    telling: Context, engine: Engine, sandbox: Sandbox, receiver: Receiver
) -> None:
    over = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        while not over.is_set():
            try:
                request.wfile.write(b".")
            except OSError:
                return
            over.wait(0.05)

    receiver.behave = drip
    wrote(telling, sandbox, "سلام")
    began = time.monotonic()

    found = deliver_by_webhook(telling, Webhook.to(receiver.url, SECRET, deadline_s=0.5))

    over.set()
    assert found.taken == 0
    assert "time" in found.trouble
    assert time.monotonic() - began < 20


def test_nothing_of_a_message_or_of_the_receiver_is_told_where_it_is_logged(
    telling: Context, engine: Engine, sandbox: Sandbox, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.statuses = [500]
    wrote(telling, sandbox, "راز")
    webhook = Webhook.to(receiver.url, SECRET)

    summary = deliver_by_webhook(telling, webhook).summary

    with engine.connect() as connection:
        (message,) = campaigns.list_inbound(connection)
    ours = [record for record in caplog.records if not record.name.startswith("urllib3")]
    written = " ".join([summary, repr(webhook), repr(message), *(str(vars(record)) for record in ours)])
    assert "inbound delivery rejected" in written
    for secret in ("راز", "9123334400", SECRET, "from=sms"):
        assert secret not in written


# ── the user's own code ──


def test_what_the_users_transaction_takes_is_taken_and_what_it_rolls_back_is_not(
    telling: Context, engine: Engine, sandbox: Sandbox
) -> None:
    wrote(telling, sandbox, "سلام")
    with engine.connect() as connection:
        (message,) = campaigns.list_inbound(connection, line=SENDER, limit=5)

    with engine.connect() as connection, connection.begin() as transaction:
        assert campaigns.acknowledge(connection, message.id)
        transaction.rollback()
    with engine.begin() as connection:
        assert campaigns.get_inbound(connection, message.id).acknowledged_at is None
        assert campaigns.acknowledge(connection, message.id)
        assert not campaigns.acknowledge(connection, message.id)
    with engine.begin() as connection, pytest.raises(campaigns.NotFound):
        campaigns.get_inbound(connection, 404)


def test_the_dispatcher_rings_for_what_is_to_be_handed_over_also_while_calls_to_the_gateway_pause(
    telling: Context, engine: Engine, sandbox: Sandbox, webhook: Webhook
) -> None:
    wrote(telling, sandbox, "سلام")
    telling.pace.report_throttled(telling.pace.take(Lane.HOUSEKEEPING), 451, 60)

    assert run_due_work(telling).summary == "deliver 1"
    deliver_by_webhook(telling, webhook)
    assert run_due_work(telling).summary == "quiet"


def test_the_dispatcher_rings_for_lines_that_are_due(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    line_added(context, every=timedelta(minutes=5))
    line_added(context, "30002626", every=timedelta(hours=1))
    sandbox.inject({"line": "30002626", "sender": "09123334400", "text": "سلام"})

    due_work = run_due_work(context)

    assert sorted(due_work.lines) == [SENDER, "30002626"]
    assert "pull 2" in due_work.summary
    assert run_due_work(context).lines == []
    sandbox.advance(minutes=5)
    assert run_due_work(context).lines == [SENDER]
    with engine.connect() as connection:
        assert _received(connection) == 1


def _received(connection: Any) -> int:
    return len(campaigns.list_inbound(connection, since=datetime(2020, 1, 1, tzinfo=UTC)))


def test_the_old_name_of_the_function_and_the_stage_do_not_hide_each_other() -> None:
    """In a process of its own, in which nothing has been imported before."""
    script = (
        "import kavenegar_campaigns as campaigns; from kavenegar_campaigns.stages.inbox import pull; "
        "assert pull.pull_line and campaigns.inbox.__name__ == 'list_inbound'"
    )
    subprocess.run([sys.executable, "-c", script + "; assert callable(campaigns.inbox)"], check=True, timeout=60)
