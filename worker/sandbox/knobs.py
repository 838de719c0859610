"""Everything about the gateway that can be turned: at start (`--config`, `--knob`) and while it runs (admin API).

A knob not named here does not exist: an unknown name or a value of the wrong kind is refused with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any

from worker.sandbox.lifecycle import DRAWN


class BadKnob(ValueError):
    """A knob that does not exist, or a value it cannot take; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """The defaults are the spec's where it speaks, and a friendly development gateway where it does not."""

    # transport
    always_200: bool = False  # HTTP 200 on errors too; the envelope still says the code
    cap_ge_600: bool = True  # HTTP 400 for codes of 600 and more
    latency_ms: float = 0.0  # waited before each call of the service

    # account
    account_code: int = 0  # answered to every call: 401, 403, 416, 429 or 430 (430 to sms/* only)
    ip_registered: bool = False  # sms/select answers 407 without it
    debug_mode: bool = False  # nothing is sent: every message is cancelled and refunded at once
    test_mode: bool = False  # 501 for every receptor but the owner's
    owner_number: str = "09120000000"
    default_sender: str = "10004346"  # "" makes a send without a sender 426
    senders: tuple[str, ...] = ("10004346", "30002626")
    restricted_senders: tuple[str, ...] = ()  # lines that want a grant first: 427
    tags: tuple[str, ...] = ()  # tags made in the panel; any other is 607
    links_restricted: bool = False  # 420 for a text with a link
    tariff_fa_rial: int = 120  # one part in Persian, or any text outside Latin
    tariff_en_rial: int = 280  # one Latin part

    # limits
    send_limit: int = 200
    sendarray_over_limit_code: int = 412  # as the spec says; 414 is what one would expect
    status_limit: int = 500
    localid_status_limit: int = 500
    cancel_limit: int = 200
    text_limit: int = 900  # UTF-16 units
    latin_single: int = 140  # an undivided Latin text; GSM has 160
    lenient_numbers: bool = False  # also 98912… without a plus, and Persian digits
    date_grace_s: float = 60.0  # how far in the past a date may lie and still mean now

    # what becomes of messages
    seed: int = 1
    fates: Mapping[str, float] = field(
        default_factory=lambda: {"delivered": 0.92, "undelivered": 0.05, "failed": 0.02, "blocked": 0.01}
    )
    delivery_s: tuple[float, float] = (2.0, 15.0)  # from the start of a message to its verdict; also "2s..15s"
    handover_s: float = 0.5  # from the start to the telecom
    initial_status: int = 1  # 5 has been seen live
    status_window_s: float = 48 * 3600.0
    localid_window_s: float = 12 * 3600.0

    # repeated localids, and what answers look like
    dedupe: bool = True  # off: a localid sent again REALLY sends again
    dedupe_window_s: float = 0.0  # how long a localid is remembered; 0 is for ever
    order: str = "same"  # of the rows in an answer: same, reversed, shuffled
    omit_share: float = 0.0  # of the rows left out of an answer at random

    # poison
    bad_receptors: tuple[str, ...] = ()  # 411 for the whole request
    poison_text: str = ""  # 422 for the whole request when a text contains it

    # the limit on calls from one address (451)
    limiter: str = "none"  # token_bucket, fixed_window, sliding_window
    limiter_rate: float = 20.0  # calls a second
    limiter_burst: float = 20.0  # token_bucket: how many at once
    limiter_window_s: float = 1.0  # fixed_window, sliding_window: its length
    limiter_counts_refused: bool = False  # sliding_window: calls that do not fit take up room too
    limiter_penalty_s: float = 0.0  # how long the address stays restricted
    limiter_extends: bool = False  # each call made meanwhile starts the penalty anew
    limiter_penalty_growth_s: float = 0.0  # or adds this much to what is left of it
    limiter_penalty_most_s: float = 3600.0  # up to so much
    limiter_others_rate: float = 0.0  # calls a second of other software behind the same address

    def turned(self, changes: Mapping[str, object]) -> Knobs:
        """These knobs with some turned. Raises BadKnob, and then nothing is turned."""
        values: dict[str, Any] = {name: _value(name, raw) for name, raw in changes.items()}
        turned = replace(self, **values)
        _check_limiter(turned)
        return turned


