"""All 22 methods as Python functions. `Client` and `PacedClient` have them all.

A function checks its arguments, builds a `Call`, and performs it: at once in `Client`, in its lane and with further
tries in `PacedClient`. Each has a lane by default. All raise ValueError for arguments that the documentation forbids,
before anything leaves us, and a `GatewayError` for every failed call.
"""

from campaigns.kavenegar.calls.account import AccountCalls
from campaigns.kavenegar.calls.blocklist import BlocklistCalls
from campaigns.kavenegar.calls.following import FollowingCalls
from campaigns.kavenegar.calls.inbox import InboxCalls
from campaigns.kavenegar.calls.otp import OtpCalls
from campaigns.kavenegar.calls.outbox import OutboxCalls
from campaigns.kavenegar.calls.sending import SendingCalls
from campaigns.kavenegar.calls.voice import VoiceCalls


class EveryMethod(
    SendingCalls, FollowingCalls, OutboxCalls, InboxCalls, BlocklistCalls, OtpCalls, VoiceCalls, AccountCalls
):
    """All 22 methods."""
