"""The gateway account: its credit and settings, the hold that stops all sending, and the account of our key.

An account in debug mode takes every send, answers 200, charges nothing, and sends nothing: its messages come back
cancelled (13). Nobody must have to find that out from a report.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import AccountBlocked, BadInput, GatewayError
from kavenegar_campaigns.kavenegar.account import AccountConfig, AccountInfo
from kavenegar_campaigns.kavenegar.codes import CREDIT_TOO_LOW
from kavenegar_campaigns.rules.batches import localid_cutoff
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages import answers
from kavenegar_campaigns.store import gate, identity, in_one_commit, installation
from kavenegar_campaigns.store.identity import AccountEvidence, Place
from kavenegar_campaigns.store.records import Hold

log = logging.getLogger(__name__)

TOPPED_UP = 1.05
"""Refunds let the credit grow a little by themselves; what was refused is tried again once it has grown by more."""
HOLD_RECHECKS = 10
"""So many looks at a hold for want of credit, and a credit that was refused is tried again all the same."""


def fetch_credit(context: Context) -> AccountInfo:
    """Fetch the account's credit and store it. Raises: GatewayError."""
    context.gateway.acquire_slot(Lane.HOUSEKEEPING)
    account = context.gateway.account_info()
    installation.record_credit(context.database, credit_rial=account.remaincredit, now=context.now())
    return account


def watch(context: Context) -> str:
    """Fetch and store the credit and the settings, and warn where a person should act. Returns a summary."""
    try:
        account, config = fetch_credit(context), fetch_settings(context)
    except GatewayError as why:
        log.warning("account query failed", extra={"code": why.code, "error": type(why).__name__})
        return "not seen"
    worries = []
    if config.debugmode:
        log.error("account debug mode found")
        worries.append("debug mode")
    if account.remaincredit < low_credit(context, config.mincreditalarm):
        log.warning("credit low", extra={"credit_rial": account.remaincredit})
        worries.append("low credit")
    return ", ".join(worries) or "well"


def low_credit(context: Context, alarm_rial: int | None) -> int:
    """Return the rial below which the credit is low: our own threshold, or the account's alarm if that is higher."""
    return max(context.policy.credit_low_rial, alarm_rial or 0)


def fetch_settings(context: Context) -> AccountConfig:
    """Fetch the account's settings and store those that decide about sending. Raises: GatewayError."""
    return _remember_settings(context, context.gateway.account_config())


