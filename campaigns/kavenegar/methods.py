"""The methods we call. Where the documentation names two limits, the smaller one holds here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """`sends`: a call that leaves without an answer may have reached people. `at_most`: rows a request, 0 for none."""

    path: str
    sends: bool = False
    at_most: int = 0

    def check_size(self, count: int) -> None:
        if not 0 < count <= self.at_most:
            raise ValueError(f"{self.path} takes 1 to {self.at_most} rows a request, not {count}")


SEND = Method("sms/send", sends=True, at_most=200)
SENDARRAY = Method("sms/sendarray", sends=True, at_most=200)
STATUS = Method("sms/status", at_most=500)
# 3,000 in the text, 500 in the table of errors.
STATUSLOCALMESSAGEID = Method("sms/statuslocalmessageid", at_most=500)
SELECT = Method("sms/select", at_most=500)
# 500 in the text, 200 in the table of errors. A write, but one that may be repeated: no send.
CANCEL = Method("sms/cancel", at_most=200)
COUNTOUTBOX = Method("sms/countoutbox")
ACCOUNT_INFO = Method("account/info")
ACCOUNT_CONFIG = Method("account/config")
GETDATE = Method("utils/getdate")

METHODS = (
    SEND,
    SENDARRAY,
    STATUS,
    STATUSLOCALMESSAGEID,
    SELECT,
    CANCEL,
    COUNTOUTBOX,
    ACCOUNT_INFO,
    ACCOUNT_CONFIG,
    GETDATE,
)
