"""Whom we do not write to: suppressed and lifted by hand, and the gateway's block lists synchronised both ways."""

from campaigns.suppress.by_hand import add, lift, read
from campaigns.suppress.export import export
from campaigns.suppress.gateway import Listed, check, run, sync
from campaigns.suppress.visit import Synced

__all__ = ["Listed", "Synced", "add", "check", "export", "lift", "read", "run", "sync"]
