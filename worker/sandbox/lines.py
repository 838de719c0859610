"""A line named in a parameter: it must be one of the account's own."""

from __future__ import annotations

from worker.sandbox import rules
from worker.sandbox.checks import own_lines
from worker.sandbox.codes import Refusal
from worker.sandbox.knobs import Knobs


def own_line(knobs: Knobs, raw: str) -> str:
    """The line without its country prefix. Raises Refusal(412) for one of somebody else's."""
    line = rules.sender(raw)
    if line not in own_lines(knobs):
        raise Refusal(412)
    return line
