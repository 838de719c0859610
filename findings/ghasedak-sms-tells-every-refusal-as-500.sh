#!/usr/bin/env bash
# ghasedak-sms 1.0.3 with requests 2.34.2 (PyPI): whatever the gateway refuses a question with, the SDK says it was 500.
#
# Guess, written down first: the `status_code` of the ResponseDto is that of the answer (429 for too many calls), and 500 where
# there was no answer, as `response.status_code if response else 500` reads.
# Seen: a Response of requests is false where its code is 400 or more, so the first half of that expression is never taken:
# 401, 429 and 503 all come back as 500. Where there was no answer at all the name `response` was never bound, and an
# UnboundLocalError comes instead of the ResponseDto that the expression was written for.
# What it means for users: a loop that waits on 429 never waits, one that stops on 401 never stops. This project takes the code
# from the gateway's own envelope, and no answer by its truth (campaigns/kavenegar/client.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install ghasedak-sms==1.0.3 requests==2.34.2

"$folder/venv/bin/python" - <<'PY'
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from ghasedak_sms.ghasedak import Ghasedak

CODES = [401, 429, 503]
left = list(CODES)


class Gateway(BaseHTTPRequestHandler):
    """Refuses each question with the next code."""

    def do_GET(self) -> None:
        self.send_response(left.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


gateway = HTTPServer(("127.0.0.1", 0), Gateway)
Thread(target=gateway.serve_forever, daemon=True).start()
api = Ghasedak("KEY")
api.url = f"http://127.0.0.1:{gateway.server_port}/"  # the SDK knows https alone

for code in CODES:
    told = api.get_account_information()
    print(f"{code} is told as {told.status_code}, success {told.is_success}")
    assert (told.status_code, told.is_success) == (500, False)

gateway.shutdown()
gateway.server_close()
try:
    api.get_account_information()
except UnboundLocalError as error:
    print("without an answer:", type(error).__name__)
else:
    raise SystemExit("an answer without a gateway")
PY
# Output on 2026-11-29:
# 401 is told as 500, success False
# 429 is told as 500, success False
# 503 is told as 500, success False
# without an answer: UnboundLocalError
