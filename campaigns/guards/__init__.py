"""What is looked at before anything may leave: the place of the database, its clock, and whose key ours is.

    place    a restored, copied, promoted or restarted database asks the gateway before it sends
    clock    nothing is sent, resolved or polled for a while after the database's clock has leapt
    account  a key is held against what earlier keys have sent

The claims themselves keep to what is found here (`store.gate`), so that nothing that is overlooked can send.
"""

from campaigns.guards import account, clock, place
from campaigns.guards.place import accept

__all__ = ["accept", "account", "clock", "place"]
