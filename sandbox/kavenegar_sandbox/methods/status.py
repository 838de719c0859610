"""sms/status: where messages stand, by message id; 100 for what is unknown or older than 48 hours.

Source: kavenegar-rest, sms/status.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.arrangement import arranged
from kavenegar_sandbox.codes import STATUS_TEXT, UNKNOWN, Refusal
from kavenegar_sandbox.envelope import Answer, Call, Row
from kavenegar_sandbox.parameters import message_ids


def answer(account: Account, call: Call) -> Answer:
    ids = message_ids(call.params["messageid"])
    if len(ids) > account.knobs.status_limit:
        raise Refusal(414)
    account.tally.took(call.method, len(ids))
    now = account.clock.now()
    return Answer(entries=arranged(account, [_row(account, messageid, now) for messageid in ids]))


def _row(account: Account, messageid: int, now: float) -> Row:
    row = account.ledger.row(messageid)
    status = UNKNOWN if row is None else account.status(row, now)
    return {"messageid": messageid, "status": status, "statustext": STATUS_TEXT[status]}
