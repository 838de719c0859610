"""How many pages there are: `metadata` beside the rows of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from campaigns.kavenegar.records.reading import number_or_none


class Pages(TypedDict):
    totalcount: int | None
    currentpage: int | None
    totalpages: int | None
    pagesize: int | None


def pages(metadata: Mapping[str, Any]) -> Pages:
    """All four come as text. None for what is missing or no number."""
    return Pages(
        totalcount=number_or_none(metadata.get("totalcount")),
        currentpage=number_or_none(metadata.get("currentpage")),
        totalpages=number_or_none(metadata.get("totalpages")),
        pagesize=number_or_none(metadata.get("pagesize")),
    )
