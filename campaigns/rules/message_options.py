"""The options of a campaign's messages beside text and sender: kind (SMS or voice), type, tag, policy, hide, repeat.

Sources: kavenegar-rest, Send (type, hide, tag, policy), TTS (repeat, tag; no sender), table 3 (the types).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, TypedDict

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.arguments import shown
from kavenegar_campaigns.rules.phone import normalise_line

# A tag has to be created in the panel before a message can carry it. Source: kavenegar-rest, Send (tag).

_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")


def check_tag(tag: str | None) -> str | None:
    """Return the tag unchanged. Raises: BadInput for a tag that the panel cannot hold."""
    if tag is not None and not _TAG.fullmatch(tag):
        raise BadInput("a tag has 1 to 200 Latin letters, digits, hyphens and underscores, as it was made in the panel")
    return tag


class CampaignKind(StrEnum):
    """How a campaign reaches people: by SMS or by voice call."""

    SMS = "sms"
    VOICE = "voice"  # a call, in which the text is read out


MESSAGE_TYPES: Final[Mapping[str, int]] = {"flash": 0, "normal": 1, "sim": 2, "app": 3}
"""Types of SMS by our word: shown at once and not kept, shown as usual, stored on the SIM card, for an application."""

TYPED_LINE_PREFIX: Final = "3000"
"""The prefix of lines whose campaigns may choose the type of their messages."""

CALL_REPEATS: Final = range(6)

MAX_POLICY_LENGTH: Final = 200

_ONE_MESSAGE: Final[Mapping[CampaignKind, str]] = {CampaignKind.SMS: "an SMS", CampaignKind.VOICE: "a call"}

# Options that only one kind of campaign has, each with its name in sentences.
_ONLY_FOR: Final[Mapping[CampaignKind, Mapping[str, str]]] = {
    CampaignKind.SMS: {"policy": "policy", "hide": "hide", "message_type": "type"},
    CampaignKind.VOICE: {"repeat": "repeat"},
}


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """The options of all messages of a campaign, beside text and sender. None: the gateway's own default."""

    kind: CampaignKind = CampaignKind.SMS
    repeat: int | None = None  # further tries of an unanswered call, three minutes apart
    tag: str | None = None  # has to be created in the panel first
    policy: str | None = None  # the name of one of the account's sending flows
    hide: bool = False  # the panel's lists do not show the recipients' numbers
    message_type: int | None = None  # see MESSAGE_TYPES

    @property
    def is_voice(self) -> bool:
        """Return whether the messages are voice calls."""
        return self.kind is CampaignKind.VOICE

    @property
    def fingerprint(self) -> str:
        """Return the options that are not the default, as one word that no line begins with; empty for a plain SMS."""
        given = ((each.name, getattr(self, each.name)) for each in fields(self))
        return "".join(f"\x1d{name}={value}" for name, value in given if value != getattr(DEFAULT_OPTIONS, name))

    def sender_line(self, sender: str | None) -> str:
        """Return the sender line as bare digits; empty for a call, whose line only the gateway chooses.

        Raises: BadInput for an invalid line, for a line on a call, and for a type on a line without types.
        """
        if self.is_voice:
            if sender:
                raise BadInput("a call takes no sender: the gateway chooses the line it calls from; leave it out")
            return ""
        if sender is None:
            raise BadInput("there is no sender: an SMS needs a line of yours, such as 10004346")
        line = normalise_line(sender)
        if self.message_type is not None and not line.startswith(TYPED_LINE_PREFIX):
            raise BadInput(f"a type can be chosen on lines that begin with {TYPED_LINE_PREFIX} only: leave it out")
        return line


class MessageOptionArgs(TypedDict, total=False):
    """The options as keyword arguments, before `parse_message_options` checks them."""

    kind: str
    repeat: int | None
    tag: str | None
    policy: str | None
    hide: bool
    message_type: str | int | None


DEFAULT_OPTIONS: Final = MessageOptions()
"""An SMS without further options."""


def parse_message_options(
    kind: str = CampaignKind.SMS,
    *,
    repeat: int | None = None,
    tag: str | None = None,
    policy: str | None = None,
    hide: bool = False,
    message_type: str | int | None = None,
) -> MessageOptions:
    """Check the options and return them. `message_type` is a word of MESSAGE_TYPES or its number.

    Raises: BadInput, which names the wrong option and its valid values.
    """
    options = MessageOptions(
        _kind(kind), check_repeat(repeat), check_tag(tag), _policy(policy), hide, _type(message_type)
    )
    for other in set(CampaignKind) - {options.kind}:
        misplaced = [
            called
            for name, called in _ONLY_FOR[other].items()
            if getattr(options, name) != getattr(DEFAULT_OPTIONS, name)
        ]
        if misplaced:
            raise BadInput(
                f"{_ONE_MESSAGE[options.kind]} cannot carry {' and '.join(misplaced)}: only {_ONE_MESSAGE[other]} can"
            )
    return options


def _kind(given: str) -> CampaignKind:
    if given not in set(CampaignKind):
        raise BadInput(f"the kind of a campaign is {' or '.join(CampaignKind)}, not {shown(given)}")
    return CampaignKind(given)


def check_repeat(given: int | None) -> int | None:
    """Return the number of repeats of a call, unchanged. Raises: BadInput."""
    if given is not None and given not in CALL_REPEATS:
        raise BadInput(f"a call can be repeated 0 to {CALL_REPEATS[-1]} times, not {shown(given)}")
    return given


def _policy(given: str | None) -> str | None:
    if given is not None and not (given.strip() and given.isprintable() and len(given) <= MAX_POLICY_LENGTH):
        raise BadInput(f"a policy is the name of a sending flow: 1 to {MAX_POLICY_LENGTH} printable characters")
    return given


def _type(given: str | int | None) -> int | None:
    if given is None:
        return None
    return check_type(MESSAGE_TYPES.get(given, given) if isinstance(given, str) else given)


def check_type(given: str | int) -> int:
    """Return the number of a message type, unchanged. Raises: BadInput for any other value."""
    if isinstance(given, str) or given not in MESSAGE_TYPES.values():
        raise BadInput(f"the type of a message is {', '.join(MESSAGE_TYPES)} (0 to 3), not {shown(given)}")
    return given
