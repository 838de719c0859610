"""The gateway: its answer, the account behind the key, its clock."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from campaigns import account
from campaigns.errors import CampaignsError, GatewayError
from campaigns.kavenegar.records.account import AccountConfig
from worker import wiring
from worker.cli.checkup import clocks
from worker.cli.checkup.finding import Finding, Level


def findings() -> Iterator[Finding]:
    """Whether it answers, how the account stands, and whether its clock is right."""
    try:
        house = wiring.house()
        credit, config = account.credit(house), account.settings(house)
    except DBAPIError:
        says = "it was not asked: the database does not take what it would say of the account"
        yield Finding("gateway", Level.WARN, says, "see what is said of the database")
        return
    except (GatewayError, CampaignsError) as why:
        yield Finding("gateway", Level.BAD, str(why), "correct the key or the address, or wait until it is back")
        return
    yield Finding("gateway", Level.OK, f"{wiring.places().base_url} answers and takes the key")
    yield _credit(credit.remaincredit, account.low_credit(house, config.mincreditalarm))
    yield _debug_mode(config)
    yield from clocks.gateway(house.gateway)


def _credit(rial: int, low_rial: int) -> Finding:
    says = f"{rial:,} rial are left"
    if rial < low_rial:
        return Finding("credit", Level.WARN, says, "top up before it stops: 418 puts the whole account on hold")
    return Finding("credit", Level.OK, says)


def _debug_mode(config: AccountConfig) -> Finding:
    if not config.debugmode:
        return Finding("debug mode", Level.OK, "it is off: what is sent is sent")
    do = "`campaigns account config --debug-mode off` ends that"
    return Finding("debug mode", Level.BAD, "the account is in DEBUG MODE: nothing is sent to anybody", do)
