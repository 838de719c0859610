"""The gateway account: its credit, and the hold that stops all sending until a look at the account says go on."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Connection

from campaigns.errors import GatewayError
from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records import Account
from campaigns.store import installation
from campaigns.store.records import Hold

log = logging.getLogger(__name__)

NO_CREDIT = 418
TOPPED_UP = 1.05
"""Refunds let the credit grow a little by themselves; what was refused is tried again once it has grown by more."""


def credit(house: House) -> Account:
    """Ask for the account's credit and remember it. Raises: GatewayError."""
    house.gateway.admit(Lane.HOUSEKEEPING)
    account = house.gateway.account_info()
    house.database(installation.note_credit, credit_rial=account.remaincredit, now=house.now())
    return account


def look(house: House) -> str:
    """Look whether an account on hold may send again, and let it go if so; what was found, in a word or two."""
    hold = house.database(installation.read).hold
    if hold is None:
        return "not on hold"
    try:
        account = credit(house)
    except GatewayError as why:
        log.warning("account still on hold", extra={"code": why.code})
        return f"still on hold: {why}"
    return house.database(_decide, hold, account.remaincredit, now=house.now())


def _decide(connection: Connection, hold: Hold, credit_rial: int, *, now: datetime) -> str:
    """Any hold but that of 418 ends with the first answer; 418 needs credit that looks like enough."""
    if hold.code == NO_CREDIT and not _enough(connection, hold, credit_rial):
        return "still without enough credit"
    installation.let_go(connection, credit_rial=credit_rial, now=now)
    log.warning("account let go", extra={"code": hold.code})
    return "let go"


def _enough(connection: Connection, hold: Hold, credit_rial: int) -> bool:
    """Whether credit covers the next batches, as far as prices are known, and is not what was refused before."""
    if hold.let_go_credit_rial is not None and credit_rial < hold.let_go_credit_rial * TOPPED_UP:
        return False
    return credit_rial >= (installation.next_cost(connection) or 1)
