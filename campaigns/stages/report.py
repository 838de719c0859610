"""Build the report of a campaign: the figures, and the files with a line for every row or every rejected row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import Connection

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.batches import BATCH_SIZE
from kavenegar_campaigns.rules.spreadsheet import escape_formula
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.rules.suppression import suppressed_text
from kavenegar_campaigns.stages.exports import FileFormat, Layout, format_of, open_new, write_rows
from kavenegar_campaigns.store import campaigns, messages, suppressions
from kavenegar_campaigns.store import report as store
from kavenegar_campaigns.store.records import Campaign
from kavenegar_campaigns.store.report import Reject
from kavenegar_campaigns.store.suppressions import Suppression

REPORT_COLUMNS: Final = (
    "row",
    "number",
    "state",
    "status",
    "message_id",
    "parts",
    "cost_rial",
    "reason",
    "settled_at",
    "localid",
)
_LAYOUT: Final = Layout("report", REPORT_COLUMNS, frozenset({"row", "status", "parts", "cost_rial"}))


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a campaign.

    `parts` are of messages that left: none of those that were withdrawn, or that wait at the gateway for their date.
    `cost_rial` is what stays charged: refunded messages (blocked, cancelled) are left out. Of `unpriced` messages the
    gateway never told the cost, since their answer was lost: they are taken at the price of the others.
    `suppressed` recipients by reason (see `rules.suppression`), under `` those of whom the list knows nothing.

    `withdrawn` messages waited at the gateway for their date when the campaign was cancelled, and `withdrawn_rial` of
    the refund is theirs. Both are by our own rows: the gateway tells of a withdrawal, and not of its money.
    """

    campaign: Campaign
    counts: Mapping[MessageState, int]
    rejects: Mapping[str, int]
    refused: Mapping[int, int]
    suppressed: Mapping[str, int]
    accepted: int
    parts: int
    cost_rial: int
    refunded_rial: int
    unpriced: int
    withdrawn: int
    withdrawn_rial: int
    requests: Mapping[str, int]
    mean_batch: float
    mean_poll: float
    seconds_sending: float
    seconds_to_verdicts: float
    examples: Sequence[tuple[int, str, str, str]] = field(repr=False)

    @property
    def messages_a_second(self) -> float:
        """Accepted messages a second, from the first request to the last acceptance."""
        return self.accepted / self.seconds_sending if self.seconds_sending else 0.0


def build_report(connection: Connection, campaign_id: int, *, examples: int = 10) -> Report:
    """Build the figures of a campaign. Raises: NotFound."""
    progress = campaigns.progress(connection, campaign_id)
    money = store.money(connection, campaign_id)
    times = store.sending_times(connection, campaign_id)
    requests = store.count_requests(connection, campaign_id)
    mean = {kind: counted.messages / counted.requests for kind, counted in requests.items()}
    return Report(
        campaign=progress.campaign,
        counts=progress.counts,
        rejects=campaigns.rejects_by_kind(connection, campaign_id),
        refused=store.refused_by_code(connection, campaign_id),
        suppressed=suppressions.reasons(connection, campaign_id),
        accepted=money.accepted,
        parts=money.parts,
        cost_rial=money.cost_rial,
        refunded_rial=money.refunded_rial,
        unpriced=money.unpriced,
        withdrawn=money.withdrawn,
        withdrawn_rial=money.withdrawn_rial,
        requests={kind: counted.requests for kind, counted in requests.items()},
        mean_batch=mean.get("send", 0.0),
        mean_poll=mean.get("poll", 0.0),
        seconds_sending=_seconds(times.first_sent_at, times.accepted_at),
        seconds_to_verdicts=_seconds(times.first_sent_at, progress.campaign.finished_at),
        examples=campaigns.rejects(connection, campaign_id, limit=examples),
    )


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() if start and end else 0.0


