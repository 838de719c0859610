"""The methods of the gateway: the purpose of each, its limits, its codes, and where the worker uses it.

Where the documentation names two limits, this table has the smaller one. `docs/methods.md` is written from this table.
The sizes and windows that the store needs too are in `rules`; all others are here, and the stages take them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kavenegar_campaigns.rules.batches import BATCH_SIZE, LOCALID_WINDOW, POLL_SIZE, STATUS_WINDOW

HOUR_S = 3600
DAY_S = 24 * HOUR_S
# A start at the limit has passed it by the time the gateway reads it.
START_MARGIN_S = 60

# Codes that every method can answer: table 1 and the tables before the methods (L59, L85).
COMMON_CODES = (400, 401, 402, 403, 404, 405, 406, 409, 416, 429, 430, 451)
# Further codes that every send can answer (L139).
SEND_CODES = (407, 411, 412, 413, 414, 417, 418, 420, 422, 427, 501, 607)


@dataclass(frozen=True, slots=True)
class Method:
    """One method.

    `section` is its heading in kavenegar-rest and the heading's line. `purpose` and `used_by` are for an operator.
    `codes` are its possible codes beside `COMMON_CODES`. `verbs` are the documented HTTP verbs, `verb` is ours.
    `sends`: a call that leaves without an answer may have reached people. `consumes`: the answer's unread messages are
    marked as read. `max_rows`: rows a request, 0 for none; `max_answer_rows`: rows an answer.
    `max_span_s`: the longest span of a request, `max_age_s`: how far back it may begin, `known_for_s`: how long the
    gateway knows a message.
    """

    path: str
    section: str
    purpose: str
    used_by: str
    codes: tuple[int, ...] = ()
    verbs: str = "GET or POST"
    verb: str = "POST"
    sends: bool = False
    consumes: bool = False
    max_rows: int = 0
    max_answer_rows: int = 0
    max_span_s: int = 0
    max_age_s: int = 0
    known_for_s: int = 0

    @property
    def max_span(self) -> timedelta:
        """Return the longest span of a request. A span includes both ends: in whole seconds it ends one earlier."""
        return timedelta(seconds=self.max_span_s)

    @property
    def max_age(self) -> timedelta:
        """Return how far back a span may begin."""
        return timedelta(seconds=self.max_age_s)

    def earliest(self, now: float) -> int:
        """Return the earliest start, in unix time, that the gateway accepts in the minute after `now`."""
        return int(now) - self.max_age_s + START_MARGIN_S


GETDATE = Method("utils/getdate", "REST API, L14", "the gateway's clock", "`campaigns doctor`: are the clocks right?")

# ── sends ──

SEND = Method(
    "sms/send",
    "Send, L147",
    "one text to many receptors",
    "campaigns whose text is the same for all",
    codes=(*SEND_CODES, 426),
    sends=True,
    max_rows=BATCH_SIZE,
)
SENDARRAY = Method(
    "sms/sendarray",
    "SendArray, L245",
    "to each receptor a text and a sender of its own",
    "campaigns with a text of each recipient's own",
    codes=(*SEND_CODES, 419, 426),
    verbs="POST",
    sends=True,
    max_rows=BATCH_SIZE,
)
LOOKUP = Method(
    "verify/lookup",
    "Lookup, L1370",
    "a code in an approved template, as SMS or as a call",
    "one-time passwords",
    codes=(411, 418, 422, 424, 426, 428, 431, 432, 607),
    sends=True,
    max_rows=1,
)
MAKETTS = Method(
    "call/maketts",
    "TTS, L1481",
    "a text read out on the phone",
    "voice campaigns",
    codes=SEND_CODES,
    sends=True,
    max_rows=BATCH_SIZE,
)

# ── statuses and cancelling ──

STATUS = Method(
    "sms/status",
    "Status, L360",
    "where messages stand",
    "polls",
    codes=(414, 449),
    max_rows=POLL_SIZE,
    known_for_s=int(STATUS_WINDOW.total_seconds()),
)
# 3,000 in the text, 500 in the table of errors.
STATUSLOCALMESSAGEID = Method(
    "sms/statuslocalmessageid",
    "StatusByLocalid, L426",
    "where messages stand, by our own ids",
    "what became of sends that got no answer",
    codes=(414, 449),
    max_rows=500,
    known_for_s=int(LOCALID_WINDOW.total_seconds()),
)
STATUSBYRECEPTOR = Method(
    "sms/statusbyreceptor",
    "StatusByReceptor, L488",
    "what went to one number in a day",
    "`campaigns number`: one person's messages at the gateway; `campaigns verify`",
    codes=(411, 417, 449),
    max_rows=1,
    max_span_s=DAY_S,
)
SELECT = Method(
    "sms/select",
    "Select, L542",
    "whole messages by their ids",
    "a closer look at sends that got no answer, `campaigns verify` (`SELECT_ALLOWED`)",
    codes=(407, 414, 449),
    max_rows=500,
)
# 500 in the text, 200 in the table of errors. A write that may be repeated, and no send.
CANCEL = Method(
    "sms/cancel",
    "Cancel, L868",
    "take scheduled messages back",
    "cancelled campaigns that wait at the gateway",
    codes=(412, 414, 449),
    max_rows=200,
)

# ── the outbox ──

SELECTOUTBOX = Method(
    "sms/selectoutbox",
    "SelectOutbox, L626",
    "what was sent in a span of time",
    "`campaigns outbox`",
    codes=(407, 412, 417, 449),
    max_answer_rows=500,
    max_span_s=DAY_S,
    max_age_s=3 * DAY_S - START_MARGIN_S,
)
# 500 in the text, 200 in the list of changes.
LATESTOUTBOX = Method(
    "sms/latestoutbox",
    "LatestOutBox, L712",
    "what was sent last",
    "`campaigns outbox`",
    codes=(407, 412, 449),
    max_answer_rows=200,
)
COUNTOUTBOX = Method(
    "sms/countoutbox",
    "CountOutbox, L805",
    "how many messages and parts were sent, and their cost",
    "`campaigns ledger`, `campaigns verify`",
    codes=(417, 449),
    max_answer_rows=1,
    max_span_s=DAY_S,
    max_age_s=3 * DAY_S - START_MARGIN_S,
)

# ── the inbox ──

RECEIVE = Method(
    "sms/receive",
    "Receive, L933",
    "messages people sent to a line",
    "the inbox pull",
    codes=(412, 449),
    consumes=True,
    max_answer_rows=100,
)
INBOXPAGED = Method(
    "sms/inboxpaged",
    "InboxPaged, L994",
    "messages people sent to a line, by time and page",
    "the inbox's reconciling pass",
    codes=(412, 417, 449),
    consumes=True,
    max_answer_rows=200,
    max_span_s=2 * DAY_S,
)
COUNTINBOX = Method(
    "sms/countinbox",
    "CountInbox, L1310",
    "how many messages people sent",
    "`campaigns inbox check`",
    codes=(412, 417, 449),
    max_answer_rows=1,
    max_span_s=DAY_S,
    max_age_s=60 * DAY_S,
)

# ── block lists ──

BLOCKED_LIST = Method(
    "line/blocked/list",
    "blockedlist, L1074",
    "the numbers that a line does not reach",
    "`campaigns suppress sync`",
    codes=(412, 417, 449),
    max_answer_rows=200,
)
BLOCKED_ADD = Method(
    "line/blocked/add",
    "blocked-add, L1138",
    "block numbers for a line",
    "`campaigns suppress sync`",
    codes=(411, 412, 604),
    max_rows=200,
)
# The sample is a GET, and the documentation does not require one: a POST keeps the numbers out of the URL.
BLOCKED_EXISTS = Method(
    "line/blocked/exists",
    "blocked-exists, L1202",
    "whether a line reaches numbers",
    "`campaigns suppress check`",
    codes=(411, 412, 449, 604),
    max_rows=200,
)
BLOCKED_REMOVE = Method(
    "line/blocked/remove",
    "blocked-remove, L1263",
    "unblock numbers that the panel or the API blocked",
    "`campaigns suppress sync`",
    codes=(411, 412, 449, 604),
    verbs="DELETE",
    verb="DELETE",
    max_rows=50,
)

# ── the account ──

ACCOUNT_INFO = Method("account/info", "Info, L1560", "the credit", "credit watch")
ACCOUNT_CONFIG = Method(
    "account/config",
    "Config, L1609",
    "the account's settings, read or changed",
    "`campaigns account config`, debug mode watch",
    codes=(407, 412),
)

METHODS = (
    *(GETDATE, SEND, SENDARRAY, LOOKUP, MAKETTS),
    *(STATUS, STATUSLOCALMESSAGEID, STATUSBYRECEPTOR, SELECT, CANCEL),
    *(SELECTOUTBOX, LATESTOUTBOX, COUNTOUTBOX),
    *(RECEIVE, INBOXPAGED, COUNTINBOX),
    *(BLOCKED_LIST, BLOCKED_ADD, BLOCKED_EXISTS, BLOCKED_REMOVE),
    *(ACCOUNT_INFO, ACCOUNT_CONFIG),
)
