"""sms/statuslocalmessageid: where messages stand, by the caller's own ids, for 12 hours.

An id that was never sent, or longer ago, is answered with status 100, and with message id 0 or none at all (the knob
`unknown_localid`); localids come back as strings, as in the spec's sample. SMS and calls share their localids.
Source: kavenegar-rest, StatusByLocalid.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.arrangement import arranged
from kavenegar_sandbox.codes import STATUS_TEXT, UNKNOWN, Refusal
from kavenegar_sandbox.envelope import Answer, Call, Row
from kavenegar_sandbox.localids import localid
from kavenegar_sandbox.parameters import listed


def answer(account: Account, call: Call) -> Answer:
    ids = listed(call.params["localid"])
    if len(ids) > account.knobs.localid_status_limit:
        raise Refusal(414)
    account.tally.took(call.method, len(ids))
    now = account.clock.now()
    return Answer(entries=arranged(account, [_row(account, each, now) for each in ids]))


def _row(account: Account, asked: str, now: float) -> Row:
    ledger, window_s = account.ledger, account.knobs.localid_window_s
    row = ledger.localids.row(localid(asked))
    if row is None or now - ledger.starts_at[row] > window_s:
        nobody = {"localid": asked, "status": UNKNOWN, "statustext": STATUS_TEXT[UNKNOWN]}
        return nobody if account.knobs.unknown_localid == "absent" else {"messageid": 0, **nobody}
    status = account.status(row, now)
    return {
        "messageid": ledger.messageid(row),
        "localid": asked,
        "status": status,
        "statustext": STATUS_TEXT[status],
    }
