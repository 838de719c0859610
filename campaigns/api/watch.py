"""Read the state of campaigns, why they wait, and the results of their messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import IO, Any

import kavenegar_campaigns.stages.report as reports
from kavenegar_campaigns.api import Bind, reading_connection
from kavenegar_campaigns.api.boundary import public
from kavenegar_campaigns.rules.arguments import checked, checked_with, instance_of
from kavenegar_campaigns.rules.pace import PaceView
from kavenegar_campaigns.stages import plan, report
from kavenegar_campaigns.stages.exports import FileFormat, format_of, open_new
from kavenegar_campaigns.stages.plan import Preview
from kavenegar_campaigns.stages.report import Report
from kavenegar_campaigns.stages.waiting import Waiting, reasons
from kavenegar_campaigns.store import campaigns as store
from kavenegar_campaigns.store import database_now, loading
from kavenegar_campaigns.store.records import Campaign, Progress

__all__ = [
    "Campaign",
    "FileFormat",
    "Preview",
    "Progress",
    "Report",
    "Waiting",
    "build_report",
    "by_key",
    "count_campaigns",
    "export",
    "export_rejects",
    "format_of",
    "get",
    "kept_senders",
    "newest",
    "open_new",
    "preview",
    "progress",
    "progress_of_each",
    "why_each_waits",
    "why_waiting",
]

_with_pace = checked_with(pace=instance_of(PaceView, "the pace as it was read (PaceView)"))


@public
@checked
def get(bind: Bind, campaign_id: int) -> Campaign:
    """Read a campaign. Raises: NotFound."""
    with reading_connection(bind) as connection:
        return store.read(connection, campaign_id)


@public
@checked
def by_key(bind: Bind, key: str) -> Campaign | None:
    """Find the campaign that was created under `key`; None where there is none, as with `dict.get`.

    A `create` whose answer was lost (a restart, a cut connection, a task that nobody waited for) is found by it. None
    means that no transaction with this key has committed so far: to create it again with the same key is safe.
    """
    with reading_connection(bind) as connection:
        return store.by_key(connection, key)


@public
@checked
def newest(bind: Bind, *, limit: int = 20) -> list[Campaign]:
    """List at most `limit` campaigns, the newest first."""
    with reading_connection(bind) as connection:
        return store.newest(connection, limit=limit)


@public
def count_campaigns(bind: Bind) -> int:
    """Count all campaigns."""
    with reading_connection(bind) as connection:
        return store.count(connection)


@public
@checked
def progress(bind: Bind, campaign_id: int) -> Progress:
    """Count a campaign's messages by state; cheap enough for every second. Raises: NotFound."""
    with reading_connection(bind) as connection:
        return store.progress(connection, campaign_id)


@public
def progress_of_each(bind: Bind, campaign_ids: Sequence[int]) -> dict[int, Progress]:
    """Count the messages of several campaigns by state, by their ids, at the cost of one; unknown ids are left out."""
    with reading_connection(bind) as connection:
        return store.progress_of_each(connection, campaign_ids)


@public
@_with_pace
def why_waiting(
    bind: Bind, campaign_id: int, *, pace: PaceView | None = None, now: datetime | None = None
) -> Waiting | None:
    """Explain why a campaign waits: a word, a sentence and a time; None when it is over. Cheap enough for every second.

    With the `pace` of now it also tells when sending ends, and whether all calls pause. `now` is the database's time
    unless it is given. Raises: NotFound.
    """
    with reading_connection(bind) as connection:
        return reasons.why_waiting(connection, campaign_id, now=now or database_now(connection), pace=pace)


@public
def why_each_waits(
    bind: Bind, campaigns: Sequence[Campaign], *, pace: PaceView | None = None, now: datetime | None = None
) -> dict[int, Waiting | None]:
    """Explain why each of several campaigns waits, by their ids, at the cost of one; None for one that is over."""
    with reading_connection(bind) as connection:
        return reasons.why_each_waits(connection, campaigns, now=now or database_now(connection), pace=pace)


@public
def kept_senders(bind: Bind, campaign_id: int) -> dict[str, int]:
    """Count the messages that keep each line, of a campaign that was resumed with another line; empty without that."""
    with reading_connection(bind) as connection:
        return loading.kept_senders(connection, campaign_id)


@public
@checked
def build_report(bind: Bind, campaign_id: int) -> Report:
    """Build the report of a campaign: counts, cost in rial, parts, speed, requests, rejects. Raises: NotFound."""
    with reading_connection(bind) as connection:
        return reports.build_report(connection, campaign_id)


@public
@checked
def export(bind: Bind, campaign_id: int, out: IO[Any], file_format: str = "csv") -> int:
    """Write the report's file: one line for every row that was read. Returns how many lines.

    `file_format` is "csv" (into a file of text) or "xlsx" (into a binary file). Raises: NotFound, BadInput.
    """
    with reading_connection(bind) as connection:
        return reports.export_report(connection, campaign_id, out, file_format)


@public
@checked
def export_rejects(bind: Bind, campaign_id: int, out: IO[Any], file_format: str = "csv") -> int:
    """Write one line for every row that made no message, with the reason and its cells. Returns how many lines.

    The file can be mended and loaded as a campaign of its own. Formats are as in `export`. Raises: NotFound, BadInput.
    """
    with reading_connection(bind) as connection:
        return report.export_rejects(connection, campaign_id, out, file_format)


@public
@checked
def preview(bind: Bind, campaign_id: int) -> Preview:
    """Read the first text and the longest, as they will be sent, with their parts. Raises: NotFound."""
    with reading_connection(bind) as connection:
        return plan.preview(connection, campaign_id)
