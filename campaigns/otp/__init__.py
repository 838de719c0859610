"""One-time passwords: ordered in the caller's transaction, sent once, told about at once, followed by a call if asked.

The gateway takes no localid for them, so nobody can find out later what became of a request without an answer. Such a
one is unknown for good: it is never sent again by itself, and whoever ordered it is told.
"""

from campaigns.otp.follow import Followed, follow
from campaigns.otp.ordering import order, state
from campaigns.otp.send import Outcome, run, send

__all__ = ["Followed", "Outcome", "follow", "order", "run", "send", "state"]
