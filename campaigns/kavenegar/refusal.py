"""A switch for processes that run tests: from then on no call to the gateway can leave them.

It belongs to the process, so that it holds for every thread and every client, also for one that was made before.
"""

from __future__ import annotations

from typing import Final

from kavenegar_campaigns.errors import BadInput

_SENTENCE: Final = (
    "nothing leaves a process that runs tests: kavenegar_campaigns.testing refuses every call to the gateway. "
    "`testing.outbox(connection)`, or the fixture campaigns_outbox, shows what would have left"
)
_refused = False


def refuse_calls() -> None:
    """Refuse every call to the gateway in this process, from now until it ends."""
    global _refused  # noqa: PLW0603 - one switch for the process is meant
    _refused = True


def check_calls_allowed() -> None:
    """Check that a call may leave this process. Raises: BadInput."""
    if _refused:
        raise BadInput(_SENTENCE)
