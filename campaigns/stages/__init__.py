"""The stages, in the order a campaign takes them. No stage calls another: they meet in the database.

intake           recipients and a text become a campaign with one message for each number
plan             start, pause, resume, cancel; split into batches; preview
dispatch         the one-second tick that enqueues due work; the chores
submit           send a batch, resolve one whose outcome is unknown
track            poll statuses until every message has its verdict; withdraw
report           the figures of a campaign, and its files
verify           check that our record is true

Beside the path:

inbox            pull inbound messages, reconcile, deliver
otp              one-time passwords
callbacks        the gateway's callbacks: record, match, confirm
suppression      the gateway's block lists, synchronised
account          credit, settings, the hold, and the account of our key
sent_at_gateway  the messages that the gateway says it sent; the daily ledger
waiting          why a campaign waits
guards           is this the same database, and is its clock right?

What they share lies below them: `answers` (facts and answers by our ids) and `exports` (CSV and XLSX).
"""
