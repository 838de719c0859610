"""Every error of this package, drawn as a tree. Each class says what the caller does next.

    CampaignsError
    ├── BadInput              tell the operator: the row, the value, and what would be right
    │   ├── NotFound          there is no such campaign
    │   └── KeyConflict       the client key was used before with other content
    ├── IllegalMove           the state does not allow it; says which state and what is possible
    ├── NotReady              the database cannot be upgraded now: tell the operator what is in the way
    └── GatewayError          what a call to Kavenegar can end in, beside an answer
        ├── Postpone          not now: try again after `retry_after_s`; with a `code`, the gateway itself said so
        │   ├── GatewayDown   no connection, or a read that got no usable answer
        │   │   └── AnswerLost     it marked messages read as it handed them out: look among the read ones as well
        │   └── Throttled     451, 429, and 409 to a read: everybody who shares the address slows down
        ├── OutcomeUnknown    a send left and no clear answer came: ask by localid, never send blindly
        │   └── AnswerUnclear      it was answered with a code that nobody has documented: a person has to look, too
        └── Refused           the gateway answered no, and `code` says why: a send is asked about before it is repeated
            ├── RecipientRefused   split the batch until the guilty number stands alone (411)
            ├── TextRefused        split the batch until the guilty text stands alone (413, 420, 422)
            ├── RequestRefused     our request is wrong as a whole (400, 404, 405, 406, 414, 417, 419)
            ├── CampaignRefused    pause this campaign until a person mends it (412, 607, 427 …)
            └── AccountBlocked     stop all sending for the account (401, 403, 416, 418, 430)

No message ever holds the API key, a message text or a full phone number.
"""

from __future__ import annotations


class CampaignsError(Exception):
    """The root: catching it catches everything this package raises on purpose."""


class BadInput(CampaignsError):
    """What somebody gave us cannot be used.

    `what` is a sentence for a person: the value at fault and what would be right. `row` is the row of the
    file as a spreadsheet numbers it (the first line is 1), where a row is at fault.
    """

    def __init__(self, what: str, *, row: int | None = None) -> None:
        super().__init__(what if row is None else f"row {row}: {what}")
        self.row = row


class NotFound(BadInput):
    """There is no such campaign."""


class KeyConflict(BadInput):
    """The client key belongs to a campaign with other content."""


class IllegalMove(CampaignsError):
    """The state does not allow this move."""


class NotReady(CampaignsError):
    """The database cannot be upgraded now: a lock, a missing right, a newer version. The sentence says what to do."""


class GatewayError(CampaignsError):
    """A call to the gateway ended in something other than a usable answer."""

    code: int | None = None


class Postpone(GatewayError):
    """Not now: try again after `retry_after_s` seconds. Nothing left this machine, unless the gateway gave a `code`."""

    def __init__(self, what: str, *, retry_after_s: float, code: int | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s
        self.code = code


class GatewayDown(Postpone):
    """No connection could be made, or a read got no usable answer."""


class AnswerLost(GatewayDown):
    """A call that marks inbound messages read left, and its answer did not come whole.

    What it would have handed out may be marked read by now. Asking again hands out the next messages and hides the
    loss: whoever asked looks among the read ones too.
    """


class Throttled(Postpone):
    """The gateway (451, 429; 409 to a read) or our own shared pace says: not now."""


class OutcomeUnknown(GatewayError):
    """The request left this machine and no clear answer came back: it may or may not have been accepted.

    `code` is the gateway's, where it answered with one that says nothing about what it has done (402, 409, 5xx).
    """


class AnswerUnclear(OutcomeUnknown):
    """The gateway answered with a code that nobody has documented: nothing more is sent until a person has looked."""


class Refused(GatewayError):
    """The gateway answered no, with `code`. That it has done nothing is not documented: of a send, it is asked."""

    def __init__(self, what: str, *, code: int) -> None:
        super().__init__(what)
        self.code: int = code


class RecipientRefused(Refused):
    """A receptor of the request is at fault: halve the batch until it stands alone."""


class TextRefused(Refused):
    """A text of the request is at fault: halve the batch until it stands alone."""


class RequestRefused(Refused):
    """The request is wrong as a whole, which is our bug."""


class CampaignRefused(Refused):
    """This campaign cannot be sent until a person mends its sender, line, text or permission."""


class AccountBlocked(Refused):
    """The account, its key, its address or its credit stops all sending."""
