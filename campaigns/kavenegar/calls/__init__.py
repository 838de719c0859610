"""Every method as a Python function, in groups by what they are for; `Client` and `Gateway` have them all.

    sending     sms/send, sms/sendarray
    following   sms/status, statuslocalmessageid, statusbyreceptor, select, cancel
    outbox      sms/selectoutbox, latestoutbox, countoutbox
    inbox       sms/receive, inboxpaged, countinbox
    blocklist   line/blocked/list, add, exists, remove
    otp         verify/lookup
    voice       call/maketts
    account     account/info, account/config, utils/getdate

A function checks what it is given, makes a `Call` of it, and performs it: at once in `Client`, in its lane and with
further tries in `Gateway`. Each says the lane it takes if it is not told another. All raise ValueError for what the
documentation forbids, before anything leaves us, and a `GatewayError` for whatever is no answer.
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
