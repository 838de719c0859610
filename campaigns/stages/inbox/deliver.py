"""Deliver inbound messages to the user's own code, at least once each; the id identifies repeats.

A webhook is signed by the library of Standard Webhooks, and every library of that name verifies it: the headers are
`webhook-id`, `webhook-timestamp` and `webhook-signature`. The id stays the same however often a message is delivered.
"""

from __future__ import annotations

import base64
import binascii
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import IO, Any, Final

import orjson
import requests
import standardwebhooks
from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.kavenegar.transport import Fault, Transport, seal
from kavenegar_campaigns.stages.exports import FileFormat, Layout, write_rows
from kavenegar_campaigns.store import inbound
from kavenegar_campaigns.store.inbound import Inbound

log = logging.getLogger(__name__)

DEADLINE_S: Final = 10.0
"""For one delivery; shorter than the first of the delays after which it is tried again."""
DELIVERY_TIME: Final = timedelta(seconds=20)
KEY_PREFIX: Final = "whsec_"
SHORTEST_KEY: Final = 24
LONGEST_KEY: Final = 64
RIGHT_SECRET: Final = (
    f"{KEY_PREFIX} and the base64 of {SHORTEST_KEY} to {LONGEST_KEY} random bytes: "
    f'make one with  echo "{KEY_PREFIX}$(openssl rand -base64 32)"'
)
"""The end of the error about a secret that cannot be used."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The result of one delivery task."""

    taken: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        return f"{self.taken} taken" + (f", {self.trouble}" if self.trouble else "")


@dataclass(frozen=True, slots=True)
class Webhook:
    """The URL that messages are posted to, and the key that signs them. Its repr shows neither."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)
    transport: Transport = field(repr=False)

    @classmethod
    def to(cls, url: str, secret: str, *, deadline_s: float = DEADLINE_S) -> Webhook:
        """`secret` as `signing_key` takes it. Raises: BadInput."""
        transport = Transport(url, deadline_s=deadline_s, connect_timeout_s=5.0, pool_size=4)
        return cls(url, signing_key(secret), transport)

    def post(self, message: Inbound, *, now: datetime) -> int:
        """Post one message. Returns the HTTP status; redirects are not followed. Raises: Fault."""
        body = orjson.dumps(_payload(message))
        headers = {"Content-Type": "application/json", "User-Agent": "kavenegar-campaigns"}
        signed = signature_headers(self.key, str(message.id), body, now=now)
        request = requests.Request("POST", self.url, headers={**headers, **signed}).prepare()
        return self.transport.request(seal(request, "/***"), body).http_status


def signing_key(secret: str) -> bytes:
    """Return the key in a secret, as every library of Standard Webhooks reads it. Raises: BadInput.

    The libraries take a secret without `whsec_` too, and read any text as base64 after a fashion: a secret that was
    meant as it stands would sign with another key than its owner expects. So what is not plainly base64 is refused.
    Source: the specification of Standard Webhooks, "Signature scheme": `whsec_` and the base64 of 24 to 64 bytes.
    """
    encoded = secret.removeprefix(KEY_PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if encoded == secret or not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise BadInput(f"INBOX_WEBHOOK_SECRET: its value is not {RIGHT_SECRET}")
    return key


def signature_headers(key: bytes, message_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """Return the headers that prove the origin and the time of a body."""
    at = now.astimezone(UTC)  # the library takes any other time of day for one in UTC
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(key).sign(message_id, at, body.decode()),
    }


def _payload(message: Inbound) -> dict[str, object]:
    """The id is text: it may have more digits than a number in JavaScript."""
    return {
        "id": str(message.id),
        "line": message.line,
        "number": message.number,
        "text": message.text,
        "received_at": message.received_at.isoformat(),
        "campaign_id": message.campaign_id,
        "message_id": message.message_id,
        "opted_out": message.opted_out,
    }


def deliver_by_webhook(context: Context, webhook: Webhook) -> Delivered:
    """Deliver due messages one by one for a few seconds. 2xx acknowledges one; the first failure ends the task.

    A message that was not taken is due again later, and the rest in the next task: a receiver that is down costs one
    try a task. No transaction is open while we wait for it.
    """
    began, taken = context.now(), 0
    while (now := context.now()) - began < DELIVERY_TIME:
        found = inbound.claim_due(context.database, now=now, most=1)
        if not found:
            break
        trouble = _deliver(context, webhook, found[0])
        if trouble:
            return Delivered(taken, trouble)
        taken += 1
    return Delivered(taken)


def _deliver(context: Context, webhook: Webhook, message: Inbound) -> str:
    """Deliver one message. Returns None if it was taken, else the reason."""
    facts = {"inbound_id": message.id, "delivery_attempts": message.delivery_attempts}
    try:
        status = webhook.post(message, now=context.now())
    except Fault as why:
        log.warning("inbound delivery failed", extra={**facts, "reason": str(why)})
        return str(why)
    if not 200 <= status < 300:
        log.warning("inbound delivery rejected", extra={**facts, "status": status})
        return f"HTTP {status}"
    inbound.acknowledge(context.database, message.id, now=context.now())
    log.info("inbound delivered", extra=facts)
    return ""


# ── export ──

INBOUND_COLUMNS: Final = (
    "id",
    "line",
    "number",
    "text",
    "received_at",
    "campaign",
    "localid",
    "opted_out",
    "acknowledged_at",
)
_LAYOUT: Final = Layout("inbox", INBOUND_COLUMNS, frozenset({"campaign"}))


def export_inbound(
    connection: Connection,
    out: IO[Any],
    file_format: str = FileFormat.CSV,
    *,
    line: str | None = None,
    campaign_id: int | None = None,
    since: datetime | None = None,
) -> int:
    """Write a line for each inbound message, oldest first. Returns how many.

    Columns: COLUMNS; numbers and texts are whole. CSV into a file of text, or XLSX into a binary one. No cell is a
    formula to a spreadsheet. Reads a few thousand at a time: memory stays flat, and no transaction has to stay open.
    Raises: BadInput.
    """
    pages = inbound.in_pages(connection, line=line, campaign_id=campaign_id, since=since)
    return write_rows(out, _LAYOUT, map(_cells, chain.from_iterable(pages)), file_format)


def _cells(message: Inbound) -> tuple[object, ...]:
    return (message.id, message.line, message.number, message.text, message.received_at, message.campaign_id,
            message.message_id, "yes" if message.opted_out else "", message.acknowledged_at)  # fmt: skip
