"""utils/getdate: the gateway's clock. Source: kavenegar-rest, the sample at its beginning."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.envelope import Answer, Call

_TEHRAN = timezone(timedelta(hours=3, minutes=30))


def answer(account: Account, call: Call) -> Answer:  # noqa: ARG001 - every handler has one shape
    now = datetime.fromtimestamp(account.clock.now(), _TEHRAN)
    half = "ق.ظ" if now.hour < 12 else "ب.ظ"
    return Answer(
        entries={
            "datetime": f"{now:%d/%m/%Y %I:%M:%S} {half}",
            "year": now.year,
            "month": now.month,
            "day": now.day,
            "hour": now.hour,
            "minute": now.minute,
            "second": now.second,
            "unixtime": int(now.timestamp()),
        }
    )
