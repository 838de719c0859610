"""What a campaign would be, without making it."""

from __future__ import annotations

from dataclasses import dataclass, field

from campaigns.intake.opening import Recipients, opened
from campaigns.intake.sieve import Sieve
from campaigns.rules.manner import Kind, manner
from campaigns.rules.splitting import BLOCK
from campaigns.rules.text import MAX_CHARACTERS, Template


@dataclass(frozen=True, slots=True)
class Estimate:
    """What intake would make of recipients and a text."""

    rows_read: int
    messages: int
    duplicates: int
    rejects: int
    parts: int  # what the gateway bills; of calls, their number: what a call costs is told nowhere
    parts_persian: int  # the cheaper ones
    parts_latin: int
    longest: int  # UTF-16 code units of the longest text
    reasons: tuple[str, ...]  # why the first few rejects are none, with their rows
    kind: Kind = Kind.SMS
    hidden: int = 0  # of the rejects: rows that the spreadsheet hides
    first_text: str = field(default="", repr=False)  # as the first recipient would get it
    longest_text: str = field(default="", repr=False)  # the first of those that are the longest
    header_row: int | None = None  # where the columns are named; 0 where Python named them; None: nowhere


def estimate(
    recipients: Recipients,
    text: str,
    *,
    number_column: str | None = None,
    sheet: str | None = None,
    include_hidden: bool = False,
    header_row: int | None = None,
    max_characters: int = MAX_CHARACTERS,
    kind: str = Kind.SMS,
) -> Estimate:
    """Take recipients through the same sieve as `create`, and only count. Takes and raises what `create` does.

    A call counts as one part: the gateway's documentation does not say how calls are billed.

    Nothing usable among the recipients is no error here: `messages` is 0 and `reasons` tells why.
    """
    template, reached = Template.parse(text), manner(kind)
    with opened(
        recipients,
        number_column=number_column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
        placeholders=template.placeholders,
    ) as table:
        sieve = Sieve(table, template, sender="", max_characters=max_characters, manner=reached)
        while not sieve.exhausted:
            sieve.skip(BLOCK)
    tally = sieve.tally
    return Estimate(
        rows_read=tally.rows_read,
        messages=tally.messages,
        duplicates=tally.duplicates,
        rejects=tally.rejects,
        parts=tally.parts,
        parts_persian=tally.parts_persian,
        parts_latin=tally.parts_latin,
        longest=tally.longest,
        reasons=tuple(tally.reasons),
        kind=reached.kind,
        hidden=tally.hidden,
        header_row=table.header_row,
        first_text=tally.first_text,
        longest_text=tally.longest_text,
    )
