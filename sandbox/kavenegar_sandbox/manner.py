"""How a message goes out, beyond its text: what a request says of it, and the ledger and the listings show.

Source: kavenegar-rest, sms/send (type, hide, tag, policy), verify/lookup (type), call/maketts (repeat), table 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.parameters import BLANK

SMS, OTP, CALL = "sms", "otp", "call"  # sms/send and sms/sendarray, verify/lookup, call/maketts
NORMAL_DISPLAY = 1
_DISPLAYS = frozenset("0123")  # flash, normal, on the SIM, in the application
_LINES_WITH_DISPLAYS = "3000"  # on any other line every message is a normal one


@dataclass(frozen=True, slots=True)
class Manner:
    """The same for many messages, so that the ledger stores each different one once."""

    kind: str = SMS
    voice: bool = False  # spoken: every call, and a one-time password by telephone
    hidden: bool = False  # its receptor is kept out of listings
    tag: str = ""
    policy: str = ""  # the flow of sending made in the panel
    display: int = NORMAL_DISPLAY
    repeat: int = 0  # how often a call that is not answered is made again


PLAIN = Manner()


def display(raw: str, line: str) -> int:
    """A display type as given with a message of `line`. Raises Refusal(400) for what table 3 does not have."""
    if raw in BLANK:
        return NORMAL_DISPLAY
    if raw not in _DISPLAYS:
        raise Refusal(400)
    return int(raw) if line.startswith(_LINES_WITH_DISPLAYS) else NORMAL_DISPLAY


def is_hidden(raw: str) -> bool:
    """`hide` is 1; any other value hides nothing."""
    return raw.strip() == "1"
