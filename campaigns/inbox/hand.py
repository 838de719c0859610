"""Inbound messages to the user's own code, at least once each: whoever gets one has its id to know it again by.

A signed webhook follows the convention of Standard Webhooks: the headers `webhook-id`, `webhook-timestamp` and
`webhook-signature`, which is "v1," and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`. The id stays the same
however often a message is handed over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson
import requests

from campaigns.errors import BadInput
from campaigns.house import House
from campaigns.kavenegar.faults import Fault
from campaigns.kavenegar.transport import Transport
from campaigns.store import inbound
from campaigns.store.inbound import Inbound

log = logging.getLogger(__name__)

DEADLINE_S: Final = 10.0
"""For one delivery; shorter than the first of the delays after which it is tried again."""
TURN: Final = timedelta(seconds=20)
_ENCODED: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Handed:
    """What one ring came to."""

    taken: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """What Flower shows."""
        return f"{self.taken} taken" + (f", {self.trouble}" if self.trouble else "")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where messages are posted to, and what they are signed with. Its repr tells neither."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)
    transport: Transport = field(repr=False)

    @classmethod
    def to(cls, url: str, secret: str, *, deadline_s: float = DEADLINE_S) -> Webhook:
        """`secret` is the key itself, or `whsec_` and its base64. Raises: BadInput."""
        transport = Transport(url, deadline_s=deadline_s, connect_timeout_s=5.0, pool_size=4)
        if not secret.startswith(_ENCODED):
            return cls(url, secret.encode(), transport)
        try:
            return cls(url, base64.b64decode(secret.removeprefix(_ENCODED), validate=True), transport)
        except binascii.Error:
            raise BadInput("INBOX_WEBHOOK_SECRET: what follows whsec_ is not base64") from None

    def post(self, message: Inbound, *, now: datetime) -> int:
        """Deliver one message; the HTTP status of the answer. Redirects are not followed. Raises: Fault."""
        body = orjson.dumps(_told(message))
        headers = {"Content-Type": "application/json", "User-Agent": "kavenegar-campaigns"}
        signed = signature_headers(self.key, str(message.id), body, now=now)
        request = requests.Request("POST", self.url, headers={**headers, **signed}).prepare()
        return self.transport.ask(request, body).http_status


def signature_headers(key: bytes, message_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """What proves to the receiver that a body is ours, and when we sent it."""
    timestamp = str(int(now.timestamp()))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _told(message: Inbound) -> dict[str, object]:
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


def by_webhook(house: House, webhook: Webhook) -> Handed:
    """Deliver what is due, one after the other, for a few seconds; 2xx is taken, and the first failure ends it.

    A message that was not taken is due again later, and what is left at the next ring: a receiver that is down costs
    one try a ring. No transaction is open while we wait for it.
    """
    began, taken = house.now(), 0
    while (now := house.now()) - began < TURN:
        found = house.database(inbound.hand, now=now, most=1)
        if not found:
            break
        trouble = _delivered(house, webhook, found[0])
        if trouble:
            return Handed(taken, trouble)
        taken += 1
    return Handed(taken)


def _delivered(house: House, webhook: Webhook, message: Inbound) -> str:
    """Nothing where it was taken, else why not."""
    facts = {"inbound_id": message.id, "hands": message.hands}
    try:
        status = webhook.post(message, now=house.now())
    except Fault as why:
        log.warning("inbound not delivered", extra={**facts, "reason": str(why)})
        return str(why)
    if not 200 <= status < 300:
        log.warning("inbound not taken", extra={**facts, "status": status})
        return f"HTTP {status}"
    house.database(inbound.taken, message.id, now=house.now())
    log.info("inbound taken", extra=facts)
    return ""
