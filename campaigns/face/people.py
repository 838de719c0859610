"""Who gets nothing more, and why."""

from __future__ import annotations

from collections.abc import Iterable

from campaigns.face.bind import Bind, now, opened, writing
from campaigns.rules.suppression import Reason
from campaigns.store.suppressions import Suppression
from campaigns.suppress.by_hand import add, lift, read


def suppress(bind: Bind, numbers: Iterable[str], *, reason: str = Reason.BY_HAND, source: str = "a program") -> int:
    """Send nothing more to these numbers; how many are new. Running campaigns heed it before their next batch.

    Numbers come in any spelling. `reason` is a `Reason` or words of your own, `source` says where it comes from: both
    stand in reports. A number that is suppressed already keeps its reason. One-time passwords are sent all the same.
    Raises: BadInput, and nothing was suppressed.
    """
    connection = writing(bind)
    return add(connection, numbers, reason=reason, source=source, now=now(connection))


def unsuppress(bind: Bind, numbers: Iterable[str]) -> int:
    """Let these numbers get messages again; how many were suppressed. Raises: BadInput, and nothing was lifted.

    What the API may remove is then taken off the gateway's block lists as well; the rest the gateway goes on blocking.
    """
    connection = writing(bind)
    return lift(connection, numbers, now=now(connection))


def suppressed(bind: Bind, number: str) -> Suppression | None:
    """Why a number gets nothing, and since when; None where it is not suppressed. Raises: BadInput."""
    return read(opened(bind), number)
