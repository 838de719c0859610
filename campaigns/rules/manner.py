"""How a campaign reaches people: as SMS or as calls, and what goes along with every message beside its text.

Sources: kavenegar-rest, Send (type, hide, tag, policy), TTS (repeat, tag; no sender), table 3 (the types).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, TypedDict

from campaigns.errors import BadInput
from campaigns.rules.phone import normalise_line
from campaigns.rules.tag import is_tag


class Kind(StrEnum):
    """How people are reached."""

    SMS = "sms"
    VOICE = "voice"  # a call, in which the text is read out


TYPES: Final[Mapping[str, int]] = {"flash": 0, "normal": 1, "sim": 2, "app": 3}
"""How a phone shows an SMS, by our word for it: at once and not kept, as usual, on the SIM card, to an application."""

TYPED_LINES: Final = "3000"
"""Lines that begin so let a campaign choose the type of its messages."""

REPEATS: Final = range(6)

LONGEST_POLICY: Final = 200

_A: Final[Mapping[Kind, str]] = {Kind.SMS: "an SMS", Kind.VOICE: "a call"}

# What only one kind can carry, and what it is called.
_ONLY: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.SMS: {"policy": "policy", "hide": "hide", "message_type": "type"},
    Kind.VOICE: {"repeat": "repeat"},
}


@dataclass(frozen=True, slots=True)
class Manner:
    """What every message of a campaign has in common beside text and sender. None: the gateway's own default."""

    kind: Kind = Kind.SMS
    repeat: int | None = None  # how often a call that reached nobody is tried again, three minutes apart
    tag: str | None = None  # has to be made in the panel first
    policy: str | None = None  # a sending flow of the account's, by its name
    hide: bool = False  # the recipients' numbers do not stand in the panel's lists
    message_type: int | None = None  # see TYPES

    @property
    def calls(self) -> bool:
        """Whether people are called."""
        return self.kind is Kind.VOICE

    @property
    def spelled(self) -> str:
        """Whatever is not the default, as one word that no line begins with; nothing for a plain SMS."""
        given = ((each.name, getattr(self, each.name)) for each in fields(self))
        return "".join(f"\x1d{name}={value}" for name, value in given if value != getattr(PLAIN, name))

    def line(self, sender: str | None) -> str:
        """The line that sends, as bare digits. Of a call it is empty: nobody but the gateway chooses it.

        Raises: BadInput for a line that is none or cannot be chosen, and for a type on a line that knows no types.
        """
        if self.calls:
            if sender:
                raise BadInput("a call takes no sender: the gateway chooses the line it calls from; leave it out")
            return ""
        if sender is None:
            raise BadInput("there is no sender: an SMS needs a line of yours, such as 10004346")
        line = normalise_line(sender)
        if self.message_type is not None and not line.startswith(TYPED_LINES):
            raise BadInput(f"a type can be chosen on lines that begin with {TYPED_LINES} only: leave it out")
        return line


class Along(TypedDict, total=False):
    """The same as people ask for it: see `manner`."""

    kind: str
    repeat: int | None
    tag: str | None
    policy: str | None
    hide: bool
    message_type: str | int | None


PLAIN: Final = Manner()
"""An SMS, and nothing along with it."""


def manner(
    kind: str = Kind.SMS,
    *,
    repeat: int | None = None,
    tag: str | None = None,
    policy: str | None = None,
    hide: bool = False,
    message_type: str | int | None = None,
) -> Manner:
    """What people asked for, checked. `message_type` is a word of TYPES or its number.

    Raises: BadInput, naming what is wrong and what would be right.
    """
    found = Manner(_kind(kind), _repeat(repeat), _tag(tag), _policy(policy), hide, _type(message_type))
    for other in set(Kind) - {found.kind}:
        misplaced = [called for name, called in _ONLY[other].items() if getattr(found, name) != getattr(PLAIN, name)]
        if misplaced:
            raise BadInput(f"{_A[found.kind]} cannot carry {' and '.join(misplaced)}: only {_A[other]} can")
    return found


def _kind(given: str) -> Kind:
    if given not in set(Kind):
        raise BadInput(f"the kind of a campaign is {' or '.join(Kind)}, not {given!r}")
    return Kind(given)


def _repeat(given: int | None) -> int | None:
    if given is not None and given not in REPEATS:
        raise BadInput(f"a call can be repeated 0 to {REPEATS[-1]} times, not {given!r}")
    return given


def _tag(given: str | None) -> str | None:
    if given is not None and not is_tag(given):
        raise BadInput("a tag is of 1 to 200 characters, of A-Z, a-z, 0-9, - and _ alone, as it was made in the panel")
    return given


def _policy(given: str | None) -> str | None:
    if given is not None and not (given.strip() and given.isprintable() and len(given) <= LONGEST_POLICY):
        raise BadInput(f"a policy is the name of a sending flow: 1 to {LONGEST_POLICY} printable characters")
    return given


def _type(given: str | int | None) -> int | None:
    if given is None:
        return None
    number = TYPES.get(given, -1) if isinstance(given, str) else given
    if number not in TYPES.values():
        raise BadInput(f"the type of a message is {', '.join(TYPES)} (0 to 3), not {given!r}")
    return number
