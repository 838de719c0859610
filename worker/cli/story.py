"""What a demo does once everything runs: one campaign from a file to its verdicts, and the proof that it is true."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine

import campaigns
from campaigns import Campaign, CampaignState
from campaigns.kavenegar.throttle import Throttle
from campaigns.spreadsheet_files import format_of
from campaigns.store.database import Database, make_engine
from campaigns.waiting import Reason
from worker import wiring
from worker.cli import files, live, reporting, words
from worker.cli.standing import Glance, Standing, sentence, standing
from worker.demo import ledger, surroundings
from worker.demo.leash import Held
from worker.demo.surroundings import FLOWER_USER, Place
from worker.embedded import SANDBOX_API_KEY
from worker.settings import load

STALLED_AFTER_S: Final = 90.0
ASKED_ABOUT_WHOLE: Final = 10_000
"""Up to so many messages, the gateway is asked about every one."""

VERIFIED_WITHIN_S: Final = 300
KEY_PREFIX: Final = "demo "


@dataclass(frozen=True, slots=True)
class Order:
    """What the demo is to send."""

    recipients: Path
    text: str
    sender: str
    column: str | None = None
    sheet: str | None = None
    include_hidden: bool = False
    header_row: int | None = None

    @property
    def key(self) -> str:
        """The same for the same content: a demo that was interrupted is found again by it."""
        digest = hashlib.sha256()
        for part in (
            self.text,
            self.sender,
            self.column or "",
            self.sheet or "",
            str(self.include_hidden),
            str(self.header_row),
        ):
            digest.update(part.encode() + b"\0")
        with self.recipients.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return f"{KEY_PREFIX}{digest.hexdigest()[:16]}"


def run(held: Held, order: Order, *, out: Path) -> bool:
    """Send the order and show it; whether everything came true."""
    engine = make_engine(held.place.database_url)
    try:
        with engine.begin() as connection:
            campaign = _campaign(connection, order)
        words.say(f"Flower shows the tasks: {flower(held.place)}")
        ended = _follow(held, engine, campaign.id)
        return _proven(held.place, engine, ended, out=out)
    finally:
        engine.dispose()


def _campaign(connection: Connection, order: Order) -> Campaign:
    """The one that an interrupted demo left unfinished, or a new one; unfinished ones of other demos are cancelled."""
    key = order.key
    unfinished = [each for each in campaigns.newest(connection, limit=100) if _of_a_demo(each)]
    for each in unfinished:
        if not (each.client_key or "").startswith(key):
            campaigns.cancel(connection, each.id)
            words.say(f"campaign {each.id} of an earlier demo was not finished, and is cancelled")
        else:
            words.say(f"campaign {each.id} was interrupted: it goes on where it stopped")
            return campaigns.resume(connection, each.id) if each.state is CampaignState.PAUSED else each
    campaign_id = campaigns.create(
        connection,
        recipients=order.recipients,
        text=order.text,
        sender=order.sender,
        number_column=order.column,
        sheet=order.sheet,
        include_hidden=order.include_hidden,
        header_row=order.header_row,
        key=f"{key} {secrets.token_hex(4)}",
    )
    words.say(f"campaign {campaign_id} is created, and starts")
    return campaigns.start(connection, campaign_id)


def _of_a_demo(campaign: Campaign) -> bool:
    over = campaign.state in (CampaignState.FINISHED, CampaignState.CANCELLED)
    return not over and (campaign.client_key or "").startswith(KEY_PREFIX)


def flower(place: Place) -> str:
    """Where Flower is and how to enter."""
    return f"{place.flower_url} (user {FLOWER_USER}, password in {place.flower_password_file})"


def _follow(held: Held, engine: Engine, campaign_id: int) -> Standing:
    """Show progress until the campaign is over, waits for a person, or has not moved for too long."""
    database, pace = Database(engine), _pace(held.place)
    glance = Glance(lambda: pace)

    def look() -> Standing:
        return database(standing, campaign_id, now=database.now(), pace=glance.look())

    moved_at, last = time.monotonic(), (-1, -1)
    for now in live.follow(look, explain=_explain):
        held.check()
        if now.campaign.finished_at is not None or now.waits_for_a_person:
            return now
        if (now.sent, now.settled) != last:
            moved_at, last = time.monotonic(), (now.sent, now.settled)
        elif time.monotonic() - moved_at > STALLED_AFTER_S:
            return now
    raise AssertionError("a campaign is followed until we say that it is enough")


def _pace(place: Place) -> Throttle:
    """The one that the demo's workers keep."""
    chosen = load(surroundings.environment(place))
    return wiring.throttle(chosen, place.broker_url, wiring.account_label(SANDBOX_API_KEY, chosen.pace_egress))


def _explain(now: Standing) -> str | None:
    silent = now.waiting is not None and now.waiting.reason is Reason.SILENT
    return "the workers are starting" if silent else sentence(now)


def _proven(place: Place, engine: Engine, ended: Standing, *, out: Path) -> bool:
    campaign = ended.campaign
    if campaign.state is not CampaignState.FINISHED:
        why = sentence(ended) or f"nothing has moved for {STALLED_AFTER_S:.0f} s"
        words.say(f"campaign {campaign.id} did not come to its end: {why}", f"the logs are in {place.home / 'logs'}")
        return False
    with engine.connect() as connection:
        found = campaigns.report(connection, campaign.id)
        books = ledger.books(connection, campaign.id, place.gateway_url)
    words.say("")
    reporting.say_report(found)
    words.say("", f"the gateway's own ledger: {books.sent:,} messages sent; sent twice: {books.twice}; "
              f"to a wrong number: {books.astray}; accepted and never sent: {books.missing}")  # fmt: skip
    verified = _verified(place, campaign)
    flower = _checked_flower(place)
    with engine.connect() as connection, files.written(out) as file:
        rows = campaigns.export(connection, campaign.id, file, format_of(out))
    words.say(f"{rows:,} rows written to {out}")
    return books.clean and verified and flower


def _verified(place: Place, campaign: Campaign) -> bool:
    """`campaigns verify`, in the surroundings of the workers: the same door that an operator takes."""
    whole = ["--all"] if campaign.messages <= ASKED_ABOUT_WHOLE else []
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "verify", str(campaign.id), "--json", *whole],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=surroundings.PROJECT,
        env=surroundings.environment(place),
        timeout=VERIFIED_WITHIN_S,
        check=False,
    )
    if not done.stdout:
        words.say(f"campaigns verify {campaign.id} could not be asked: {done.stderr.strip()}")
        return False
    answer: dict[str, Any] = orjson.loads(done.stdout)
    words.say("", f"campaigns verify {campaign.id}")
    words.table(
        ("claim", "", "found"),
        [(each["name"], reporting.MARKS[each["holds"]], each["says"]) for each in answer["checks"]],
    )
    return bool(answer["true"] and answer["checked"])


def _checked_flower(place: Place) -> bool:
    answers = ledger.flower_answers(place.flower_url)
    if not answers:
        words.say(f"Flower does not answer at {place.flower_url}: see {place.home / 'logs' / 'flower.log'}")
    return answers
