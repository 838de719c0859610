"""Every method of the gateway as a function, which returns records or raises an error of the tree.

    Answer                                         a send            unread messages   a read, or a write that
                                                                     handed out        may be repeated
    ─────────────────────────────────────────────────────────────────────────────────────────────────────
    envelope, 200                                  rows              rows              rows
    envelope, another code                         codes.py          codes.py          codes.py
    nothing left us (refused, name, TLS)           GatewayDown       GatewayDown       GatewayDown
    left, no whole answer (time, reset, cut)       OutcomeUnknown    AnswerLost        GatewayDown
    no envelope, whatever the HTTP status          OutcomeUnknown    AnswerLost        GatewayDown
    envelope, 200, no readable row                 OutcomeUnknown    no rows           no rows

One certain fact decides: whether the request left this machine. Each failed call becomes its error in this file
(`error_without_answer`, `error_of_unusable_answer`, `error_of_code`) and nowhere else.

A bare 403, 413 or 429 comes from a proxy on the way and is not the gateway's code. It says that the request was
stopped, but not by which host or when, so a send stays unknown.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

from kavenegar_campaigns.errors import AnswerLost, GatewayDown, GatewayError, OutcomeUnknown, Postpone, Refused
from kavenegar_campaigns.kavenegar import answers, codes, methods
from kavenegar_campaigns.kavenegar.account import AccountMethods, BlocklistMethods
from kavenegar_campaigns.kavenegar.answers import Envelope, Unreadable
from kavenegar_campaigns.kavenegar.call import Answer, Call
from kavenegar_campaigns.kavenegar.codes import RETURN_CODES, ReturnCode
from kavenegar_campaigns.kavenegar.inbox import InboxMethods
from kavenegar_campaigns.kavenegar.methods import Method
from kavenegar_campaigns.kavenegar.refusal import check_calls_allowed
from kavenegar_campaigns.kavenegar.sending import OtpMethods, SendMethods, VoiceMethods
from kavenegar_campaigns.kavenegar.sent_messages import OutboxMethods, StatusMethods
from kavenegar_campaigns.kavenegar.transport import Fault, FaultKind, InTime, Reply, Transport, prepare_request
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.text import MAX_CHARACTERS

# All methods as Python functions. `Client` and `PacedClient` have all of them.
#
# A function checks its arguments, builds a `Call`, and performs it: at once in `Client`, in its lane and with further
# tries in `PacedClient`. Each has a default lane. All raise ValueError for arguments that the documentation forbids,
# before a request leaves, and a `GatewayError` for every failed call.


class AllMethods(
    SendMethods, StatusMethods, OutboxMethods, InboxMethods, BlocklistMethods, OtpMethods, VoiceMethods, AccountMethods
):
    """All methods of the gateway."""


RETRY_DOWN_AFTER_S = 5.0
DEADLINE_S: Final = 30.0
"""Seconds that one whole call to the gateway may take, unless HTTP_DEADLINE sets another number."""


class Client(AllMethods):
    """A client of one account at one gateway. Threads may share it, and a forked child has connections of its own.

    Args:
        api_key: never shown: not in a repr, a log, or the text or the chain of an error.
        base_url: scheme and host of the gateway.
        deadline_s: seconds for one whole call.
        connect_timeout_s: seconds of `deadline_s` for making a connection.
        pool_size: connections kept alive: the number of threads.
        clock: unix time, for the limits that count from now.
        longest_text: UTF-16 code units that the gateway takes; 900 by its documentation.

    `account` is a label of the key, equal in every process, which does not show the key.

    Every method raises `GatewayDown`, `Throttled` or `Refused` as the table of codes says. Sends also raise
    `OutcomeUnknown`, and requests for unread messages `AnswerLost`. A ValueError is our own defect: a request that the
    gateway's documentation forbids.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.kavenegar.com",
        *,
        deadline_s: float = DEADLINE_S,
        connect_timeout_s: float = 5.0,
        pool_size: int = 32,
        clock: Callable[[], float] = time.time,
        longest_text: int = MAX_CHARACTERS,
    ) -> None:
        check_calls_allowed()  # before anything is written for a call that would be refused
        self.clock = clock
        self.longest_text = longest_text
        self._base_url = _checked_base_url(base_url)
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError("the API key is empty or holds a character that no key has")
        self.account = key_label(api_key)
        root = f"{self._base_url}/v1/{quote(api_key, safe='')}"
        self._requests = {row.path: prepare_request(f"{root}/{row.path}.json", row.verb) for row in methods.METHODS}
        self._transport = Transport(
            self._base_url, deadline_s=deadline_s, connect_timeout_s=connect_timeout_s, pool_size=pool_size
        )

    def __repr__(self) -> str:
        return f"<Client of {self._base_url}>"

    def close(self) -> None:
        self._transport.close()

    def perform(self, call: Call[Answer], *, lane: Lane, in_time: InTime | None = None) -> Answer:  # noqa: ARG002
        """Make the call once, without waiting for a slot: `PacedClient` waits in the lane. Raises: GatewayError."""
        method = call.method
        try:
            reply = self._transport.request(self._requests[method.path], call.form, in_time)
        except Fault as fault:
            raise error_without_answer(method, fault, consumes=call.consumes) from fault
        answer = _good_envelope(call, reply)
        try:
            return call.read(answer)
        except Unreadable as why:
            what = str(why)
        raise error_of_unusable_answer(method, what, consumes=call.consumes)


