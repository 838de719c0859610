"""What can go wrong with servers of our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from campaigns.errors import CampaignsError


class EmbeddedError(CampaignsError):
    """A server or process of our own cannot be had. The sentence says why, and ends with the last lines of its log."""

    def __init__(self, what: str, *, log: Path | None = None, lines: Sequence[str] = ()) -> None:
        ending = [f"its log {log} ends with:", *lines] if lines else []
        super().__init__("\n    ".join([what, *ending]))
