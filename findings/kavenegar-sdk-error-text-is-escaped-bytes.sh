#!/usr/bin/env bash
# kavenegar 1.1.2 (PyPI, the gateway's own SDK): the text of its APIException is the repr of UTF-8 bytes, and the code of
# the gateway is nowhere else.
#
# Guess, written down first: `str(error)` is a sentence such as "APIException[418] اعتبار کافی نیست", and the code can be had
# from an attribute, or at least from `error.args[0]` as text.
# Seen: the SDK encodes the sentence before it raises (a custom of Python 2). `error.args` is one bytes object, `str(error)`
# begins with b' and shows every Persian letter as two escapes, and there is no attribute: a program that has to tell 418 (no
# credit) from 451 (too fast) takes a number out of `error.args[0].decode()` by hand; `"[418]" in error.args[0]` is a TypeError.
# What it means for users: who moves from the SDK has log lines that nobody can read and handlers that compare strings. The
# errors of this project carry the code as a number (campaigns/errors.py), so such handlers become `except` clauses.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install kavenegar==1.1.2 requests==2.34.2

"$folder/venv/bin/python" - <<'PY'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import kavenegar
import requests

SENTENCE = "اعتبار کافی نیست"


class Gateway(BaseHTTPRequestHandler):
    """Answers every call as the gateway answers one that the account cannot pay for."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"return": {"status": 418, "message": SENTENCE}, "entries": None}).encode()
        self.send_response(418)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


gateway = HTTPServer(("127.0.0.1", 0), Gateway)
Thread(target=gateway.serve_forever, daemon=True).start()


def post(url: str, **options: object) -> requests.Response:
    """The SDK knows one host only: what it calls `requests` leads to this machine."""
    here = f"http://127.0.0.1:{gateway.server_port}"
    return requests.post(here + "/" + url.split("/", 3)[3], timeout=30, **options)


kavenegar.requests = SimpleNamespace(post=post, exceptions=requests.exceptions)
try:
    kavenegar.KavenegarAPI("KEY").sms_send({"receptor": "09700000000", "message": "سلام"})
except kavenegar.APIException as error:
    print("args:", error.args)
    print("own attributes:", vars(error))
    assert error.args == (f"APIException[418] {SENTENCE}".encode(),), error.args
    assert str(error) == repr(error.args[0]), str(error)
    assert vars(error) == {}
    assert error.args[0].decode() == f"APIException[418] {SENTENCE}"
else:
    raise SystemExit("no APIException")
PY
# Output on 2026-11-29:
# args: (b'APIException[418] \xd8\xa7\xd8\xb9\xd8\xaa\xd8\xa8\xd8\xa7\xd8\xb1 \xda\xa9\xd8\xa7\xd9\x81\xdb\x8c \xd9\x86\xdb\x8c\xd8\xb3\xd8\xaa',)
# own attributes: {}
