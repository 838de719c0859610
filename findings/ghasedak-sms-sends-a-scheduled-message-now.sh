#!/usr/bin/env bash
# ghasedak-sms 1.0.3 (PyPI, the SDK of another Iranian gateway): a single message loses its date and its reference on the way.
#
# Guess, written down first: SendSingleSmsInput(send_date=…, client_reference_id=…) sends both, as the inputs of bulk and of
# pairs do; at the worst None is sent for what was left out.
# Seen: of the five fields of a single message two are left out of the request, without an error or a warning: SendDate and
# ClientReferenceId. SendBulkInput, given the same two, sends both. `repr()` of the input shows them all the same.
# What it means for users: a message planned for tomorrow asks to be sent at once, and after an answer that was lost there is
# no reference by which to ask what became of it (`CheckSmsStatus` of type ClientReferenceId finds nothing). Where our own
# callers come from that SDK: a date belongs to the campaign here, and every message has an id of ours before it leaves.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install ghasedak-sms==1.0.3 requests==2.34.2

"$folder/venv/bin/python" - <<'PY'
import json
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from ghasedak_sms.dto import SendBulkInput, SendSingleSmsInput
from ghasedak_sms.ghasedak import Ghasedak

asked: dict[str, dict] = {}


class Gateway(BaseHTTPRequestHandler):
    """Writes down what it is asked for, and says that all is well."""

    def do_POST(self) -> None:
        asked[self.path.rsplit("/", 1)[1]] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = b'{"IsSuccess": true, "StatusCode": 200}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


gateway = HTTPServer(("127.0.0.1", 0), Gateway)
Thread(target=gateway.serve_forever, daemon=True).start()
api = Ghasedak("KEY")
api.url = f"http://127.0.0.1:{gateway.server_port}/"  # the SDK knows https alone

same = {"send_date": datetime(2027, 1, 1, 9, 0), "line_number": "30000000", "message": "سلام", "client_reference_id": "order-7"}
api.send_single_sms(SendSingleSmsInput(receptor="09700000000", **same))
api.send_bulk_sms(SendBulkInput(receptors=["09700000000"], **same))
for method, fields in asked.items():
    print(f"{method}: {', '.join(sorted(fields))}")
assert set(asked["SendSingleSMS"]) == {"LineNumber", "Message", "Receptor", "Udh"}, asked
assert asked["SendBulkSMS"]["SendDate"] == "2027-01-01T09:00:00"
assert asked["SendBulkSMS"]["ClientReferenceId"] == "order-7"
PY
# Output on 2026-11-29:
# SendSingleSMS: LineNumber, Message, Receptor, Udh
# SendBulkSMS: ClientReferenceId, IsVoice, LineNumber, Message, Receptors, SendDate, Udh
