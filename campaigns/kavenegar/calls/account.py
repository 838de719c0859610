"""The account: the methods."""

from __future__ import annotations

from campaigns.kavenegar import call, methods
from campaigns.kavenegar.call import Calls
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.account import Account, AccountConfig, ServerDate

API_LOGS = ("justfaults", "enabled", "disabled")


class AccountCalls(Calls):
    """What concerns everything else that is asked."""

    def account_info(self, *, lane: Lane = Lane.HOUSEKEEPING) -> Account:
        """The credit. Source: kavenegar-rest, Info."""
        return self.perform(call.of(methods.ACCOUNT_INFO, {}, call.one(Account.read)), lane=lane)

    def account_config(self, *, lane: Lane = Lane.HOUSEKEEPING) -> AccountConfig:
        """The settings, read only: the same method with any parameter would write. Source: kavenegar-rest, Config."""
        return self.perform(call.of(methods.ACCOUNT_CONFIG, {}, call.one(AccountConfig.read)), lane=lane)

    def configure(
        self,
        *,
        apilogs: str | None = None,
        debugmode: bool | None = None,
        defaultsender: str | None = None,
        mincreditalarm: int | None = None,
        resendfailed: bool | None = None,
        dailyreport: bool | None = None,
        lane: Lane = Lane.HOUSEKEEPING,
    ) -> AccountConfig:
        """Change the settings that are given and leave the others; the settings as they are now.

        `apilogs` is "justfaults", "enabled" or "disabled"; `mincreditalarm` is rial. `dailyreport` stands in the sample
        of the answer only, so that a write of it may be ignored: look at what comes back.
        Source: kavenegar-rest, Config.
        """
        if apilogs is not None and apilogs not in API_LOGS:
            raise ValueError(f"apilogs is one of {', '.join(API_LOGS)}")
        if defaultsender is not None and not defaultsender.strip():
            raise ValueError("a blank default sender would take the account's away; name a line")
        if mincreditalarm is not None and mincreditalarm < 0:
            raise ValueError("mincreditalarm is an amount in rial, 0 or more")
        changes: dict[str, str | int | None] = {
            "apilogs": apilogs,
            "debugmode": _switched(debugmode),
            "defaultsender": defaultsender,
            "mincreditalarm": mincreditalarm,
            "resendfailed": _switched(resendfailed),
            "dailyreport": _switched(dailyreport),
        }
        if all(value is None for value in changes.values()):
            raise ValueError("name at least one setting to change; account_config reads them")
        return self.perform(call.of(methods.ACCOUNT_CONFIG, changes, call.one(AccountConfig.read)), lane=lane)

    def getdate(self, *, lane: Lane = Lane.HOUSEKEEPING) -> ServerDate:
        """The gateway's clock. Source: kavenegar-rest, the first example."""
        return self.perform(call.of(methods.GETDATE, {}, call.one(ServerDate.read)), lane=lane)


def _switched(value: bool | None) -> str | None:
    return None if value is None else ("enabled" if value else "disabled")
