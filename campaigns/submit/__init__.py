"""One due batch goes to the gateway, and every ending is written down; what stayed unknown is resolved by asking.

Law two: a request that left without an answer is neither sent nor failed. Only `resolve` may make its messages
ready again, and only those of which the gateway says, inside its window, that it never saw them.
"""

from campaigns.submit.outcome import Outcome
from campaigns.submit.resolve import resolve
from campaigns.submit.send import run

__all__ = ["Outcome", "resolve", "run"]
