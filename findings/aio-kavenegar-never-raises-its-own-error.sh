#!/usr/bin/env bash
# aio-kavenegar 3.2.2 with httpx 0.28.1 (PyPI, an asynchronous client of this gateway): its APIException is never raised by a
# gateway that mirrors its code in the HTTP status, as this one does.
#
# Guess, written down first: a refusal raises APIException(418, "اعتبار کافی نیست"), as the client's code reads and as the
# official SDK does, and HTTPException is for broken connections.
# Seen: raise_for_status() stands before the body is read. With the code in the HTTP status as well, every refusal is an
# HTTPException with httpx's English sentence; the gateway's own message is lost. httpx calls 418 "I'm a Teapot", and of 451
# says "Unavailable For Legal Reasons" to somebody who was only too fast. Only when the same body comes with HTTP 200 does
# APIException appear.
# What it means for users: a handler for APIException(418) never runs, and one that retries every HTTPException retries what
# was refused for good. This project reads the body first, whatever the HTTP status (campaigns/kavenegar/client.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install aio-kavenegar==3.2.2 httpx==0.28.1

"$folder/venv/bin/python" - <<'PY'
import asyncio
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from aio_kavenegar import AIOKavenegarAPI, APIException, HTTPException

SENTENCES = {418: "اعتبار کافی نیست", 451: "فراخوانی بیش از حد"}
mirrored = [True, True, False]
codes = [418, 451, 418]


class Gateway(BaseHTTPRequestHandler):
    """Refuses each call with the next code, in the body and mostly in the HTTP status too."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        code = codes.pop(0)
        answer = json.dumps({"return": {"status": code, "message": SENTENCES[code]}, "entries": None}).encode()
        self.send_response(code if mirrored.pop(0) else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


gateway = HTTPServer(("127.0.0.1", 0), Gateway)
Thread(target=gateway.serve_forever, daemon=True).start()


class Here(AIOKavenegarAPI):
    """The client, led to this machine."""

    base_url = f"http://127.0.0.1:{gateway.server_port}"


async def refused() -> Exception:
    try:
        await Here("AN-API-KEY").sms_send({"receptor": "09700000000", "message": "سلام"})
    except (APIException, HTTPException) as error:
        return error
    raise SystemExit("not refused")


async def main() -> None:
    found = [await refused() for _ in range(3)]
    for error in found:
        print(type(error).__name__, str(error).split(" for url")[0])
    assert [type(error) for error in found] == [HTTPException, HTTPException, APIException]
    assert "Teapot" in str(found[0]) and "Legal Reasons" in str(found[1])
    assert not any(sentence in str(error) for error in found[:2] for sentence in SENTENCES.values())
    assert str(found[2]) == f"APIException[418] {SENTENCES[418]}"


asyncio.run(main())
PY
# Output on 2026-11-29:
# HTTPException Client error '418 I'm a Teapot'
# HTTPException Client error '451 Unavailable For Legal Reasons'
# APIException APIException[418] اعتبار کافی نیست
