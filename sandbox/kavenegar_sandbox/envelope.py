"""A call as the methods see it, an answer as they give it, and the envelope it travels in.

Source: kavenegar-rest, "ساختار خروجی": {"return": {"status", "message"}, "entries"}, the code in the HTTP status too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kavenegar_sandbox.codes import OK, RETURN_TEXT
from kavenegar_sandbox.knobs import Knobs

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the service. Parameter names are lower-case; a repeated one is joined by commas."""

    method: str  # sms/send; "unknown" for one that is not in the spec
    verb: str
    key: str = field(repr=False)
    params: Mapping[str, str] = field(repr=False)
    address: str
    at_most: int | None = None  # of a send: only its first so many receptors are looked at; None: all


@dataclass(frozen=True, slots=True)
class Answer:
    """A return code with what comes along; `metadata` is for the paged methods, some of which put it first."""

    code: int = OK
    entries: list[Row] | Row | None = None
    metadata: Row | None = None
    metadata_first: bool = False

    def body(self) -> bytes:
        said = {"status": self.code, "message": RETURN_TEXT.get(self.code, "")}
        envelope: Row = {"return": said, "entries": self.entries}
        if self.metadata is not None:
            paged: Row = {"metadata": self.metadata}
            envelope = {**paged, **envelope} if self.metadata_first else {**envelope, **paged}
        return orjson.dumps(envelope)

    def http_status(self, knobs: Knobs) -> int:
        """The code itself, unless a knob says otherwise; no HTTP stack agrees on 600 and more."""
        if knobs.always_200:
            return 200
        return 400 if self.code >= 600 and knobs.cap_ge_600 else self.code
