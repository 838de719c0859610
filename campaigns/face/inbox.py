"""What people wrote to our lines, and that it has been dealt with."""

from __future__ import annotations

from datetime import datetime

import campaigns.inbox  # noqa: F401 - first, or whoever imports a part of it later would hide the function `inbox`
from campaigns.face.bind import Bind, now, opened, writing
from campaigns.rules.dates import check_moment
from campaigns.store import inbound as store
from campaigns.store.inbound import Inbound


def inbox(
    bind: Bind,
    *,
    line: str | None = None,
    campaign_id: int | None = None,
    since: datetime | None = None,
    limit: int = 100,
    after: int | None = None,
) -> list[Inbound]:
    """What people wrote to our lines, the newest first; the next page is `after` the last id of the one before.

    Raises: BadInput for a `since` without a zone, or of the Persian calendar.
    """
    if since is not None:
        check_moment(since, "since")
    return store.listed(opened(bind), line=line, campaign_id=campaign_id, since=since, limit=limit, after=after)


def inbound(bind: Bind, inbound_id: int) -> Inbound:
    """One message, by the id that INBOX_TASK or INBOX_WEBHOOK was given. Raises: NotFound."""
    return store.read(opened(bind), inbound_id)


def taken(bind: Bind, inbound_id: int) -> bool:
    """Your code has dealt with a message: in your transaction, so that both are true or neither.

    True once for each message; False where it had been taken before, or there is none. Until then it comes again.
    """
    connection = writing(bind)
    return store.taken(connection, inbound_id, now=now(connection))
