"""Every error of this package, drawn as a tree. Each class says what the caller does next.

    CampaignsError
    ├── BadInput              tell the operator: the row, the value, and what would be right
    │   ├── NotFound          there is no such campaign
    │   └── KeyConflict       the client key was used before with other content
    ├── IllegalMove           the state does not allow it; says which state and what is possible
    ├── NotReady              the database cannot be upgraded now: tell the operator what is in the way
    ├── DatabaseFailed        PostgreSQL did not do it: roll back; if `retryable`, run the whole transaction again
    │   ├── SchemaMissing     the database has not our tables, or not these: run `campaigns migrate`
    │   └── LockTimeout       another transaction holds what this one needs: roll back, run it again later
    └── GatewayError          a call to Kavenegar ended without a usable answer
        ├── Postpone          not now: try again after `retry_after_s`; with a `code`, the gateway itself said so
        │   ├── GatewayDown   no connection, or a read that got no usable answer
        │   │   └── AnswerLost     the call marks messages read and its answer is lost: look among the read ones, too
        │   └── Throttled     451, 429, and 409 to a read: all clients of this address slow down
        ├── OutcomeUnknown    a send left and no clear answer came: ask by localid, never send blindly
        │   └── AnswerUnclear      the answer has an undocumented code: a person has to look, too
        └── Refused           the gateway refused with `code`: it is asked about a send before the send is repeated
            ├── RecipientRefused   halve the batch until the number at fault stands alone (411)
            ├── TextRefused        halve the batch until the text at fault stands alone (413, 420, 422)
            ├── RequestRefused     our request is wrong as a whole (400, 404, 405, 406, 414, 417, 419)
            ├── CampaignRefused    pause this campaign until a person fixes it (412, 607, 427 …)
            └── AccountBlocked     stop all sending for the account (401, 403, 416, 418, 430)

No message ever holds the API key, a message text or a full phone number.

An error survives pickle, copy and a result backend of Celery in JSON: its class takes `args` again, and `args` holds
all that the class was given.
"""

from __future__ import annotations


class CampaignsError(Exception):
    """The root of the tree: catch it to catch every error that this package raises on purpose."""


class BadInput(CampaignsError):
    """The caller's input cannot be used.

    `what` is a sentence for a person: the value at fault and a right value. `row` is the row at fault, if there is one,
    as a spreadsheet numbers it (the first line is 1).
    """

    def __init__(self, what: str, row: int | None = None) -> None:
        super().__init__(*((what,) if row is None else (what, row)))
        self.row = row

    def __str__(self) -> str:
        """Return the sentence, which begins with the row at fault if there is one."""
        return super().__str__() if self.row is None else f"row {self.row}: {self.args[0]}"


class NotFound(BadInput):
    """There is no such campaign."""


class KeyConflict(BadInput):
    """The client key belongs to a campaign with other content."""


class IllegalMove(CampaignsError):
    """The state does not allow this move."""


class NotReady(CampaignsError):
    """The database cannot be upgraded now: a lock, a missing right, a newer version. The message says how to go on."""


class DatabaseFailed(CampaignsError):
    """PostgreSQL did not do what it was asked for. Roll your transaction back.

    A function of `campaigns` that raises it has changed nothing. If you go on instead, your transaction is as it was
    before the call, unless the connection is lost or the transaction had failed before.

    `sqlstate` is PostgreSQL's code of five characters; None where the connection was lost or could not be made.
    `primary_message` is what PostgreSQL said, without the row and the statement that stand below it. `retryable` tells
    whether the whole transaction, run again from its beginning, may succeed: after a serialization failure, a deadlock,
    a lock that was held for too long, a lost connection.

    It never holds a parameter, a row or a statement.
    """

    def __init__(
        self, what: str, sqlstate: str | None = None, primary_message: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(what, sqlstate, primary_message, retryable)
        self.sqlstate = sqlstate
        self.primary_message = primary_message
        self.retryable = retryable

    def __str__(self) -> str:
        """Return the sentence alone: `args` also holds the attributes."""
        return str(self.args[0])


class SchemaMissing(DatabaseFailed):
    """The database has not our tables, or those of another version: run `campaigns migrate`."""


class LockTimeout(DatabaseFailed):
    """Another transaction held a lock that this one needs for some seconds: roll back, and run it again later."""


class GatewayError(CampaignsError):
    """A call to the gateway ended without a usable answer."""

    code: int | None = None

    def __str__(self) -> str:
        """Return the sentence alone: `args` also holds the attributes."""
        return str(self.args[0]) if self.args else ""


class Postpone(GatewayError):
    """Not now: try again after `retry_after_s` seconds. No request left this machine, unless there is a `code`."""

    def __init__(self, what: str, retry_after_s: float, code: int | None = None) -> None:
        super().__init__(what, retry_after_s, code)
        self.retry_after_s = retry_after_s
        self.code = code


class GatewayDown(Postpone):
    """No connection could be made, or a read got no usable answer."""


class AnswerLost(GatewayDown):
    """A call that marks inbound messages read left, and its answer did not arrive whole.

    The messages of the lost answer may be marked read by now. A second call returns the next messages and hides the
    loss: the caller looks among the read messages, too.
    """


class Throttled(Postpone):
    """The gateway (451, 429; 409 to a read) or our own shared pace allows no call now."""


class OutcomeUnknown(GatewayError):
    """The request left this machine and no clear answer came back: the gateway may or may not have accepted it.

    `code` is the gateway's, if it answered with a code that does not say whether it accepted the request (402, 409,
    5xx).
    """


class AnswerUnclear(OutcomeUnknown):
    """The gateway answered with an undocumented code: no more batches are sent until a person has looked."""


class Refused(GatewayError):
    """The gateway refused with `code`. It is not documented that it did nothing: after a send, we ask the gateway."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what, code)
        self.code: int = code


class RecipientRefused(Refused):
    """A receptor of the request is at fault: halve the batch until it stands alone."""


class TextRefused(Refused):
    """A text of the request is at fault: halve the batch until it stands alone."""


class RequestRefused(Refused):
    """The request is wrong as a whole, which is our bug."""


class CampaignRefused(Refused):
    """This campaign cannot be sent until a person fixes its sender, line, text or permission."""


class AccountBlocked(Refused):
    """All sending stops because of the account, its key, its address or its credit."""
