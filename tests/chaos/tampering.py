"""A proxy before the gateway, over HTTP, that delays calls and changes answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Row = dict[str, Any]
Change = Callable[[list[Row]], list[Row]]
Hold = Callable[[], object]


@contextmanager
def tampered(gateway_url: str, method: str, change: Change = list, *, hold: Hold = lambda: None) -> Iterator[str]:
    """Run a proxy of the gateway at `gateway_url` that changes the first call of `method`. Yields its URL.

    The gateway gets that call when `hold` has returned, and its answer is changed.
    """
    first = threading.Semaphore()

    class Middle(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            chosen = self.path.endswith(f"/{method}.json") and first.acquire(blocking=False)
            if chosen:
                hold()
            answer = requests.post(
                f"{gateway_url}{self.path}", body, headers={"Content-Type": self.headers["Content-Type"]}, timeout=30
            )
            content = _changed(answer.content, change) if chosen and answer.ok else answer.content
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing: the path holds the API key."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Middle)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _changed(content: bytes, change: Change) -> bytes:
    document = json.loads(content)
    return json.dumps({**document, "entries": change(document["entries"])}).encode()
