"""A dispatcher that enqueues once only: it expires no lease, and enqueues no lost task again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any, cast

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import due
from kavenegar_worker import wiring
from kavenegar_worker.app import app

__all__ = ["app"]

real_context = wiring.context


def no_lapse(*_: Any, **__: Any) -> list[int]:
    """Expire no lease: a dead worker keeps its claim."""
    return []


@cache
def deaf_context() -> Context:
    context = real_context()
    return replace(context, policy=replace(context.policy, reenqueue_after=timedelta(days=1)))


wiring.context = cast("Any", deaf_context)
due.expire_leases = no_lapse
