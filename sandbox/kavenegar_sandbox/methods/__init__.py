"""The methods of the service: a file for each topic, and the table of methods.

A new method is a function `method(account, call) -> Answer` and a row in METHODS. It may raise Refusal(code).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.methods import account, blocklist, inbox, messages, otp_and_voice, outbox, statuses
from kavenegar_sandbox.protocol import Answer, Call

Handler = Callable[[Account, Call], Answer]
GET_OR_POST = frozenset({"GET", "POST"})


@dataclass(frozen=True, slots=True)
class Method:
    """A method and what the gateway checks before it runs. A required parameter that is absent is 400, empty 406."""

    answer: Handler
    required: tuple[str, ...] = ()
    verbs: frozenset[str] = GET_OR_POST  # any other is 405
    open_key: bool = False  # also answers to the key "0"


METHODS: dict[str, Method] = {
    "sms/send": Method(messages.send, required=("receptor", "message")),
    "sms/sendarray": Method(messages.send_array, required=("receptor", "sender", "message"), verbs=frozenset({"POST"})),
    "sms/status": Method(statuses.status, required=("messageid",)),
    "sms/statuslocalmessageid": Method(statuses.status_by_localid, required=("localid",)),
    "sms/statusbyreceptor": Method(statuses.status_by_receptor, required=("receptor", "startdate")),
    "sms/select": Method(outbox.select, required=("messageid",)),
    "sms/selectoutbox": Method(outbox.select_outbox, required=("startdate",)),
    "sms/latestoutbox": Method(outbox.latest_outbox),
    "sms/countoutbox": Method(outbox.count_outbox, required=("startdate",)),
    "sms/cancel": Method(messages.cancel, required=("messageid",)),
    "sms/receive": Method(inbox.receive, required=("linenumber", "isread")),
    "sms/inboxpaged": Method(inbox.inbox_paged, required=("linenumber", "isread")),
    "sms/countinbox": Method(inbox.count_inbox, required=("startdate",)),
    "line/blocked/list": Method(blocklist.blocked_list, required=("linenumber",)),
    "line/blocked/add": Method(blocklist.blocked_add, required=("linenumber", "receptor"), verbs=frozenset({"POST"})),
    "line/blocked/exists": Method(blocklist.blocked_exists, required=("linenumber", "receptor")),
    "line/blocked/remove": Method(
        blocklist.blocked_remove, required=("linenumber", "receptor"), verbs=frozenset({"DELETE"})
    ),
    "verify/lookup": Method(otp_and_voice.lookup, required=("receptor", "token", "template")),
    "call/maketts": Method(otp_and_voice.make_tts, required=("receptor", "message")),
    "account/info": Method(account.info),
    "account/config": Method(account.config),
    "utils/getdate": Method(account.get_date, open_key=True),
}

UNKNOWN = "unknown"  # counts every method that is not in the specification


def spec_name(asked: str) -> str:
    """Return the method's name in the specification, or UNKNOWN."""
    return asked if asked in METHODS else UNKNOWN
