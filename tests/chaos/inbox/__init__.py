"""Inbound messages under losses and deaths: every one stored exactly once, none missing.

`python -m tests.chaos.inbox --messages 20000` runs it at full size and tells the figures; the suite runs it small.
"""
