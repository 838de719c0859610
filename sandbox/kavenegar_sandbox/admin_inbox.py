"""The side door to the listening side: messages that come in, and block lists. docs/sandbox.md lists it.

Messages that come in, as the side door is told of them: one, a list, or a crowd made up on the spot.

{"line": "10004346", "sender": "09121234567", "text": "سلام", "age_s": 60}          one; a list holds several
{"line": "10004346", "count": 20000, "text": "پاسخ {n}", "age_s": 86400, "seed": 1}   a crowd: {n} is its number
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from math import isfinite
from typing import Any

from aiohttp import web

from kavenegar_sandbox import blocklists
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.admin_http import BadRequest, json_body, json_object, json_response, stream_rows
from kavenegar_sandbox.blocklists import REASONS, Block
from kavenegar_sandbox.callbacks import Callbacks
from kavenegar_sandbox.checks import own_lines
from kavenegar_sandbox.mailbox import InboundMessages
from kavenegar_sandbox.parameters import format_number, parse_mobile
from kavenegar_sandbox.rng import uniform

_MOST_IDS = 1000  # message ids in an answer; there are more in the stream


class AdminInbox:
    """The handlers."""

    def __init__(self, account: Account, callbacks: Callbacks) -> None:
        self._account, self._callbacks = account, callbacks

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/inbox", self.show_inbox),
            web.post("/inbox", self.inject),
            web.get("/inbox/stream", self.stream_inbox),
            web.get("/blocked", self.show_blocked),
            web.post("/blocked", self.block),
            web.get("/callbacks", self.show_callbacks),
        ]

    async def show_inbox(self, _: web.Request) -> web.Response:
        return json_response({"lines": self._account.inbox.summary()})

    async def inject(self, request: web.Request) -> web.Response:
        arrivals = parse_inbound(self._account, await json_body(request))
        ids = [messageid for new in arrivals for messageid in receive_inbound(self._account, new)]
        return json_response({"received": len(ids), "messageids": ids[:_MOST_IDS]}, status=201)

    async def stream_inbox(self, request: web.Request) -> web.StreamResponse:
        """Every message there is, a line of JSON each."""
        return await stream_rows(request, self._account.inbox.message_rows())

    async def show_blocked(self, _: web.Request) -> web.Response:
        lists = self._account.blocklists.lists()
        return json_response(
            {"lines": {line: [_block_row(block) for block in blocks] for line, blocks in lists.items()}}
        )

    async def block(self, request: web.Request) -> web.Response:
        """{"line", "numbers", "reason", "date"}: numbers onto a list, for whatever reason; `date` is now by default."""
        body = await json_object(request)
        line, reason = body.get("line"), body.get("reason", 0)
        date = body.get("date", int(self._account.clock.now()))
        if line not in own_lines(self._account.knobs):
            raise BadRequest("line is one of the account's own")
        if isinstance(reason, bool) or reason not in REASONS:
            raise BadRequest(f"reason is one of {', '.join(map(str, sorted(REASONS)))}")
        if not isinstance(date, int) or isinstance(date, bool) or date < 0:
            raise BadRequest("date is in Unix seconds")
        numbers = _numbers(body.get("numbers"))
        self._account.blocklists.block(line, numbers, reason=reason, date=date)
        return json_response({"blocked": len(numbers)}, status=201)

    async def show_callbacks(self, _: web.Request) -> web.Response:
        return json_response(self._callbacks.summary())


def _numbers(written: object) -> list[int]:
    if isinstance(written, list):
        numbers = [parse_mobile(raw, lenient=True) if isinstance(raw, str) else None for raw in written]
        if None not in numbers:
            return [number for number in numbers if number is not None]
    raise BadRequest("numbers is a list of mobile numbers, each a string")


def _block_row(block: Block) -> dict[str, Any]:
    return {"number": format_number(block.number), "reason": block.reason, "date": block.date}


_MOST = 1_000_000  # messages of a crowd
_AT_ONCE = 5_000  # of them in one event of the journal
_LONGEST_TEXT = 4_000
_FIRST_NUMBER, _NUMBERS, _STRIDE = 9_100_000_000, 900_000_000, 982_451_653  # a stride that meets all of them once
_FIELDS = {
    "message": frozenset({"line", "sender", "text", "date", "age_s"}),
    "crowd": frozenset({"line", "count", "text", "age_s", "seed"}),
}


def receive_inbound(account: Account, new: InboundMessages) -> list[int]:
    """The message ids of what came in; who asked to be left alone is on the line's block list from now on."""
    messageids = account.inbox.receive(new)
    leaving = [sender for sender, text in zip(new.senders, new.texts, strict=True) if blocklists.opts_out(text)]
    numbers = [number for sender in leaving if (number := parse_mobile(sender, lenient=True)) is not None]
    account.blocklists.block(new.line, numbers, reason=blocklists.OPT_OUT, date=int(account.clock.now()))
    return messageids


