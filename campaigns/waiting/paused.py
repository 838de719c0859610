"""What lets a paused campaign go on, by the refusal that paused it."""

from __future__ import annotations

from campaigns.errors import TextRefused
from campaigns.kavenegar.codes import OF_THE_LINE, meaning
from campaigns.store.records import Campaign


def way_on(campaign: Campaign) -> str:
    """The command that lets it go on, or what to do where no command does."""
    resume = f"`campaigns resume {campaign.id}`"
    code = campaign.hold_code
    if code in OF_THE_LINE and not campaign.manner.calls:
        return f"`campaigns resume {campaign.id} --sender LINE` lets what has not left go on from another line"
    if code is not None and meaning(code).verdict is TextRefused:
        return f"a text cannot be changed: `campaigns cancel {campaign.id}` ends it, {resume} tries it again"
    return f"{resume} lets it go on"
