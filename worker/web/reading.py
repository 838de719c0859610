"""What a call says. The names are those of the gateway's official samples; how they are sent, nobody has documented.

So all of it is understood: GET and POST; a query, a form (urlencoded or multipart) or JSON; one callback or a list of
them, as repeated names or as a list of objects; names in any case. What else is sent along does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import orjson
from werkzeug import Request
from werkzeug.exceptions import BadRequest

from campaigns.errors import BadInput
from campaigns.heed import Received
from campaigns.rules.phone import normalise_line
from campaigns.store.callbacks import StatusCallback

MOST_BYTES: Final = 64 * 1024
MOST_AT_ONCE: Final = 500
LONGEST_NUMBER: Final = 64

_ID: Final = re.compile(r"[0-9]{1,19}")
_STATUS: Final = re.compile(r"-?[0-9]{1,9}")
_GREATEST_ID: Final = 2**63 - 1

Row = Mapping[str, object]


class Call(Request):
    """A call of the gateway, or of somebody who knows the address: no larger than it has to be."""

    max_content_length = MOST_BYTES
    max_form_memory_size = MOST_BYTES
    max_form_parts = MOST_AT_ONCE * 8


def statuses(call: Call) -> list[StatusCallback]:
    """What a status callback says. Raises: BadRequest that names the parameter."""
    return [
        StatusCallback(_id(row["messageid"]), int(_matching(_STATUS, row, "status")))
        for row in _rows(call, ("messageid", "status"))
    ]


def received(call: Call) -> list[Received]:
    """What a receive callback says. Raises: BadRequest that names the parameter."""
    return [
        Received(_id(row["messageid"]), _line(row["to"]), _number(row["from"]), _text(row, "message"))
        for row in _rows(call, ("messageid", "from", "to", "message"))
    ]


def _rows(call: Call, names: Sequence[str]) -> list[Row]:
    """One row for each callback; it has all of `names`."""
    body = call.get_data() if call.is_json else b""
    rows = list(_of_json(body) if body else _of_fields(call, names))
    if len(rows) > MOST_AT_ONCE:
        raise BadRequest(f"more than {MOST_AT_ONCE} callbacks in one call")
    for row in rows:
        for name in names:
            if name not in row:
                raise BadRequest(f"{name} is missing")
    return rows


def _of_json(body: bytes) -> Iterator[Row]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("the body is no JSON") from None
    for each in told if isinstance(told, list) else [told]:
        if not isinstance(each, dict):
            raise BadRequest("the JSON is neither an object nor a list of objects")
        yield {name.lower(): value for name, value in each.items()}


def _of_fields(call: Call, names: Sequence[str]) -> Iterator[Row]:
    """Of query and form together; a name that is in both counts as the form has it."""
    fields = {name.lower(): values for source in (call.args, call.form) for name, values in source.lists()}
    columns = [fields.get(name, []) for name in names]
    for name, values in zip(names, columns, strict=True):
        if not values:
            raise BadRequest(f"{name} is missing")
        if len(values) != len(columns[0]):
            raise BadRequest(f"there are not as many of {name} as of {names[0]}")
    for row in zip(*columns, strict=True):
        yield dict(zip(names, row, strict=True))


def _id(value: object) -> int:
    found = int(_matching(_ID, {"messageid": value}, "messageid"))
    if not 0 < found <= _GREATEST_ID:
        raise BadRequest("messageid is not an id")
    return found


def _matching(pattern: re.Pattern[str], row: Row, name: str) -> str:
    """A whole number, as JSON or as text."""
    value = row[name]
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not pattern.fullmatch(text):
        raise BadRequest(f"{name} is not a whole number that it can be")
    return text


def _text(row: Row, name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise BadRequest(f"{name} is not a text")
    return value


def _number(value: object) -> str:
    """Whoever wrote: a number in any spelling, or a name."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if not 0 < len(text) <= LONGEST_NUMBER:
        raise BadRequest("from is no number")
    return text


def _line(value: object) -> str:
    try:
        return normalise_line(str(value) if isinstance(value, (str, int)) else "")
    except BadInput:
        raise BadRequest("to is no line") from None
