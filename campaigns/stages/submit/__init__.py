"""Send one due batch and record every ending; resolve a batch whose outcome is unknown by asking the gateway.

Law two: a request that left without an answer is neither sent nor failed. Only `resolve` may make its messages
ready again, and only those of which the gateway says, inside its window, that it never saw them.
"""

from campaigns.stages.submit.answers import Outcome
from campaigns.stages.submit.resolve import resolve_batch
from campaigns.stages.submit.send import send_batch

__all__ = ["Outcome", "resolve_batch", "send_batch"]
