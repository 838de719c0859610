"""account/config: the settings of the account, to read; a call that would write one is 402.

The types are as mixed as in the spec's sample. Source: kavenegar-rest, account/config.
"""

from __future__ import annotations

from worker.sandbox.account import Account
from worker.sandbox.codes import Refusal
from worker.sandbox.envelope import Answer, Call

SETTINGS = ("apilogs", "debugmode", "defaultsender", "mincreditalarm", "resendfailed")


def answer(account: Account, call: Call) -> Answer:
    if any(call.params.get(setting) for setting in SETTINGS):
        raise Refusal(402)
    knobs = account.knobs
    return Answer(
        entries={
            "apilogs": "justfaults",
            "dailyreport": "disabled",
            "debugmode": "enabled" if knobs.debug_mode else "disabled",
            "defaultsender": knobs.default_sender,
            "mincreditalarm": "50000",
            "resendfailed": "true" if knobs.fates.get("resent") else "false",
        }
    )
