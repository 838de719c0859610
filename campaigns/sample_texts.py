"""The texts of a campaign as they will be sent: the first one and the longest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store import campaigns


@dataclass(frozen=True, slots=True)
class Preview:
    """What the first recipient gets, and the longest text of all, each with the parts that are billed for it."""

    first_text: str = field(repr=False)
    first_parts: int
    longest_text: str = field(repr=False)
    longest_parts: int


# What does the first recipient of a campaign get?
_FIRST: Final = text("""
    SELECT coalesce(message.text, campaign.template) AS text, message.parts
      FROM sms.campaigns AS campaign JOIN sms.messages AS message ON message.id >= lower(campaign.message_ids)
     WHERE campaign.id = :id ORDER BY message.id LIMIT 1
""")

# What is the longest of a campaign's personal texts? The first of those that are as long.
_LONGEST: Final = text("""
    SELECT message.text, message.parts
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
      JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
     WHERE campaign.id = :id
  ORDER BY message.parts DESC, char_length(message.text) DESC, message.id LIMIT 1
""")


def preview(connection: Connection, campaign_id: int) -> Preview:
    """The first text of a campaign and its longest. Looks through all of them. Raises: NotFound."""
    personal = campaigns.read(connection, campaign_id).personal
    first = connection.execute(_FIRST, {"id": campaign_id}).one()
    longest = connection.execute(_LONGEST, {"id": campaign_id}).one() if personal else first
    return Preview(first.text, first.parts, longest.text, longest.parts)
