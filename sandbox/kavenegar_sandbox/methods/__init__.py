"""The methods of the service: one file each, and the table that names them.

A new method is a file with `answer(account, call) -> Answer`, and a row here. It may raise Refusal(code).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.methods import (
    account_config,
    account_info,
    blocked_add,
    blocked_exists,
    blocked_list,
    blocked_remove,
    cancel,
    count_inbox,
    count_outbox,
    get_date,
    inbox_paged,
    latest_outbox,
    lookup,
    make_tts,
    receive,
    select,
    select_outbox,
    send,
    send_array,
    status,
    status_by_localid,
    status_by_receptor,
)

Handler = Callable[[Account, Call], Answer]
GET_OR_POST = frozenset({"GET", "POST"})


@dataclass(frozen=True, slots=True)
class Method:
    """What the gateway checks before a handler is asked. `required`: absent is 400, empty is 406."""

    answer: Handler
    required: tuple[str, ...] = ()
    verbs: frozenset[str] = GET_OR_POST  # any other is 405
    open_key: bool = False  # answers to the key "0" as well


METHODS: dict[str, Method] = {
    "sms/send": Method(send.answer, required=("receptor", "message")),
    "sms/sendarray": Method(send_array.answer, required=("receptor", "sender", "message"), verbs=frozenset({"POST"})),
    "sms/status": Method(status.answer, required=("messageid",)),
    "sms/statuslocalmessageid": Method(status_by_localid.answer, required=("localid",)),
    "sms/statusbyreceptor": Method(status_by_receptor.answer, required=("receptor", "startdate")),
    "sms/select": Method(select.answer, required=("messageid",)),
    "sms/selectoutbox": Method(select_outbox.answer, required=("startdate",)),
    "sms/latestoutbox": Method(latest_outbox.answer),
    "sms/countoutbox": Method(count_outbox.answer, required=("startdate",)),
    "sms/cancel": Method(cancel.answer, required=("messageid",)),
    "sms/receive": Method(receive.answer, required=("linenumber", "isread")),
    "sms/inboxpaged": Method(inbox_paged.answer, required=("linenumber", "isread")),
    "sms/countinbox": Method(count_inbox.answer, required=("startdate",)),
    "line/blocked/list": Method(blocked_list.answer, required=("linenumber",)),
    "line/blocked/add": Method(blocked_add.answer, required=("linenumber", "receptor"), verbs=frozenset({"POST"})),
    "line/blocked/exists": Method(blocked_exists.answer, required=("linenumber", "receptor")),
    "line/blocked/remove": Method(
        blocked_remove.answer, required=("linenumber", "receptor"), verbs=frozenset({"DELETE"})
    ),
    "verify/lookup": Method(lookup.answer, required=("receptor", "token", "template")),
    "call/maketts": Method(make_tts.answer, required=("receptor", "message")),
    "account/info": Method(account_info.answer),
    "account/config": Method(account_config.answer),
    "utils/getdate": Method(get_date.answer, open_key=True),
}

UNKNOWN = "unknown"  # how a method that is not in the spec is counted, whatever it was called


def spec_name(asked: str) -> str:
    """The method's name in the spec, UNKNOWN where it has none."""
    return asked if asked in METHODS else UNKNOWN
