"""Resolves without asking: whatever is unknown is taken for never sent, and leaves again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, cast

from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN
from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.records.messages import LocalStatus
from worker import wiring
from worker.app import app

__all__ = ["app"]

real_house = wiring.house


class BlindGateway:
    """Says of every localid, without asking anybody, that it was never seen."""

    def __init__(self, real: Gateway) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def statuslocalmessageid(self, localids: Sequence[int], **_: Any) -> list[LocalStatus]:
        return [LocalStatus(localid, None, NO_LONGER_KNOWN) for localid in localids]


@cache
def blind_house() -> House:
    house = real_house()
    return replace(house, gateway=cast("Gateway", BlindGateway(house.gateway)))


wiring.house = cast("Any", blind_house)
