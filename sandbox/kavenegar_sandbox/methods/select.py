"""sms/select: whole records by message id, for a registered address only (407 without).

How long the service keeps what it selects from is not published; here as long as sms/status answers.
Source: kavenegar-rest, sms/select.
"""

from __future__ import annotations

from kavenegar_sandbox.acceptance import record
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.arrangement import arranged
from kavenegar_sandbox.codes import STATUS_TEXT, UNKNOWN, Refusal
from kavenegar_sandbox.envelope import Answer, Call, Row
from kavenegar_sandbox.outbox import registered
from kavenegar_sandbox.parameters import message_ids


def answer(account: Account, call: Call) -> Answer:
    registered(account)
    ids = message_ids(call.params["messageid"])
    if len(ids) > account.knobs.status_limit:
        raise Refusal(414)
    account.tally.took(call.method, len(ids))
    now = account.clock.now()
    return Answer(entries=arranged(account, [_row(account, messageid, now) for messageid in ids]))


def _row(account: Account, messageid: int, now: float) -> Row:
    row = account.ledger.row(messageid)
    if row is None or account.status(row, now) == UNKNOWN:
        return _no_record(messageid)
    return record(account, row, now)


def _no_record(messageid: int) -> Row:
    return {
        "messageid": messageid,
        "message": "",
        "status": UNKNOWN,
        "statustext": STATUS_TEXT[UNKNOWN],
        "sender": "",
        "receptor": "",
        "date": 0,
        "cost": 0,
    }
