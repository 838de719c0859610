"""The gateway account: its credit and settings, watched; and the hold that stops all sending until a look lets it go.

An account in debug mode takes every send, answers 200, charges nothing, and sends nothing: its messages come back
cancelled (13). Nobody must have to find that out from a report.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from campaigns.errors import BadInput, GatewayError
from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.account import Account, AccountConfig
from campaigns.store import installation
from campaigns.store.records import Hold

log = logging.getLogger(__name__)

NO_CREDIT = 418
TOPPED_UP = 1.05
"""Refunds let the credit grow a little by themselves; what was refused is tried again once it has grown by more."""
LOOKS = 10
"""So many looks at a hold for want of credit, and a credit that was refused is tried again all the same."""


def credit(house: House) -> Account:
    """Ask for the account's credit and remember it. Raises: GatewayError."""
    house.gateway.admit(Lane.HOUSEKEEPING)
    account = house.gateway.account_info()
    house.database(installation.note_credit, credit_rial=account.remaincredit, now=house.now())
    return account


def watch(house: House) -> str:
    """Look at the credit and the settings, remember both, and warn of what a person should know; in a few words."""
    try:
        account, config = credit(house), settings(house)
    except GatewayError as why:
        log.warning("account query failed", extra={"code": why.code, "error": type(why).__name__})
        return "not seen"
    worries = []
    if config.debugmode:
        log.error("account debug mode found")
        worries.append("debug mode")
    if account.remaincredit < low_credit(house, config.mincreditalarm):
        log.warning("credit low", extra={"credit_rial": account.remaincredit})
        worries.append("low credit")
    return ", ".join(worries) or "well"


def low_credit(house: House, alarm_rial: int | None) -> int:
    """Rial below which the credit is low: our own threshold, or the account's alarm where that is higher."""
    return max(house.policy.credit_low_rial, alarm_rial or 0)


def settings(house: House) -> AccountConfig:
    """Ask for the account's settings and remember those that decide about sending. Raises: GatewayError."""
    return _noted(house, house.gateway.account_config())


def configure(house: House, **changes: Any) -> AccountConfig:
    """Write these settings of the account, and only these; the settings that hold from now on.

    Takes what `Client.configure` takes. Raises: BadInput where nothing is to be changed or a value is blank, which
    the gateway might take for a value; GatewayError.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise BadInput("no setting was named: nothing was written")
    for name, value in given.items():
        if isinstance(value, str) and not value.strip():
            raise BadInput(f"{name} is blank: give a value, or leave it out to keep what it is")
    found = house.gateway.configure(**given)
    log.warning("account settings changed", extra={"settings": ",".join(sorted(given))})
    return _noted(house, found)


def _noted(house: House, config: AccountConfig) -> AccountConfig:
    house.database(
        installation.note_config,
        debug_mode=config.debugmode,
        min_credit_alarm_rial=config.mincreditalarm,
        now=house.now(),
    )
    return config


def look(house: House) -> str:
    """Look whether an account on hold may send again, and let it go if so; what was found, in a word or two."""
    hold = house.database(installation.read).hold
    if hold is None:
        return "not on hold"
    try:
        account = credit(house)
    except GatewayError as why:
        log.warning("account hold kept", extra={"code": why.code})
        return f"still on hold: {why}"
    return house.database(
        _decide, hold, account.remaincredit, patience=house.policy.hold_recheck * LOOKS, now=house.now()
    )


def _decide(connection: Connection, hold: Hold, credit_rial: int, *, patience: timedelta, now: datetime) -> str:
    """Any hold but that of 418 ends with the first answer; 418 needs credit that looks like enough.

    It may have been gone and topped up to what it was while nobody looked: after some looks the same is tried again.
    """
    tired = now - hold.since >= patience
    if hold.code == NO_CREDIT and not _enough(connection, hold, credit_rial, same_again=tired):
        installation.still_held(connection, credit_rial=credit_rial)
        return "still without enough credit"
    installation.let_go(connection, credit_rial=credit_rial, now=now)
    log.warning("account hold released", extra={"code": hold.code})
    return "let go"


def _enough(connection: Connection, hold: Hold, credit_rial: int, *, same_again: bool) -> bool:
    """Whether credit covers the next batches, as far as prices are known, and is not what was refused before."""
    refused_rial = None if same_again else hold.let_go_credit_rial
    if refused_rial is not None and credit_rial < refused_rial * TOPPED_UP:
        return False
    return credit_rial >= (installation.next_cost(connection) or 1)
