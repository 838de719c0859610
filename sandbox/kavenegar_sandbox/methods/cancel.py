"""sms/cancel: take scheduled messages back, with their cost; any other keeps the status it has.

Source: kavenegar-rest, sms/cancel (500 in the text, "412: more than 200" in its table of errors: 200 holds here).
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.codes import SCHEDULED, STATUS_TEXT, UNKNOWN, Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.parameters import message_ids


def answer(account: Account, call: Call) -> Answer:
    ids = message_ids(call.params["messageid"])
    if len(ids) > account.knobs.cancel_limit:
        raise Refusal(412)
    account.tally.took(call.method, len(ids))
    now = account.clock.now()
    rows = [account.ledger.row(messageid) for messageid in ids]
    waiting = {row for row in rows if row is not None and account.status(row, now) == SCHEDULED}
    account.cancel(sorted(waiting))
    statuses = [UNKNOWN if row is None else account.status(row, now) for row in rows]
    return Answer(
        entries=[
            {"messageid": messageid, "status": status, "statustext": STATUS_TEXT[status]}
            for messageid, status in zip(ids, statuses, strict=True)
        ]
    )
