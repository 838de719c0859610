"""Searches what a storm leaves behind for secrets: numbers, texts, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.chaos.checker import Broken
from tests.world import Sandbox

OTHER_KEY: Final = "another-account"
"""The key of a second account at the gateway, where a test has one."""

_SECRET: Final = re.compile(
    r"(?<![\w.])(?:\+98|0098|98|0)9\d{9}(?!\d)"  # a mobile number
    rf"|/v1/(?:{Sandbox.api_key}|{OTHER_KEY})/"  # a key, where it stands in a URL
    r"|سلام"  # every text of ours begins so
)


def found(text: str) -> Iterator[str]:
    """Yield every secret in a text."""
    return (match.group() for match in _SECRET.finditer(text))


def in_logs(folder: Path) -> Iterator[Broken]:
    """Check I10 in every log, line by line."""
    for path in sorted(folder.glob("*.log")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            leaked = sum(1 for line in lines for _ in found(line))
        if leaked:
            yield Broken("I10", f"no number, text or key is in {path.name}", leaked)
