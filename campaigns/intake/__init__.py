"""Intake: from recipients and a text to a campaign with one message for each number."""

from campaigns.intake.creation import create
from campaigns.intake.forecast import Estimate, estimate
from campaigns.intake.opening import Recipients

__all__ = ["Estimate", "Recipients", "create", "estimate"]
