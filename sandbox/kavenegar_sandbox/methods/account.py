"""account/info: the credit left, in rial. Source: kavenegar-rest, account/info.

account/config: the settings of the account. Without a value it reads them; any value is a change, an empty one none.

Settings are knobs under other names, so that both always agree; what is written here outlives a restart.
The types are as mixed as in the spec's sample. Source: kavenegar-rest, account/config.

utils/getdate: the gateway's clock. Source: kavenegar-rest, the sample at its beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.parameters import BLANK, is_integer
from kavenegar_sandbox.protocol import Answer, Call, Refusal

_EXPIRES = 4_102_444_800  # 2100: the spec asks callers to ignore it


def info(account: Account, call: Call) -> Answer:  # noqa: ARG001 - every handler has one shape
    credit_rial = account.credit.balance(account.clock.now())
    return Answer(entries={"remaincredit": credit_rial, "expiredate": _EXPIRES, "type": "master"})


_SWITCH = {"enabled": True, "true": True, "1": True, "disabled": False, "false": False, "0": False}
_LOGGED = frozenset({"justfaults", "enabled", "disabled"})


def config(account: Account, call: Call) -> Answer:
    changes = {
        knob: read(account.knobs, raw)
        for setting, (knob, read) in SETTINGS.items()
        if (raw := call.params.get(setting, "").strip()) not in BLANK
    }
    if changes:
        account.configure(changes)
    return Answer(entries=_current_settings(account.knobs))


def _current_settings(knobs: Knobs) -> dict[str, str]:
    return {
        "apilogs": knobs.api_logs,
        "dailyreport": "disabled",
        "debugmode": "enabled" if knobs.debug_mode else "disabled",
        "defaultsender": knobs.default_sender,
        "mincreditalarm": str(knobs.credit_alarm_rial),
        "resendfailed": "true" if knobs.resend_failed else "false",
    }


def _read_switch(_: Knobs, raw: str) -> bool:
    """Raises Refusal(400) unless it says on or off, in any letter case."""
    if raw.lower() not in _SWITCH:
        raise Refusal(400)
    return _SWITCH[raw.lower()]


def _read_log_setting(_: Knobs, raw: str) -> str:
    """Raises Refusal(400) for what is none of the spec's three words."""
    if raw.lower() not in _LOGGED:
        raise Refusal(400)
    return raw.lower()


def _read_rial(_: Knobs, raw: str) -> int:
    """Rial. Raises Refusal(400) for what is no number."""
    if not is_integer(raw):
        raise Refusal(400)
    return int(raw)


def _read_line(knobs: Knobs, raw: str) -> str:
    """Raises Refusal(412) for a line of somebody else's, and 427 for one that wants a grant first."""
    line = own_line(knobs, raw)
    if line in knobs.restricted_senders:
        raise Refusal(427)
    return line


SETTINGS: dict[str, tuple[str, Callable[[Knobs, str], object]]] = {  # the knob behind each, and how it is read
    "apilogs": ("api_logs", _read_log_setting),
    "debugmode": ("debug_mode", _read_switch),
    "defaultsender": ("default_sender", _read_line),
    "mincreditalarm": ("credit_alarm_rial", _read_rial),
    "resendfailed": ("resend_failed", _read_switch),
}


_TEHRAN = timezone(timedelta(hours=3, minutes=30))


def get_date(account: Account, call: Call) -> Answer:  # noqa: ARG001 - every handler has one shape
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
