"""Bulk SMS campaigns through Kavenegar: what a web app imports to create, watch and steer them.

    import campaigns

    with engine.begin() as connection:            # or a Session: your transaction, your commit
        campaign = campaigns.create(connection, recipients="customers.csv", text="سلام {name}", sender="10004346")
        campaigns.start(connection, campaign)

Needs neither broker nor API key: the workers find the campaign in the database. If your transaction rolls back, there
was no campaign. Every function takes a SQLAlchemy `Connection` or `Session` on `postgresql+psycopg` as its first
argument, and a campaign's id (a positive int).

Errors: `BadInput` (with `NotFound` and `KeyConflict`) says what is wrong and what would be right; `IllegalMove` says
what the campaign's state allows.
"""

from __future__ import annotations

from datetime import datetime
from typing import IO

from sqlalchemy import Connection
from sqlalchemy import text as _sql
from sqlalchemy.orm import Session

from campaigns import intake as _intake
from campaigns import plan as _plan
from campaigns import report as _report
from campaigns import waiting as _waiting
from campaigns.errors import BadInput, CampaignsError, IllegalMove, KeyConflict, NotFound
from campaigns.intake import Estimate, Recipients, estimate
from campaigns.kavenegar.pace import PaceView
from campaigns.report import Report
from campaigns.rules.states import CampaignState, MessageState
from campaigns.rules.text import MAX_CHARACTERS
from campaigns.store import campaigns as _store
from campaigns.store.records import Campaign, Progress
from campaigns.waiting import Waiting

__all__ = [
    "BadInput",
    "Campaign",
    "CampaignState",
    "CampaignsError",
    "Estimate",
    "IllegalMove",
    "KeyConflict",
    "MessageState",
    "NotFound",
    "Progress",
    "Recipients",
    "Report",
    "Waiting",
    "cancel",
    "create",
    "estimate",
    "export",
    "get",
    "newest",
    "pause",
    "progress",
    "report",
    "resume",
    "send_uncertain",
    "start",
    "waiting",
]


def create(
    bind: Connection | Session,
    *,
    recipients: Recipients,
    text: str,
    sender: str,
    name: str | None = None,
    key: str | None = None,
    number_column: str | None = None,
    sheet: str | None = None,
    start_at: datetime | None = None,
    max_characters: int = MAX_CHARACTERS,
) -> int:
    """Load a campaign as a draft and return its id. Nothing is sent before `start`.

    `recipients` is a CSV or XLSX file (a path or an open file) or any iterable of numbers, mappings, or pairs of both.
    `text` may hold `{placeholders}`, filled from the columns or mappings. Wrong rows, and those whose text would have
    more than `max_characters`, are kept with their reasons and never stop the good ones. With `key`, creating the same
    campaign again returns the same id.

    Raises: BadInput when nothing can be sent at all, or the text or sender is wrong; KeyConflict when `key` was used
    for other content. The caller's transaction then holds nothing of it.
    """
    return _intake.create(
        _connection(bind),
        recipients=recipients,
        text=text,
        sender=sender,
        name=name,
        key=key,
        number_column=number_column,
        sheet=sheet,
        start_at=start_at,
        max_characters=max_characters,
    )


def start(
    bind: Connection | Session, campaign_id: int, *, at: datetime | None = None, at_gateway: bool = False
) -> Campaign:
    """Approve a draft and let it run, now or at `at` (with a time zone).

    Until then we hold it, unless `at_gateway` hands it over at once with its date. Raises: NotFound, IllegalMove.
    """
    connection = _connection(bind)
    return _plan.start(connection, campaign_id, now=_now(connection), at=at, at_gateway=at_gateway)


def pause(bind: Connection | Session, campaign_id: int, *, reason: str = "paused by hand") -> Campaign:
    """Send nothing more until `resume`; bites before the next batch. Raises: NotFound, IllegalMove."""
    connection = _connection(bind)
    return _plan.pause(connection, campaign_id, now=_now(connection), reason=reason)


def resume(bind: Connection | Session, campaign_id: int) -> Campaign:
    """Go on where it stopped. Raises: NotFound, IllegalMove."""
    connection = _connection(bind)
    return _plan.resume(connection, campaign_id, now=_now(connection))


def cancel(bind: Connection | Session, campaign_id: int) -> Campaign:
    """Send nothing more, for good; what has left is followed to its verdict. Raises: NotFound, IllegalMove."""
    connection = _connection(bind)
    return _plan.cancel(connection, campaign_id, now=_now(connection))


def send_uncertain(bind: Connection | Session, campaign_id: int) -> int:
    """A person decided to send a campaign's uncertain messages again; how many. Raises: NotFound, IllegalMove."""
    connection = _connection(bind)
    return _plan.send_uncertain(connection, campaign_id, now=_now(connection))


def get(bind: Connection | Session, campaign_id: int) -> Campaign:
    """The campaign's row. Raises: NotFound."""
    return _store.read(_connection(bind), campaign_id)


def newest(bind: Connection | Session, *, limit: int = 20) -> list[Campaign]:
    """The newest campaigns first."""
    return _store.newest(_connection(bind), limit=limit)


def progress(bind: Connection | Session, campaign_id: int) -> Progress:
    """How many messages stand where; cheap enough to ask every second. Raises: NotFound."""
    return _store.progress(_connection(bind), campaign_id)


def waiting(bind: Connection | Session, campaign_id: int, *, pace: PaceView | None = None) -> Waiting | None:
    """Why a campaign waits, as a word, a sentence and a time; None when it is over. Cheap enough for every second.

    With the `pace` of now it also tells when sending ends, and whether all calls pause. Raises: NotFound.
    """
    connection = _connection(bind)
    return _waiting.why(connection, campaign_id, now=_now(connection), pace=pace)


def report(bind: Connection | Session, campaign_id: int) -> Report:
    """The figures: counts, cost, parts, speed, requests, rejects. Raises: NotFound."""
    return _report.report(_connection(bind), campaign_id)


def export(bind: Connection | Session, campaign_id: int, out: IO[str]) -> int:
    """Write one CSV line for every row that was read; returns how many. Raises: NotFound."""
    return _report.export(_connection(bind), campaign_id, out)


def _connection(bind: Connection | Session) -> Connection:
    return bind.connection() if isinstance(bind, Session) else bind


def _now(connection: Connection) -> datetime:
    moment: datetime = connection.execute(_sql("SELECT clock_timestamp()")).scalar_one()
    return moment
