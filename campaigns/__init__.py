"""Bulk SMS campaigns through Kavenegar: what a web app imports to create, watch and steer them.

    import kavenegar_campaigns as campaigns

    with engine.begin() as connection:            # or a Session: your transaction, your commit
        campaign = campaigns.create(connection, recipients="customers.csv", text="سلام {name}", sender="10004346")
        campaigns.start(connection, campaign)

Needs neither broker nor API key: the workers find the campaign in the database. If your transaction rolls back, there
was no campaign. Every function takes a SQLAlchemy `Connection`, `Session` or `scoped_session` on `postgresql+psycopg`,
a psycopg connection or Django's as its first argument; a campaign's id is a positive int. With asyncio:
`from kavenegar_campaigns import aio`.

Errors: `BadInput` (with `NotFound` and `KeyConflict`) says what is wrong and what would be right; `IllegalMove` says
what the campaign's state allows. A first argument that is no such transaction, or leads to another database, is
`BadInput` in every function.

Every function may raise `DatabaseFailed` in place of the errors of SQLAlchemy and psycopg: roll back, and where it is
`retryable`, run your whole transaction again. `LockTimeout` is one, after some seconds in which another transaction
held the key or the row; `SchemaMissing` is one: run `campaigns migrate`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from kavenegar_campaigns.deprecation import warn_renamed
from kavenegar_campaigns.errors import (
    BadInput,
    CampaignsError,
    DatabaseFailed,
    IllegalMove,
    KeyConflict,
    LockTimeout,
    NotFound,
    OutcomeUnknown,
    SchemaMissing,
)

if TYPE_CHECKING:  # at run time `_HOMES` finds them
    from kavenegar_campaigns.api.campaign import (
        Campaign,
        Estimate,
        Recipients,
        cancel,
        create,
        estimate,
        pause,
        resume,
        send_uncertain,
        start,
    )
    from kavenegar_campaigns.api.inbox import Inbound, acknowledge, get_inbound, list_inbound
    from kavenegar_campaigns.api.otp import Otp, order_otp, otp_state
    from kavenegar_campaigns.api.suppression import Suppression, suppress, suppressed, unsuppress
    from kavenegar_campaigns.api.watch import (
        Preview,
        Progress,
        Report,
        Waiting,
        build_report,
        by_key,
        export,
        export_rejects,
        get,
        newest,
        preview,
        progress,
        why_waiting,
    )
    from kavenegar_campaigns.rules.message_options import CampaignKind
    from kavenegar_campaigns.rules.otp_request import OtpKind
    from kavenegar_campaigns.rules.states import CampaignState, MessageState, OtpState
    from kavenegar_campaigns.rules.suppression import SuppressionReason

__all__ = [
    "BadInput",
    "Campaign",
    "CampaignKind",
    "CampaignState",
    "CampaignsError",
    "DatabaseFailed",
    "Estimate",
    "IllegalMove",
    "Inbound",
    "KeyConflict",
    "LockTimeout",
    "MessageState",
    "NotFound",
    "Otp",
    "OtpKind",
    "OtpState",
    "OutcomeUnknown",
    "Preview",
    "Progress",
    "Recipients",
    "Report",
    "SchemaMissing",
    "Suppression",
    "SuppressionReason",
    "Waiting",
    "acknowledge",
    "build_report",
    "by_key",
    "cancel",
    "create",
    "estimate",
    "export",
    "export_rejects",
    "get",
    "get_inbound",
    "list_inbound",
    "newest",
    "order_otp",
    "otp_state",
    "pause",
    "preview",
    "progress",
    "resume",
    "send_uncertain",
    "start",
    "suppress",
    "suppressed",
    "unsuppress",
    "why_waiting",
]

_HOMES: Final = {
    "api.campaign": "Campaign Estimate Recipients cancel create estimate pause resume send_uncertain start",
    "api.inbox": "Inbound acknowledge get_inbound list_inbound",
    "api.otp": "Otp order_otp otp_state",
    "api.suppression": "Suppression suppress suppressed unsuppress",
    "api.watch": "Preview Progress Report Waiting build_report by_key export export_rejects get newest preview "
    "progress why_waiting",
    "rules.message_options": "CampaignKind",
    "rules.otp_request": "OtpKind",
    "rules.states": "CampaignState MessageState OtpState",
    "rules.suppression": "SuppressionReason",
}
"""Where the names come from. A module is imported when one of its names is first used: a start pays for none."""

_RENAMED: Final = {
    "Kind": "CampaignKind",
    "Reason": "SuppressionReason",
    "inbound": "get_inbound",
    "inbox": "list_inbound",
    "otp": "order_otp",
    "report": "build_report",
    "taken": "acknowledge",
    "waiting": "why_waiting",
}
"""Old names of functions and classes, for one release more."""

if not TYPE_CHECKING:  # so that a type checker objects to the old names, and to names that are none

    def __getattr__(name: str) -> object:
        """Import a name when it is first used; find an old name, and warn with the new one. Raises: AttributeError."""
        home = next((home for home, names in _HOMES.items() if name in names.split()), None)
        if home is not None:
            globals()[name] = found = getattr(import_module(f"{__name__}.{home}"), name)
            return found
        new = _RENAMED.get(name)
        if new is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        warn_renamed(f"campaigns.{name}", f"campaigns.{new}")
        return __getattr__(new)

    def __dir__() -> list[str]:
        """List the public names, also those that are not imported yet."""
        return sorted({*globals(), *__all__})
