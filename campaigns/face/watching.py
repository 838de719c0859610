"""How campaigns stand, why they wait, and what became of them."""

from __future__ import annotations

from typing import IO, Any

from campaigns import rejected, sample_texts
from campaigns import report as reports
from campaigns import waiting as reasons
from campaigns.face.bind import Bind, now, opened
from campaigns.kavenegar.pace import PaceView
from campaigns.report import Report
from campaigns.sample_texts import Preview
from campaigns.store import campaigns as store
from campaigns.store.records import Campaign, Progress
from campaigns.waiting import Waiting


def get(bind: Bind, campaign_id: int) -> Campaign:
    """The campaign's row. Raises: NotFound."""
    return store.read(opened(bind), campaign_id)


def newest(bind: Bind, *, limit: int = 20) -> list[Campaign]:
    """The newest campaigns first."""
    return store.newest(opened(bind), limit=limit)


def progress(bind: Bind, campaign_id: int) -> Progress:
    """How many messages stand where; cheap enough to ask every second. Raises: NotFound."""
    return store.progress(opened(bind), campaign_id)


def waiting(bind: Bind, campaign_id: int, *, pace: PaceView | None = None) -> Waiting | None:
    """Why a campaign waits, as a word, a sentence and a time; None when it is over. Cheap enough for every second.

    With the `pace` of now it also tells when sending ends, and whether all calls pause. Raises: NotFound.
    """
    connection = opened(bind)
    return reasons.why(connection, campaign_id, now=now(connection), pace=pace)


def report(bind: Bind, campaign_id: int) -> Report:
    """The figures: counts, cost, parts, speed, requests, rejects. Raises: NotFound."""
    return reports.report(opened(bind), campaign_id)


def export(bind: Bind, campaign_id: int, out: IO[Any], file_format: str = "csv") -> int:
    """Write one line for every row that was read; returns how many.

    `file_format` is "csv" (into a file of text) or "xlsx" (into a binary file). Raises: NotFound, BadInput.
    """
    return reports.export(opened(bind), campaign_id, out, file_format)


def export_rejects(bind: Bind, campaign_id: int, out: IO[Any], file_format: str = "csv") -> int:
    """Write one line for every row that made no message, with why and with its cells; returns how many.

    The file can be mended and loaded as a campaign of its own. Formats are as in `export`. Raises: NotFound, BadInput.
    """
    return rejected.export(opened(bind), campaign_id, out, file_format)


def preview(bind: Bind, campaign_id: int) -> Preview:
    """The first text and the longest, as they will be sent, with their parts. Raises: NotFound."""
    return sample_texts.preview(opened(bind), campaign_id)