def configure(context: Context, **changes: Any) -> AccountConfig:
    """Change the given settings of the account and no others. Returns the settings that are now in force.

    Takes what `Client.configure` takes. Raises: BadInput where nothing is to be changed or a value is blank, which
    the gateway might take for a value; GatewayError.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise BadInput("no setting was named: nothing was written")
    for name, value in given.items():
        if isinstance(value, str) and not value.strip():
            raise BadInput(f"{name} is blank: give a value, or leave it out to keep what it is")
    found = context.gateway.configure(**given)
    log.warning("account settings changed", extra={"settings": ",".join(sorted(given))})
    return _remember_settings(context, found)


def _remember_settings(context: Context, config: AccountConfig) -> AccountConfig:
    installation.record_config(
        context.database,
        debug_mode=config.debugmode,
        min_credit_alarm_rial=config.mincreditalarm,
        now=context.now(),
    )
    return config


def recheck_hold(context: Context) -> str:
    """Check whether an account on hold may send again, and release the hold if so. Returns a summary."""
    hold = installation.read(context.database).hold
    if hold is None:
        return "not on hold"
    try:
        account = fetch_credit(context)
    except GatewayError as why:
        log.warning("account hold kept", extra={"code": why.code})
        return f"still on hold: {why}"
    return _decide(
        context.database,
        hold,
        account.remaincredit,
        patience=context.policy.hold_recheck * HOLD_RECHECKS,
        now=context.now(),
    )


@in_one_commit
def _decide(connection: Connection, hold: Hold, credit_rial: int, *, patience: timedelta, now: datetime) -> str:
    """Decide about a hold: after 418 it needs enough credit; every other hold ends with the first answer.

    It may have been gone and topped up to what it was while nobody looked: after some looks the same is tried again.
    """
    tired = now - hold.since >= patience
    if hold.code == CREDIT_TOO_LOW and not _enough(connection, hold, credit_rial, same_again=tired):
        installation.lower_released_credit(connection, credit_rial=credit_rial)
        return "still without enough credit"
    installation.release_hold(connection, credit_rial=credit_rial, now=now)
    log.warning("account hold released", extra={"code": hold.code})
    return "let go"


def _enough(connection: Connection, hold: Hold, credit_rial: int, *, same_again: bool) -> bool:
    """Return whether the credit covers the next batches.

    Prices count as far as they are known. A credit that is not above the refused one does not cover them.
    """
    refused_rial = None if same_again else hold.released_credit_rial
    if refused_rial is not None and credit_rial < refused_rial * TOPPED_UP:
        return False
    return credit_rial >= (installation.next_cost(connection) or 1)


# ── whose key is ours ──
#
# A new key is compared with messages that were accepted under earlier keys. If the gateway knows one of them under the
# same id, the key belongs to the same account. If it knows none, the key is another account's: batches that left under
# the old key wait for it, and no message is taken for never sent.

KEY_CHECK_EVERY: Final = timedelta(seconds=10)
SAMPLE_PER_ACCOUNT: Final = 20
"""Messages of each earlier account that are asked about. One that is known is enough."""


def recognise_key(context: Context) -> bool:
    """Find out which account our key belongs to. Returns whether it is known; until then nothing is sent under it."""
    if identity.account_of_key(context.database, context.account) is not None:
        return True
    if identity.read_place(context.database) is not Place.HOME:
        return False  # what was sent last may be missing, and with it what the key is to be held against
    now = context.now()
    if not gate.claim_identity_check(context.database, now=now, next_at=now + KEY_CHECK_EVERY):
        return False
    since = localid_cutoff(now, window=context.policy.localid_window)
    earlier = identity.account_evidence(context.database, since=since, most=SAMPLE_PER_ACCOUNT)
    known = _compare_with_earlier(context, earlier)
    if known is None:
        return False
    same = next((account for account, knows in known.items() if knows), None)
    if same is None and None in known.values():
        return False
    contradicted = bool(earlier)
    number = identity.recognise_key(context.database, context.account, account=same, contradicted=contradicted, now=now)
    if earlier and same is None:
        log.error("key of another account found", extra={"account": number})
    else:
        log.info("key recognised", extra={"account": number})
    return True


def _compare_with_earlier(context: Context, earlier: Sequence[AccountEvidence]) -> dict[int, bool | None] | None:
    """For each account, whether the gateway knows its messages under our key; None if the key cannot be used."""
    try:
        if not earlier:
            _check_key(context)
        return {each.account: _knows_messages(context, each) for each in earlier}
    except AccountBlocked as why:
        installation.hold_if_blocked(context.database, why, now=context.now())
        log.warning("key refused", extra={"code": why.code})
    except GatewayError as why:
        log.warning("key check failed", extra={"code": why.code, "error": type(why).__name__})
    return None


def _check_key(context: Context) -> None:
    """Check that the gateway accepts the key: messages sent under a refused key could never be resolved.

    Raises: GatewayError.
    """
    context.gateway.acquire_slot(Lane.SEND)
    context.gateway.account_info()


def _knows_messages(context: Context, evidence: AccountEvidence) -> bool | None:
    """Return whether the gateway knows these messages under its own ids; None: no answer. Raises: GatewayError.

    These were accepted within the time in which it answers for our ids: in their own account it knows them.
    """
    context.gateway.acquire_slot(Lane.SEND)
    known = answers.ask_by_localid(context.gateway, list(evidence.gateway_ids))
    if any(row.messageid == evidence.gateway_ids[row.localid] for row in known.rows):
        return True
    return False if known.unseen else None