def parse_inbound(account: Account, body: object) -> list[InboundMessages]:
    """What the body of a request tells of, for one line after the other. Raises BadRequest."""
    if isinstance(body, Mapping) and "count" in body:
        return _generated(account, body)
    messages = [_message(account, each) for each in (body if isinstance(body, list) else [body])]
    return [_merge(list(group)) for _, group in groupby(messages, key=lambda each: each.line)]


def _message(account: Account, body: object) -> InboundMessages:
    fields = _fields(body, "message")
    now, sender = account.clock.now(), fields.get("sender")
    if not isinstance(sender, str) or not 0 < len(sender) <= 20:
        raise BadRequest("sender of a message is a string of at most 20 characters")
    date = _amount(fields, "date", default=now - _amount(fields, "age_s", default=0))
    return InboundMessages(_line(account, fields), [sender], [_text(fields)], [int(date)])


def _generated(account: Account, body: object) -> list[InboundMessages]:
    fields = _fields(body, "crowd")
    line, text, now = _line(account, fields), _text(fields), account.clock.now()
    count, seed = int(_amount(fields, "count", default=1)), int(_amount(fields, "seed", default=account.knobs.seed))
    age_s = _amount(fields, "age_s", default=0)
    if count > _MOST:
        raise BadRequest(f"count is at most {_MOST:,}")
    slices = [range(first, min(count, first + _AT_ONCE)) for first in range(0, count, _AT_ONCE)]
    return [
        InboundMessages(
            line,
            [format_number(_FIRST_NUMBER + (seed + place) * _STRIDE % _NUMBERS) for place in places],
            [text.replace("{n}", str(place)) for place in places],
            [int(now - age_s * uniform(seed, place, 6)) for place in places],
        )
        for places in slices
    ]


def _merge(messages: list[InboundMessages]) -> InboundMessages:
    """Messages of one line in one."""
    return InboundMessages(
        messages[0].line,
        [sender for each in messages for sender in each.senders],
        [text for each in messages for text in each.texts],
        [date for each in messages for date in each.dates],
    )


def _fields(body: object, what: str) -> Mapping[str, Any]:
    known = _FIELDS[what]
    if not isinstance(body, Mapping) or not set(body) <= known:
        raise BadRequest(f"a {what} is a JSON object with: {', '.join(sorted(known))}")
    return body


def _line(account: Account, fields: Mapping[str, Any]) -> str:
    if fields.get("line") in own_lines(account.knobs):
        return str(fields["line"])
    raise BadRequest("line is one of the account's own")


def _text(fields: Mapping[str, Any]) -> str:
    text = fields.get("text")
    if isinstance(text, str) and len(text) <= _LONGEST_TEXT:
        return text
    raise BadRequest(f"text is a string of at most {_LONGEST_TEXT:,} characters")


def _amount(fields: Mapping[str, Any], name: str, *, default: float) -> float:
    value = fields.get(name, default)
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0:
        return value
    raise BadRequest(f"{name} is a number, not below zero")
