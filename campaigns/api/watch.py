"""Read how campaigns stand, why they wait, and what became of their messages."""

from __future__ import annotations

from typing import IO, Any

import campaigns.stages.report as reports
from campaigns.api import Bind, connection_of, database_now
from campaigns.kavenegar.pace import PaceView
from campaigns.stages import plan, report
from campaigns.stages.plan import Preview
from campaigns.stages.report import Report
from campaigns.stages.waiting import Waiting, reasons
from campaigns.store import campaigns as store
from campaigns.store.records import Campaign, Progress


def get(bind: Bind, campaign_id: int) -> Campaign:
    """The campaign's row. Raises: NotFound."""
    return store.read(connection_of(bind), campaign_id)


def newest(bind: Bind, *, limit: int = 20) -> list[Campaign]:
    """The newest campaigns first."""
    return store.newest(connection_of(bind), limit=limit)


def progress(bind: Bind, campaign_id: int) -> Progress:
    """How many messages stand where; cheap enough to ask every second. Raises: NotFound."""
    return store.progress(connection_of(bind), campaign_id)


def why_waiting(bind: Bind, campaign_id: int, *, pace: PaceView | None = None) -> Waiting | None:
    """Why a campaign waits, as a word, a sentence and a time; None when it is over. Cheap enough for every second.

    With the `pace` of now it also tells when sending ends, and whether all calls pause. Raises: NotFound.
    """
    connection = connection_of(bind)
    return reasons.why_waiting(connection, campaign_id, now=database_now(connection), pace=pace)


def build_report(bind: Bind, campaign_id: int) -> Report:
    """The figures: counts, cost, parts, speed, requests, rejects. Raises: NotFound."""
    return reports.build_report(connection_of(bind), campaign_id)


def export(bind: Bind, campaign_id: int, out: IO[Any], file_format: str = "csv") -> int:
    """Write one line for every row that was read; returns how many.

    `file_format` is "csv" (into a file of text) or "xlsx" (into a binary file). Raises: NotFound, BadInput.
    """
    return reports.export_report(connection_of(bind), campaign_id, out, file_format)


def export_rejects(bind: Bind, campaign_id: int, out: IO[Any], file_format: str = "csv") -> int:
    """Write one line for every row that made no message, with why and with its cells; returns how many.

    The file can be mended and loaded as a campaign of its own. Formats are as in `export`. Raises: NotFound, BadInput.
    """
    return report.export_rejects(connection_of(bind), campaign_id, out, file_format)


def preview(bind: Bind, campaign_id: int) -> Preview:
    """The first text and the longest, as they will be sent, with their parts. Raises: NotFound."""
    return plan.preview(connection_of(bind), campaign_id)
