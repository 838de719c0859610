"""Inbound messages under lost answers and killed workers: every one is stored exactly once.

`python -m tests.chaos.inbox --messages 20000` runs it at full size and prints the figures; the suite runs it small.
"""
