"""Reading the value of a knob: a reader for each type, and the sentence for a value that it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from math import isfinite
from urllib.parse import urlsplit

from kavenegar_sandbox.outcomes import DRAWN_OUTCOMES


class BadKnob(ValueError):
    """A knob that does not exist, or a value that it does not take. The message says what would be right."""


CHOICES: dict[str, tuple[object, ...]] = {
    "account_code": (0, 401, 403, 416, 429, 430),
    "api_logs": ("justfaults", "enabled", "disabled"),
    "callback_method": ("get", "post"),
    "hidden_receptors": ("mask", "omit"),
    "inbox_empty": ("null", "[]", "449"),
    "inbox_order": ("newest", "oldest"),
    "initial_status": (1, 5),
    "limiter": ("none", "token_bucket", "fixed_window", "sliding_window"),
    "localid_count_code": (419, 400),
    "order": ("same", "reversed", "shuffled"),
    "outbox_empty": ("449", "[]", "null"),
    "sendarray_over_limit_code": (412, 414),
    "tts_entries": ("object", "array"),
    "unknown_localid": ("zero", "absent"),
}


def is_loopback_url(url: str) -> bool:
    """Return whether a URL is on this machine. The sandbox calls no other machine."""
    try:
        host, scheme = urlsplit(url).hostname or "", urlsplit(url).scheme
        return scheme in {"http", "https"} and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


def _read_bool(name: str, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise BadKnob(f"{name} must be true or false")


def _read_int(name: str, raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    raise BadKnob(f"{name} must be a whole number, not below zero")


def _read_float(name: str, raw: object) -> float:
    if isinstance(raw, int | float) and not isinstance(raw, bool) and raw >= 0 and isfinite(raw):
        return float(raw)
    raise BadKnob(f"{name} must be a number, not below zero")


def _read_word(name: str, raw: object) -> str:
    if isinstance(raw, str):
        return raw
    if name in CHOICES:
        return json.dumps(raw, default=str)  # null, [] and 449 may be given as JSON values too
    raise BadKnob(f"{name} must be a string")


def _read_words(name: str, raw: object) -> tuple[str, ...]:
    if isinstance(raw, list | tuple) and all(isinstance(word, str) for word in raw):
        return tuple(raw)
    raise BadKnob(f"{name} must be a list of strings")


_RANGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh])\.\.([0-9]+(?:\.[0-9]+)?)([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _read_range(name: str, raw: object) -> tuple[float, float]:
    """Read a range of seconds: [2, 15], or a string like 2s..15s or 5m..2h. Raises BadKnob."""
    bounds: object = raw
    if isinstance(raw, str) and (found := _RANGE.fullmatch(raw)):
        bounds = [float(found[1]) * _SECONDS[found[2]], float(found[3]) * _SECONDS[found[4]]]
    if isinstance(bounds, list | tuple) and len(bounds) == 2:
        shortest, longest = (_read_float(name, bound) for bound in bounds)
        if shortest <= longest:
            return shortest, longest
    raise BadKnob(f"{name} must be two numbers of seconds, the smaller first, or a string like 2s..15s")


def _read_weights(name: str, raw: object) -> dict[str, float]:
    if isinstance(raw, Mapping) and raw and set(raw) <= set(DRAWN_OUTCOMES):
        weights = {str(outcome): _read_float(name, weight) for outcome, weight in raw.items()}
        if sum(weights.values()) > 0:
            return weights
    raise BadKnob(f"{name} must be an object of weights, not all zero, for some of: {', '.join(DRAWN_OUTCOMES)}")


def _read_texts(name: str, raw: object) -> dict[str, str]:
    if isinstance(raw, Mapping) and all(isinstance(text, str) for pair in raw.items() for text in pair):
        return dict(raw)
    raise BadKnob(f"{name} must be an object with a string for each name")


READERS: dict[str, Callable[[str, object], object]] = {
    "bool": _read_bool,
    "int": _read_int,
    "float": _read_float,
    "str": _read_word,
    "tuple[str, ...]": _read_words,
    "tuple[float, float]": _read_range,
    "Mapping[str, float]": _read_weights,
    "Mapping[str, str]": _read_texts,
}
