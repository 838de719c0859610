"""sms/selectoutbox: what set out within a day, up to 500 records from its start on; there is no next page.

For a registered address only (407 without). Source: kavenegar-rest, sms/selectoutbox.
"""

from __future__ import annotations

from itertools import islice

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.outbox import listable, listing, recent_span, registered, rows_between


def answer(account: Account, call: Call) -> Answer:
    registered(account)
    start, end = recent_span(account, call.params["startdate"], call.params.get("enddate", ""))
    rows = listable(account, rows_between(account, start, end), call.params.get("sender", ""))
    return listing(account, islice(rows, account.knobs.outbox_limit))
