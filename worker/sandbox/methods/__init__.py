"""The methods of the service: one file each, and the table that names them.

A new method is a file with `answer(account, call) -> Answer`, and a row here. It may raise Refusal(code).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from worker.sandbox.account import Account
from worker.sandbox.envelope import Answer, Call
from worker.sandbox.methods import (
    account_config,
    account_info,
    cancel,
    count_outbox,
    get_date,
    select,
    send,
    send_array,
    status,
    status_by_localid,
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
    "sms/select": Method(select.answer, required=("messageid",)),
    "sms/countoutbox": Method(count_outbox.answer, required=("startdate",)),
    "sms/cancel": Method(cancel.answer, required=("messageid",)),
    "account/info": Method(account_info.answer),
    "account/config": Method(account_config.answer),
    "utils/getdate": Method(get_date.answer, open_key=True),
}

UNKNOWN = "unknown"  # how a method that is not in the spec is counted, whatever it was called

NOT_OFFERED = frozenset(  # in the spec, not in this sandbox: 402
    {
        "sms/statusbyreceptor",
        "sms/selectoutbox",
        "sms/latestoutbox",
        "sms/receive",
        "sms/inboxpaged",
        "sms/countinbox",
        "line/blocked/list",
        "line/blocked/add",
        "line/blocked/exists",
        "line/blocked/remove",
        "verify/lookup",
        "call/maketts",
    }
)


def spec_name(asked: str) -> str:
    """The method's name in the spec, UNKNOWN where it has none."""
    return asked if asked in METHODS or asked in NOT_OFFERED else UNKNOWN