def export_report(connection: Connection, campaign_id: int, out: IO[Any], file_format: str = FileFormat.CSV) -> int:
    """Write a line for every row that was read, rejected ones included, in the order of the rows.

    Columns: COLUMNS. CSV into a file of text, or XLSX into a binary one. No cell is a formula to a spreadsheet.
    Returns the lines. Reads a few thousand messages at a time: memory stays flat, and no transaction has to stay open.
    Raises: NotFound, BadInput.
    """
    campaigns.read(connection, campaign_id)
    lines = merge(_message_lines(connection, campaign_id), _reject_lines(connection, campaign_id), key=_row_no)
    return write_rows(out, _LAYOUT, lines, file_format)


def export_report_file(connection: Connection, campaign_id: int, path: Path) -> int:
    """Write `export_report` to a file; its name decides between CSV (which Excel opens as UTF-8) and XLSX.

    Raises: NotFound; BadInput when the file cannot be written, or is to be of another format.
    """
    file_format = format_of(path)
    try:
        with open_new(path, file_format) as out:
            return export_report(connection, campaign_id, out, file_format)
    except OSError as why:
        raise BadInput(f"the report cannot be written to {path}: {why.strerror}") from None


Line = tuple[object, ...]


def _row_no(line: Line) -> int:
    row_no = line[0]
    assert isinstance(row_no, int)  # noqa: S101 - the first column of every line
    return row_no


def _message_lines(connection: Connection, campaign_id: int) -> Iterator[Line]:
    for page in messages.in_pages(connection, campaign_id, size=25 * BATCH_SIZE):
        suppressed = suppressions.find(connection, [str(row[1]) for row in page if row[2] == MessageState.SUPPRESSED])
        for row_no, number, state, status, gateway_id, parts, cost, code, settled_at, _text, id_ in page:
            reason = f"refused with code {code}" if code is not None else ""
            if state == MessageState.SUPPRESSED:
                reason = _why_suppressed(suppressed.get(str(number)))
            yield (row_no, number, state, status, gateway_id, parts, cost, reason, settled_at, id_)


def _why_suppressed(found: Suppression | None) -> str:
    """Return the present reason of the suppression: it may have been lifted and set again since."""
    return "suppressed" if found is None else suppressed_text(found.reason, found.created_at)


def _reject_lines(connection: Connection, campaign_id: int) -> Iterator[Line]:
    for each in store.rejects_in_order(connection, campaign_id):
        yield (each.row_no, each.value, f"rejected: {each.kind}", None, None, None, None, each.reason, None, None)


# ── rejected rows, as a file that can be mended and loaded ──

REJECT_COLUMNS: Final = ("row", "rejected", "why")
"""What stands before the columns of the file."""


def export_rejects(connection: Connection, campaign_id: int, out: IO[Any], file_format: str = FileFormat.CSV) -> int:
    """Write a line for every rejected row: COLUMNS, and then the cells of the file.

    Of a row whose cells were not kept (by an older version, or behind the first 100,000), the wrong value alone is
    known. CSV into a file of text, or XLSX into a binary one. No cell is a formula to a spreadsheet. Returns the lines.
    Raises: NotFound, BadInput.
    """
    campaigns.read(connection, campaign_id)
    names = store.reject_cell_names(connection, campaign_id) or ["value"]
    layout = Layout("rejects", (*REJECT_COLUMNS, *map(escape_formula, names)), frozenset({"row"}))
    rows = (
        (each.row_no, each.kind, each.reason, *_cells(each, names))
        for each in store.rejects_in_order(connection, campaign_id)
    )
    return write_rows(out, layout, rows, file_format)


def _cells(reject: Reject, names: Sequence[str]) -> list[str]:
    """Return the cells of a rejected row in the order of `names`.

    Where they were not kept, the wrong value stands first.
    """
    cells = {names[0]: reject.value} if reject.cells is None else reject.cells
    return [cells.get(name, "") for name in names]