def key_label(api_key: str) -> str:
    """Return a label of a key, equal in every process. The label does not show the key."""
    return hashlib.sha256(f"kavenegar-campaigns:key:{api_key}".encode()).hexdigest()[:16]


def _good_envelope(call: Call[Any], reply: Reply) -> Envelope:
    """Return the envelope of a good answer; raise the call's error for any other answer."""
    answer = answers.read_envelope(reply.body)
    if answer is None:
        what = f"HTTP {reply.http_status} without the gateway's envelope"
        raise error_of_unusable_answer(call.method, what, consumes=call.consumes)
    row = codes.return_code(answer.code)
    verdict = row.for_call(sends=call.method.sends, consumes=call.consumes)
    if verdict == "ok":
        return answer
    if verdict == "empty":
        return Envelope(answer.code, answer.message, [])
    raise error_of_code(call.method, verdict, row, answer)


def _checked_base_url(base_url: str) -> str:
    """Return scheme and host of a valid URL. An invalid one is found here, before the key is a part of the URL."""
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the gateway's base URL must begin with https:// (or http://) and name a host")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("the gateway's base URL is scheme and host only, as in https://api.kavenegar.com")
    parts.hostname.encode("idna")
    base_url = f"{parts.scheme}://{parts.netloc}"
    prepare_request(base_url)
    return base_url


# ── the error of each failed call ──


def error_without_answer(method: Method, fault: Fault, *, consumes: bool = False) -> GatewayError:
    """Return the error of a call that ended in a fault. The error says whether the call may have had an effect."""
    what = f"{method.path}: {fault} ({fault.kind.value})"
    if fault.kind is not FaultKind.NOT_SENT:
        if method.sends:
            return OutcomeUnknown(what)
        if consumes:
            return AnswerLost(what, retry_after_s=RETRY_DOWN_AFTER_S)
    return GatewayDown(what, retry_after_s=RETRY_DOWN_AFTER_S)


def error_of_unusable_answer(method: Method, what: str, *, consumes: bool = False) -> GatewayError:
    """Return the error of a call whose answer holds no readable result."""
    fault = Fault(what, FaultKind.UNUSABLE)
    error = error_without_answer(method, fault, consumes=consumes)
    error.__cause__ = fault
    return error


def error_of_code(method: Method, kind: type[GatewayError], row: ReturnCode, envelope: Envelope) -> GatewayError:
    """Return the error, named by the code's row, of a call that the gateway answered with a code other than 200."""
    what = f"{method.path}: {row.code}, {row.advice}"
    if row.code not in RETURN_CODES:
        what += f" (it says: {_redacted(envelope.message)})"
    if issubclass(kind, Postpone):
        return kind(what, retry_after_s=row.pause_s, code=row.code)
    if issubclass(kind, Refused):
        return kind(what, code=row.code)
    error = kind(what)
    error.code = row.code
    return error


def _redacted(message: str) -> str:
    """Return the gateway's message about an undocumented code, without text that could be a number or a key."""
    return re.sub(r"[\w-]*\d[\w-]*", "…", message)[:120]
