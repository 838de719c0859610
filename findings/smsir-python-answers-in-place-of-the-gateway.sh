#!/usr/bin/env bash
# smsir-python 1.0.8 (PyPI, an SDK of another Iranian gateway): a lost answer comes back as a 503 that no server ever said.
#
# Guess, written down first: a connection that breaks after the request was sent raises requests.ConnectionError, so a caller
# can tell "nobody knows" from "refused".
# Seen: the SDK catches every such error and makes up a Response of status 503, with no body. It equals a real refusal by code
# and by `raise_for_status()`; only `content` (None) gives it away. The request had arrived: the gateway counts one message.
# The SDK also adds a handler to its logger with each client that is made: with three clients every line is written three times.
# What it means for users: a retry on 503, which every good HTTP client has, sends the message again. This project keeps the
# two apart: an answer that is lost makes a batch `unknown`, and the gateway is asked by our ids before anything is repeated.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install smsir-python==1.0.8 requests==2.34.2

"$folder/venv/bin/python" - <<'PY'
import contextlib
import io
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

taken: list[bytes] = []


class Gateway(BaseHTTPRequestHandler):
    """Takes a message, and loses its answer."""

    def do_POST(self) -> None:
        taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


gateway = HTTPServer(("127.0.0.1", 0), Gateway)
Thread(target=gateway.serve_forever, daemon=True).start()

said = io.StringIO()
with contextlib.redirect_stdout(said):
    from sms_ir import SmsIr

    SmsIr.ENDPOINT = f"http://127.0.0.1:{gateway.server_port}"
    clients = [SmsIr("KEY", 30000000) for _ in range(3)]
    answer = clients[0].send_sms("09700000000", "سلام")
sending = [line for line in said.getvalue().splitlines() if "send request" in line]
print(f"taken by the gateway: {len(taken)}; told to the caller: {answer.status_code}, content {answer.content!r}")
print(f"lines of log for the one call: {len(sending)}")
assert len(taken) == 1
assert (answer.status_code, answer.content) == (503, None)
assert len(sending) == 3
PY
# Output on 2026-11-29:
# taken by the gateway: 1; told to the caller: 503, content None
# lines of log for the one call: 3
