"""The envelope: the code, rows and metadata of an answer.

`{"return": {"status": int, "message": str}, "entries": …}` is the gateway speaking, whatever the HTTP status says:
the service mirrors its codes there, proxies put their own, and codes above 599 fit nowhere. Any other body comes from
a proxy on the way, or from a gateway in pieces.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

Row = dict[str, Any]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The documentation's own error sample: an object that holds nothing but null. No JSON parser takes it.
_NULL_IN_BRACES = re.compile(rb"\{\s*null\s*\}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """`rows` is empty for `entries` null, missing, or of a shape no method answers with; so is `metadata`."""

    code: int
    message: str
    rows: list[Row]
    metadata: Row = field(default_factory=dict)


def read(body: bytes) -> Envelope | None:
    """The envelope in an answer's body; None if this is not the gateway's."""
    document = _parse(body.removeprefix(_BYTE_ORDER_MARK))
    answer = document.get("return") if isinstance(document, dict) else None
    if not isinstance(answer, dict):
        return None
    code = answer.get("status")
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    metadata = document.get("metadata")
    return Envelope(
        code=code,
        message=str(answer.get("message") or ""),
        rows=_rows(document.get("entries")),
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _parse(body: bytes) -> Any:
    """What the body says. The last parser is the one that takes half of an emoji, which people do send."""
    for parse, candidate in (
        (orjson.loads, body),
        (orjson.loads, _NULL_IN_BRACES.sub(b"null", body)),
        (json.loads, body),
    ):
        try:
            return parse(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def _rows(entries: object) -> list[Row]:
    """Most methods answer with a list, `account/*` and `utils/getdate` with one object, an error with null."""
    listed = entries if isinstance(entries, list) else [entries]
    return [row for row in listed if isinstance(row, dict)]
