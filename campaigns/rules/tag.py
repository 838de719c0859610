"""A tag has to be made in the panel before a message can carry it. Source: kavenegar-rest, Send (tag)."""

from __future__ import annotations

import re
from typing import Final

_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")


def is_tag(name: str) -> bool:
    """1 to 200 Latin letters, digits, hyphens and underscores."""
    return _TAG.fullmatch(name) is not None
