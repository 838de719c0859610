"""Read inbound messages, and acknowledge them."""

from __future__ import annotations

from datetime import datetime

from kavenegar_campaigns.api import Bind, reading_connection, writing_connection
from kavenegar_campaigns.api.boundary import public
from kavenegar_campaigns.rules.arguments import checked
from kavenegar_campaigns.store import database_now
from kavenegar_campaigns.store import inbound as store
from kavenegar_campaigns.store.inbound import Inbound

__all__ = ["Inbound", "acknowledge", "get_inbound", "list_inbound"]


@public
@checked
def list_inbound(
    bind: Bind,
    *,
    line: str | None = None,
    campaign_id: int | None = None,
    since: datetime | None = None,
    limit: int = 100,
    after: int | None = None,
) -> list[Inbound]:
    """List inbound messages, the newest first; the next page is `after` the last id of the page before.

    Raises: BadInput for a `since` without a zone, or of the Persian calendar.
    """
    with reading_connection(bind) as connection:
        return store.listed(connection, line=line, campaign_id=campaign_id, since=since, limit=limit, after=after)


@public
@checked
def get_inbound(bind: Bind, inbound_id: int) -> Inbound:
    """Read one inbound message, by the id that your task (INBOX_TASK) or webhook was given. Raises: NotFound."""
    with reading_connection(bind) as connection:
        return store.read(connection, inbound_id)


@public
@checked
def acknowledge(bind: Bind, inbound_id: int) -> bool:
    """Record, in your transaction, that your code has dealt with a message; until then it is delivered again.

    Returns True once for each message; False where it was acknowledged before, or does not exist.
    """
    with writing_connection(bind) as connection:
        return store.acknowledge(connection, inbound_id, now=database_now(connection))
