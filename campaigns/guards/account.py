"""Whose key is ours? A new key is held against messages that were accepted under the keys before it.

Where the gateway knows one of them under the same id, the key belongs to the same account. Where it knows none, it is
another account's: batches that left under the old one wait for its key, and nothing is taken for never sent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from campaigns import asking
from campaigns.errors import AccountBlocked, GatewayError
from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.rules.windows import forgotten_before
from campaigns.store import accounts, gate, identity, installation
from campaigns.store.accounts import Evidence
from campaigns.store.identity import Place

log = logging.getLogger(__name__)

CHECK_EVERY: Final = timedelta(seconds=10)
WITNESSES: Final = 20
"""Messages of each earlier account that are asked about. One that is known is enough."""


def ensure(house: House) -> bool:
    """See to it that it is known whose key ours is; whether it is. While it is not, nothing is sent under it."""
    if house.database(accounts.of_key, house.account) is not None:
        return True
    if house.database(identity.read) is not Place.HOME:
        return False  # what was sent last may be missing, and with it what the key is to be held against
    now = house.now()
    if not house.database(gate.claim_check, now=now, next_at=now + CHECK_EVERY):
        return False
    since = forgotten_before(now, window=house.policy.localid_window)
    earlier = house.database(accounts.evidence, since=since, most=WITNESSES)
    known = _held_against(house, earlier)
    if known is None:
        return False
    same = next((account for account, knows in known.items() if knows), None)
    if same is None and None in known.values():
        return False
    contradicted = bool(earlier)
    number = house.database(accounts.recognise, house.account, account=same, contradicted=contradicted, now=now)
    if earlier and same is None:
        log.error("key of another account found", extra={"account": number})
    else:
        log.info("key recognised", extra={"account": number})
    return True


def _held_against(house: House, earlier: Sequence[Evidence]) -> dict[int, bool | None] | None:
    """For each account whether it knows its messages under our key; None where nothing can be asked with that key."""
    try:
        if not earlier:
            _takes_the_key(house)
        return {each.account: _knows(house, each) for each in earlier}
    except AccountBlocked as why:
        house.database(installation.hold_for, why, now=house.now())
        log.warning("key refused", extra={"code": why.code})
    except GatewayError as why:
        log.warning("key check failed", extra={"code": why.code, "error": type(why).__name__})
    return None


def _takes_the_key(house: House) -> None:
    """A key that the gateway does not take is nobody's: what left under it could never be asked about.

    Raises: GatewayError.
    """
    house.gateway.admit(Lane.SEND)
    house.gateway.account_info()


def _knows(house: House, evidence: Evidence) -> bool | None:
    """Whether the gateway knows these messages under its own ids; None: it did not say. Raises: GatewayError.

    These were accepted within the time in which it answers for our ids: in their own account it knows them.
    """
    house.gateway.admit(Lane.SEND)
    known = asking.by_localid(house.gateway, list(evidence.gateway_ids))
    if any(row.messageid == evidence.gateway_ids[row.localid] for row in known.rows):
        return True
    return False if known.unseen else None