CHOICES: dict[str, tuple[object, ...]] = {
    "account_code": (0, 401, 403, 416, 429, 430),
    "initial_status": (1, 5),
    "limiter": ("none", "token_bucket", "fixed_window", "sliding_window"),
    "order": ("same", "reversed", "shuffled"),
    "sendarray_over_limit_code": (412, 414),
}
POSITIVE = frozenset({"limiter_rate", "limiter_window_s", "limiter_penalty_most_s", "latin_single"})
MOST_IN_A_WINDOW = 1_000_000  # calls a sliding window remembers, about 32 MB


def _value(name: str, raw: object) -> object:
    kind = _KINDS.get(name)
    if kind is None:
        raise BadKnob(f"there is no knob {name!r}; the knobs are: {', '.join(sorted(_KINDS))}")
    value = _READERS[kind](name, raw)
    if name in CHOICES and value not in CHOICES[name]:
        raise BadKnob(f"{name} is one of {', '.join(map(str, CHOICES[name]))}")
    if name in POSITIVE and value == 0:
        raise BadKnob(f"{name} is more than zero")
    if name == "omit_share" and isinstance(value, float) and value > 1:
        raise BadKnob("omit_share is between 0 and 1")
    return value


def _check_limiter(knobs: Knobs) -> None:
    """Raises BadKnob for knobs of the limiter that cannot all hold at once."""
    if knobs.limiter_burst < 1:
        raise BadKnob("limiter_burst is 1 or more: a smaller bucket never holds a whole call")
    if knobs.limiter == "sliding_window" and knobs.limiter_rate * knobs.limiter_window_s > MOST_IN_A_WINDOW:
        raise BadKnob(f"limiter_rate × limiter_window_s of a sliding_window is at most {MOST_IN_A_WINDOW:,} calls")
    if not knobs.limiter_penalty_growth_s:
        return
    if knobs.limiter_extends:
        raise BadKnob("limiter_penalty_growth_s is 0 where limiter_extends is true: a call adds, or starts anew")
    if not 0 < knobs.limiter_penalty_s <= knobs.limiter_penalty_most_s:
        raise BadKnob("limiter_penalty_growth_s wants a limiter_penalty_s above zero, at most limiter_penalty_most_s")


def _flag(name: str, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise BadKnob(f"{name} is true or false")


def _whole(name: str, raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    raise BadKnob(f"{name} is a whole number, not below zero")


def _amount(name: str, raw: object) -> float:
    if isinstance(raw, int | float) and not isinstance(raw, bool) and raw >= 0 and isfinite(raw):
        return float(raw)
    raise BadKnob(f"{name} is a number, not below zero")


def _word(name: str, raw: object) -> str:
    if isinstance(raw, str):
        return raw
    raise BadKnob(f"{name} is a string")


def _words(name: str, raw: object) -> tuple[str, ...]:
    if isinstance(raw, list | tuple) and all(isinstance(word, str) for word in raw):
        return tuple(raw)
    raise BadKnob(f"{name} is a list of strings")


_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh])\.\.([0-9]+(?:\.[0-9]+)?)([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _span(name: str, raw: object) -> tuple[float, float]:
    """[2, 15] in seconds, or a string like 2s..15s or 5m..2h."""
    bounds: object = raw
    if isinstance(raw, str) and (found := _SPAN.fullmatch(raw)):
        bounds = [float(found[1]) * _SECONDS[found[2]], float(found[3]) * _SECONDS[found[4]]]
    if isinstance(bounds, list | tuple) and len(bounds) == 2:
        shortest, longest = (_amount(name, bound) for bound in bounds)
        if shortest <= longest:
            return shortest, longest
    raise BadKnob(f"{name} is two numbers of seconds, the smaller first, or a string like 2s..15s")


def _weights(name: str, raw: object) -> dict[str, float]:
    if isinstance(raw, Mapping) and raw and set(raw) <= set(DRAWN):
        weights = {str(fate): _amount(name, weight) for fate, weight in raw.items()}
        if sum(weights.values()) > 0:
            return weights
    raise BadKnob(f"{name} gives weights, not all zero, to some of: {', '.join(DRAWN)}")


_KINDS: dict[str, str] = {knob.name: str(knob.type) for knob in fields(Knobs)}
_READERS: dict[str, Callable[[str, object], object]] = {
    "bool": _flag,
    "int": _whole,
    "float": _amount,
    "str": _word,
    "tuple[str, ...]": _words,
    "tuple[float, float]": _span,
    "Mapping[str, float]": _weights,
}
