"""A client of one sandbox, as plain as can be, and the parameters of sends."""

from __future__ import annotations

import json
from typing import Any

import requests

KEY = "key-of-the-tests"
TEXT = "سلام مریم، سفارش شما رسید"
LATIN_LINE = "10004346"
UNHURRIED = {"handover_s": 600, "delivery_s": [3600, 3600]}  # nothing happens to a message while a test looks at it

Row = dict[str, Any]


class Client:
    """Speaks to one sandbox: `call` to the service, `admin` to the admin API."""

    def __init__(self, base_url: str, session: requests.Session) -> None:
        self.base_url, self.session = base_url, session

    def url(self, method: str, key: str = KEY) -> str:
        return f"{self.base_url}/v1/{key}/{method}.json"

    def call(self, method: str, params: dict[str, Any] | None = None, **kwargs: Any) -> requests.Response:
        return self.session.post(self.url(method), data=params or {}, timeout=kwargs.pop("timeout", 10), **kwargs)

    def entries(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The entries of a call that must succeed."""
        answer = self.call(method, params).json()
        assert answer["return"]["status"] == 200, answer["return"]
        return answer["entries"]

    def code(self, method: str, params: dict[str, Any] | None = None) -> int:
        return int(self.call(method, params).json()["return"]["status"])

    def send(self, *receptors: str, text: str = TEXT, **params: Any) -> list[Row]:
        """sms/send; a `localid` list is written as the spec wants it."""
        sent: list[Row] = self.entries("sms/send", form(receptors, text, **params))
        return sent

    def statuses(self, *messageids: int) -> list[int]:
        rows = self.entries("sms/status", {"messageid": ",".join(map(str, messageids))})
        return [row["status"] for row in rows]

    def admin(self, verb: str, path: str, body: Any = None, **kwargs: Any) -> requests.Response:
        return self.session.request(verb, f"{self.base_url}/_sandbox/{path}", json=body, timeout=60, **kwargs)

    def turn(self, **knobs: Any) -> None:
        self.admin("POST", "knobs", knobs).raise_for_status()

    def arm(self, kind: str, **fault: Any) -> None:
        self.admin("POST", "faults", {"kind": kind, **fault}).raise_for_status()

    def advance(self, seconds: float) -> None:
        self.admin("POST", "clock", {"advance": seconds}).raise_for_status()

    def inject(self, messages: Any) -> list[int]:
        """Messages come in: one, a list, or many generated ones; the first thousand message ids."""
        answer = self.admin("POST", "inbox", messages)
        assert answer.status_code == 201, answer.text
        ids: list[int] = answer.json()["messageids"]
        return ids

    def inbox(self, line: str = LATIN_LINE) -> dict[str, int]:
        """How many messages of a line were read, and handed out."""
        found: dict[str, int] = self.admin("GET", "inbox").json()["lines"][line]
        return found

    def came_in(self) -> list[Row]:
        """Every message that came in, from the stream for checkers."""
        return [json.loads(line) for line in self.admin("GET", "inbox/stream").content.splitlines()]

    def shown(self, *messageids: int) -> list[Row]:
        """Messages as the ledger shows them: their options and outcomes."""
        found: list[Row] = self.admin("GET", f"ledger?messageids={','.join(map(str, messageids))}").json()["messages"]
        return found

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.admin("GET", "ledger/summary").json()
        return found

    def credit(self) -> int:
        return int(self.entries("account/info")["remaincredit"])


def form(receptors: tuple[str, ...] | list[str], text: str = TEXT, **params: Any) -> dict[str, Any]:
    """The parameters of sms/send."""
    if "localid" in params:
        params["localid"] = ",".join(map(str, params["localid"]))
    return {"receptor": ",".join(receptors), "message": text, **params}


def arrays(receptors: list[str], texts: list[str], **params: Any) -> dict[str, Any]:
    """The parameters of sms/sendarray, all from one line; lists are written as JSON."""
    columns = {"receptor": receptors, "message": texts, "sender": [LATIN_LINE] * len(receptors), **params}
    return {name: json.dumps(value) if isinstance(value, list) else value for name, value in columns.items()}


def numbers(count: int) -> list[str]:
    return [f"0912{number:07d}" for number in range(count)]
