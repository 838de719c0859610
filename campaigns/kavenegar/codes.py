"""The gateway's numbers, as tables: the meaning of each return code and each message status.

Sources. `table 1` and `table 2` are the tables of kavenegar-rest, `methods` the tables of errors beside its methods.
`seen` is a number that clients met on the real service although the documentation has no row for it; `ours` is our
reading of a number without any source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from kavenegar_campaigns.errors import (
    AccountBlocked,
    AnswerLost,
    AnswerUnclear,
    CampaignRefused,
    GatewayDown,
    GatewayError,
    OutcomeUnknown,
    Postpone,
    RecipientRefused,
    RequestRefused,
    TextRefused,
    Throttled,
)
from kavenegar_campaigns.rules.states import REFUNDED, MessageState

# The codes that other code compares with. Other modules use these names, never the numbers.
OK: Final = 200
OPERATION_FAILED: Final = 402
KEY_NOT_VALID: Final = 403
LINE_NEEDS_OUR_ADDRESS: Final = 407
BUSY: Final = 409
RECEPTOR_NOT_VALID: Final = 411
SENDER_NOT_OURS: Final = 412
TOO_MANY_ROWS: Final = 414
DATE_REFUSED: Final = 417
CREDIT_TOO_LOW: Final = 418
LENGTHS_DIFFER: Final = 419
NEEDS_ADVANCED_SERVICE: Final = 426
LINE_NOT_ALLOWED: Final = 427
ADDRESS_RESTRICTED: Final = 429
TOO_MANY_CALLS: Final = 451

TOO_MANY_CODES: Final = frozenset({ADDRESS_RESTRICTED, TOO_MANY_CALLS})
"""Too many calls from our address. BUSY is not one of these: then the gateway is busy for all callers."""
TOO_LARGE_CODES: Final = frozenset({TOO_MANY_ROWS, LENGTHS_DIFFER})
"""Refusals of a whole request that a smaller request may overcome. For a single message they are our defect."""
LINE_REFUSALS: Final = frozenset({LINE_NEEDS_OUR_ADDRESS, SENDER_NOT_OURS, NEEDS_ADVANCED_SERVICE, LINE_NOT_ALLOWED})
"""Refusals of a campaign that another line may overcome."""

Verdict = type[GatewayError] | Literal["ok", "empty"]
Source = Literal["table 1", "table 2", "methods", "seen", "ours"]


@dataclass(frozen=True, slots=True)
class ReturnCode:
    """The meaning of one `return.status`.

    `verdict` is "ok", "empty" (no rows, which is an answer), or the error to raise; `on_sends` replaces it where a
    send needs another error, `on_consuming` where a call marks the messages of its answer as read. `advice` tells an
    operator the cause and the remedy. `pause_s`: seconds until the next call, for verdicts that are a `Postpone`.
    """

    code: int
    verdict: Verdict
    source: Source
    advice: str
    on_sends: type[GatewayError] | None = None
    on_consuming: type[GatewayError] | None = None
    pause_s: float = 0.0

    def for_call(self, *, sends: bool, consumes: bool = False) -> Verdict:
        if sends and self.on_sends is not None:
            return self.on_sends
        return self.on_consuming if consumes and self.on_consuming is not None else self.verdict


RETURN_CODES: dict[int, ReturnCode] = {
    row.code: row
    for row in (
        ReturnCode(OK, "ok", "table 1", "accepted"),
        # ── try later: these codes do not say whether a message was created ──
        ReturnCode(
            OPERATION_FAILED,
            Postpone,
            "table 1",
            "the operation failed and no cause is given; we ask what was done, and try again",
            on_sends=OutcomeUnknown,
            on_consuming=AnswerLost,
            pause_s=30,
        ),
        ReturnCode(
            BUSY,
            Throttled,
            "table 1",
            "the gateway is busy; we ask what was done, and try again",
            on_sends=OutcomeUnknown,
            pause_s=2,
        ),
        ReturnCode(
            ADDRESS_RESTRICTED,
            Throttled,
            "table 1",
            "our IP address is restricted; if this lasts, call Kavenegar",
            pause_s=300,
        ),
        ReturnCode(
            TOO_MANY_CALLS,
            Throttled,
            "table 1",
            "too many calls from our IP address; every worker slows down",
            pause_s=60,
        ),
        # ── nothing found, which is an answer, except to a send ──
        ReturnCode(449, "empty", "seen", "no record matches", on_sends=CampaignRefused),
        # ── one receptor or one text of the request ──
        ReturnCode(
            RECEPTOR_NOT_VALID, RecipientRefused, "table 1", "a recipient's number is not valid; it is being isolated"
        ),
        ReturnCode(
            413,
            TextRefused,
            "table 1",
            "a text is empty or longer than the gateway takes; send a shorter one in a new campaign",
        ),
        ReturnCode(
            420,
            TextRefused,
            "table 1",
            "links are not allowed in your texts; ask Kavenegar, or send one without in a new campaign",
        ),
        ReturnCode(
            422,
            TextRefused,
            "table 1",
            "a text holds a character that cannot be sent; send one without it in a new campaign",
        ),
        # ── our request as a whole: a defect of this program ──
        ReturnCode(400, RequestRefused, "table 1", "a parameter is missing; report this as a defect"),
        ReturnCode(404, RequestRefused, "table 1", "the gateway has no such method; check the base URL"),
        ReturnCode(405, RequestRefused, "table 1", "wrong HTTP verb for this method; report this as a defect"),
        ReturnCode(406, RequestRefused, "table 1", "a mandatory parameter is empty; report this as a defect"),
        ReturnCode(TOO_MANY_ROWS, RequestRefused, "table 1", "too many rows in one request; report this as a defect"),
        ReturnCode(415, RequestRefused, "table 1", "the start index is beyond the end; report this as a defect"),
        ReturnCode(DATE_REFUSED, RequestRefused, "table 1", "the date is wrong or has passed; plan the campaign anew"),
        ReturnCode(LENGTHS_DIFFER, RequestRefused, "table 1", "the lists differ in length; report this as a defect"),
        ReturnCode(604, RequestRefused, "methods", "more than 200 numbers in one request; report this as a defect"),
        # ── the campaign's sender, line, tag, template or permission ──
        ReturnCode(
            LINE_NEEDS_OUR_ADDRESS,
            RequestRefused,
            "table 1",
            "this needs our IP address in the panel's security settings; add it there",
            on_sends=CampaignRefused,
        ),
        ReturnCode(
            SENDER_NOT_OURS,
            CampaignRefused,
            "table 1",
            "the sender is not a line of this account; resume with another line",
        ),
        ReturnCode(424, CampaignRefused, "table 1", "the template is missing or not approved; check it in the panel"),
        ReturnCode(
            NEEDS_ADVANCED_SERVICE,
            CampaignRefused,
            "table 1",
            "this needs the advanced service, or a sender; order or name one",
        ),
        ReturnCode(
            LINE_NOT_ALLOWED, CampaignRefused, "table 1", "this account may not use this line; ask Kavenegar for access"
        ),
        ReturnCode(428, CampaignRefused, "table 1", "a code can be called only if it is all digits; send it as SMS"),
        ReturnCode(
            431, CampaignRefused, "table 1", "a template value holds a blank or a separator; correct the values"
        ),
        ReturnCode(432, CampaignRefused, "table 1", "the template has no such placeholder; correct the template"),
        ReturnCode(501, CampaignRefused, "table 1", "the account is in test mode and reaches its owner's number only"),
        ReturnCode(607, CampaignRefused, "methods", "the tag is not defined; create it in the panel first"),
        # ── the account ──
        ReturnCode(401, AccountBlocked, "table 1", "the account is disabled; call Kavenegar"),
        ReturnCode(KEY_NOT_VALID, AccountBlocked, "table 1", "the API key is not valid; correct KAVENEGAR_API_KEY"),
        ReturnCode(416, AccountBlocked, "table 1", "our IP address is not the one in the panel's settings; correct it"),
        ReturnCode(
            CREDIT_TOO_LOW, AccountBlocked, "table 1", "the credit does not suffice; top up, and sending resumes"
        ),
        ReturnCode(430, AccountBlocked, "seen", "the account's identity is not verified; verify it in the panel"),
    )
}


def return_code(code: int) -> ReturnCode:
    """Return the row of a code. An undocumented one refuses the campaign: a person looks before more is sent.

    After an undocumented code, or an unlisted 5xx (the gateway's own failure), the outcome of a send is unknown.
    """
    row = RETURN_CODES.get(code)
    if row is not None:
        return row
    if 500 <= code <= 599:
        return ReturnCode(
            code,
            GatewayDown,
            "ours",
            "the gateway failed",
            on_sends=OutcomeUnknown,
            on_consuming=AnswerLost,
            pause_s=5,
        )
    return ReturnCode(
        code,
        CampaignRefused,
        "ours",
        "an undocumented code; ask Kavenegar what it means, then resume",
        on_sends=AnswerUnclear,
    )


@dataclass(frozen=True, slots=True)
class Status:
    """The meaning of one message `status`. `state` is our name for a verdict, None for a status that is no verdict.

    `final`: no other status follows, except that 11 may still become 10 when the account lets the gateway resend.
    `refunded`: the cost comes back.
    """

    status: int
    state: MessageState | None
    meaning: str
    source: Source = "table 2"

    @property
    def refunded(self) -> bool:
        return self.state in REFUNDED

    @property
    def final(self) -> bool:
        return self.state is not None


NO_LONGER_KNOWN: Final = 100

STATUSES: dict[int, Status] = {
    row.status: row
    for row in (
        Status(1, None, "queued at the gateway"),
        Status(2, None, "scheduled at the gateway"),
        Status(4, None, "handed to the operator"),
        Status(5, None, "handed to the operator, as 4"),
        Status(6, MessageState.FAILED, "failed at the sending line"),
        Status(10, MessageState.DELIVERED, "delivered"),
        Status(11, MessageState.UNDELIVERED, "not delivered: the phone is off or out of reach"),
        Status(13, MessageState.CANCELLED, "cancelled, or a problem in sending"),
        Status(14, MessageState.BLOCKED, "the recipient takes no advertising"),
        Status(50, None, "received: an inbound message", source="seen"),
        Status(NO_LONGER_KNOWN, None, "no longer known to the gateway, which is no verdict"),
    )
}


def known_status(status: int) -> int | None:
    """Return the status; None for 100, with which the gateway says that it does not know the message any more."""
    return None if status == NO_LONGER_KNOWN else status


def final_state(status: int) -> MessageState | None:
    """Return our message state for a gateway status; None where the status is no verdict, or undocumented."""
    row = STATUSES.get(status)
    return None if row is None else row.state


def message_state(status: int) -> MessageState:
    """Return the state of a message that the gateway has under this status: without a verdict it is accepted."""
    return final_state(status) or MessageState.ACCEPTED
