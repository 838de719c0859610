"""The tokens of a one-time password: how each may look, and how they fill a template.

Source: kavenegar-rest, verify/lookup (parameters; 422, 428, 431 and 432 in its table of errors).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.parameters import BLANK

BLANKS = {"token": 0, "token2": 0, "token3": 0, "token10": 5, "token20": 8}  # how many each may hold
LONGEST = 100  # characters
_PLACE = re.compile(r"%(token(?:20|10|2|3)?)")
_NUMBER = re.compile(r"[0-9۰-۹]+")


def tokens(params: Mapping[str, str]) -> dict[str, str]:
    """Those that were given; an optional one that says nothing was not."""
    optional = {name: value for name in BLANKS if (value := params.get(name, "")) not in BLANK}
    return {"token": params["token"], **optional}


def refusal(name: str, token: str, knobs: Knobs) -> int:
    """431 for a token that is too long or holds what divides it, 422 for one nobody can print, else 0."""
    divided = any((each.isspace() and each != " ") or each in knobs.separators_in_tokens for each in token)
    if len(token) > LONGEST or divided or token.count(" ") > BLANKS[name]:
        return 431
    return 422 if any(unicodedata.category(each) == "Cc" or each == "\ufffd" for each in token) else 0


def is_number(token: str) -> bool:
    """Nothing but digits: what can be read aloud."""
    return _NUMBER.fullmatch(token) is not None


def has_token(template: str) -> bool:
    """Whether the template has the one place that every template needs."""
    return any(place[1] == "token" for place in _PLACE.finditer(template))


def rendered(template: str, given: Mapping[str, str]) -> str:
    """The text; the place of a token that was not given stays empty."""
    return _PLACE.sub(lambda place: given.get(place[1], ""), template)
