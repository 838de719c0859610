#!/usr/bin/env bash
# ippanel 2.0.7 (PyPI, the SDK of another Iranian gateway): fetch_inbox() asks outside of the API.
#
# Guess, written down first: with a base address of https://…/api/v1/ every method stays below /api/v1/.
# Seen: the path of the inbox is written with a slash at its front ("/inbox"), all others without one. urljoin() takes a path
# that begins with a slash for one from the root, so `fetch_inbox` calls /inbox while `get_credit` calls
# /api/v1/sms/accounting/credit/show. With the base address that the SDK comes with it is the same.
# What it means for users: inbound messages are asked for at another address, and what a proxy or a pinned path allows for the
# API is passed by. Here the address of each method is
# made once, from its parts (campaigns/kavenegar/client.py), and the sandbox answers nowhere else.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install ippanel==2.0.7 requests==2.34.2

"$folder/venv/bin/python" - <<'PY'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from ippanel.client import BASE_URL, Client
from ippanel.httpclient import HTTPClient

paths: list[str] = []


class Gateway(BaseHTTPRequestHandler):
    """Writes down the path it is asked at."""

    def do_GET(self) -> None:
        paths.append(self.path.split("?")[0])
        data = {"credit": 1.0} if "credit" in self.path else []
        answer = json.dumps({"status": "OK", "code": 200, "error_message": "", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


gateway = HTTPServer(("127.0.0.1", 0), Gateway)
Thread(target=gateway.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{gateway.server_port}/" + BASE_URL.split("/", 3)[3]
api = Client("KEY", HTTPClient("KEY", base, timeout=10))
api.get_credit()
api.fetch_inbox()
print("base:", "/" + BASE_URL.split("/", 3)[3], *paths, sep="\n")
assert paths == ["/api/v1/sms/accounting/credit/show", "/inbox"], paths
PY
# Output on 2026-11-29:
# base:
# /api/v1/
# /api/v1/sms/accounting/credit/show
# /inbox
