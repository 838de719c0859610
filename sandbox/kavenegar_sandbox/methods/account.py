"""The account and the clock: account/info, account/config, utils/getdate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.parameters import BLANK, is_integer
from kavenegar_sandbox.protocol import Answer, Call, Refusal

_EXPIRES = 4_102_444_800  # the year 2100: the specification asks callers to ignore it
_SWITCH = {"enabled": True, "true": True, "1": True, "disabled": False, "false": False, "0": False}
_LOGGED = frozenset({"justfaults", "enabled", "disabled"})
_TEHRAN = timezone(timedelta(hours=3, minutes=30))


def info(account: Account, call: Call) -> Answer:  # noqa: ARG001 - all methods have one signature
    """account/info: the remaining credit, in rial. Source: kavenegar-rest, account/info."""
    credit_rial = account.credit.balance(account.clock.now())
    return Answer(entries={"remaincredit": credit_rial, "expiredate": _EXPIRES, "type": "master"})


def config(account: Account, call: Call) -> Answer:
    """account/config: read the settings of the account, and change those that are given with a value.

    A setting is a knob by another name, so that both always agree. A change outlives a restart (the journal). The types
    of the values are mixed, as in the specification's sample. Raises Refusal(400, 412 or 427). Source: kavenegar-rest,
    account/config.
    """
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
    """Read on or off, in any letter case. Raises Refusal(400) for another value."""
    if raw.lower() not in _SWITCH:
        raise Refusal(400)
    return _SWITCH[raw.lower()]


def _read_log_setting(_: Knobs, raw: str) -> str:
    """Read `apilogs`. Raises Refusal(400) for a value that the specification does not have."""
    if raw.lower() not in _LOGGED:
        raise Refusal(400)
    return raw.lower()


def _read_rial(_: Knobs, raw: str) -> int:
    """Read an amount in rial. Raises Refusal(400) for another value."""
    if not is_integer(raw):
        raise Refusal(400)
    return int(raw)


def _read_line(knobs: Knobs, raw: str) -> str:
    """Read the default line. Raises Refusal(412) for a line of another account, Refusal(427) for a restricted one."""
    line = own_line(knobs, raw)
    if line in knobs.restricted_senders:
        raise Refusal(427)
    return line


SETTINGS: dict[str, tuple[str, Callable[[Knobs, str], object]]] = {  # setting: (knob, reader)
    "apilogs": ("api_logs", _read_log_setting),
    "debugmode": ("debug_mode", _read_switch),
    "defaultsender": ("default_sender", _read_line),
    "mincreditalarm": ("credit_alarm_rial", _read_rial),
    "resendfailed": ("resend_failed", _read_switch),
}


def get_date(account: Account, call: Call) -> Answer:  # noqa: ARG001 - all methods have one signature
    """utils/getdate: the gateway's clock, in Tehran time. Source: kavenegar-rest, the sample at its beginning."""
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
