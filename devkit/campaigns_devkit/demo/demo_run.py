"""Run the demo's campaign, once all processes run: from a file to its verdicts, with a check of its record."""

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

import kavenegar_campaigns as campaigns
from campaigns_devkit import SANDBOX_API_KEY
from campaigns_devkit.demo import environment, gateway_ledger
from campaigns_devkit.demo.control import DemoHandle
from campaigns_devkit.demo.environment import FLOWER_USER, DemoEndpoints
from kavenegar_campaigns import Campaign, CampaignState
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.stages.exports import format_of
from kavenegar_campaigns.stages.waiting import WaitingReason
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output, progress, report
from kavenegar_worker.cli.progress import CampaignStatus, PaceReader, read_status, waiting_sentence
from kavenegar_worker.settings import load

STALLED_AFTER_S: Final = 90.0
VERIFY_ALL_UP_TO: Final = 10_000
"""Messages up to which verify queries the gateway about every message."""

VERIFIED_WITHIN_S: Final = 300
KEY_PREFIX: Final = "demo "


@dataclass(frozen=True, slots=True)
class DemoCampaign:
    """The campaign that the demo sends."""

    recipients: Path
    text: str
    sender: str
    column: str | None = None
    sheet: str | None = None
    include_hidden: bool = False
    header_row: int | None = None

    @property
    def key(self) -> str:
        """Return the campaign's key, a function of its content: it finds the campaign of an interrupted demo again."""
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


def run_campaign(handle: DemoHandle, request: DemoCampaign, *, out: Path) -> bool:
    """Send the campaign and show its progress. Returns whether all checks passed."""
    engine = make_engine(handle.endpoints.database_url)
    try:
        with engine.begin() as connection:
            campaign = _resume_or_create(connection, request)
        output.print_lines(f"Flower shows the tasks: {flower_sentence(handle.endpoints)}")
        ended = _follow(handle, engine, campaign.id)
        return _prove(handle.endpoints, engine, ended, out=out)
    finally:
        engine.dispose()


def _resume_or_create(connection: Connection, request: DemoCampaign) -> Campaign:
    """Return an interrupted demo's unfinished campaign, or a new one; cancel unfinished campaigns of other demos."""
    key = request.key
    unfinished = [each for each in campaigns.newest(connection, limit=100) if _is_unfinished_demo(each)]
    for each in unfinished:
        if not (each.client_key or "").startswith(key):
            campaigns.cancel(connection, each.id)
            output.print_lines(f"campaign {each.id} of an earlier demo was not finished, and is cancelled")
        else:
            output.print_lines(f"campaign {each.id} was interrupted: it goes on where it stopped")
            return campaigns.resume(connection, each.id) if each.state is CampaignState.PAUSED else each
    campaign_id = campaigns.create(
        connection,
        recipients=request.recipients,
        text=request.text,
        sender=request.sender,
        number_column=request.column,
        sheet=request.sheet,
        include_hidden=request.include_hidden,
        header_row=request.header_row,
        key=f"{key} {secrets.token_hex(4)}",
    )
    output.print_lines(f"campaign {campaign_id} is created, and starts")
    return campaigns.start(connection, campaign_id)


def _is_unfinished_demo(campaign: Campaign) -> bool:
    over = campaign.state in (CampaignState.FINISHED, CampaignState.CANCELLED)
    return not over and (campaign.client_key or "").startswith(KEY_PREFIX)


def flower_sentence(endpoints: DemoEndpoints) -> str:
    """Return Flower's URL, its user, and the file of its password, for a person."""
    return f"{endpoints.flower_url} (user {FLOWER_USER}, password in {endpoints.flower_password_file})"


def _follow(handle: DemoHandle, engine: Engine, campaign_id: int) -> CampaignStatus:
    """Show progress until the campaign has ended, waits for a person, or makes no progress for too long."""
    database, pace = Database(engine), _demo_pace(handle.endpoints)
    pace_reader = PaceReader(lambda: pace)

    def read() -> CampaignStatus:
        return read_status(database, campaign_id, now=database.now(), pace=pace_reader.read())

    moved_at, last = time.monotonic(), (-1, -1)
    for now in progress.follow(read, explain=_explain_waiting):
        handle.check()
        if now.campaign.finished_at is not None or now.needs_a_person:
            return now
        if (now.sent, now.settled) != last:
            moved_at, last = time.monotonic(), (now.sent, now.settled)
        elif time.monotonic() - moved_at > STALLED_AFTER_S:
            return now
    raise AssertionError("a campaign is followed until we say that it is enough")


def _demo_pace(endpoints: DemoEndpoints) -> Throttle:
    """Return the pace of the demo's workers."""
    chosen = load(environment.process_environment(endpoints))
    return wiring.build_throttle(
        chosen, endpoints.broker_url, wiring.account_label(SANDBOX_API_KEY, chosen.pace_egress)
    )


def _explain_waiting(now: CampaignStatus) -> str | None:
    silent = now.waiting is not None and now.waiting.reason is WaitingReason.SILENT
    return "the workers are starting" if silent else waiting_sentence(now)


def _prove(endpoints: DemoEndpoints, engine: Engine, ended: CampaignStatus, *, out: Path) -> bool:
    campaign = ended.campaign
    if campaign.state is not CampaignState.FINISHED:
        why = waiting_sentence(ended) or f"nothing has moved for {STALLED_AFTER_S:.0f} s"
        output.print_lines(
            f"campaign {campaign.id} did not come to its end: {why}", f"the logs are in {endpoints.home / 'logs'}"
        )
        return False
    with engine.connect() as connection:
        found = campaigns.build_report(connection, campaign.id)
        ledger_check = gateway_ledger.check_ledger(connection, campaign.id, endpoints.gateway_url)
    output.print_lines("")
    report.print_report(found)
    output.print_lines(
        "",
        f"the gateway's own ledger: {ledger_check.sent:,} messages sent; sent twice: {ledger_check.sent_twice}; "
        f"to a wrong number: {ledger_check.wrong_number}; accepted and never sent: {ledger_check.not_sent}",
    )
    verified = _run_verify(endpoints, campaign)
    flower = _check_flower(endpoints)
    with engine.connect() as connection, options.open_output(out) as file:
        rows = campaigns.export(connection, campaign.id, file, format_of(out))
    output.print_lines(f"{rows:,} rows written to {out}")
    return ledger_check.clean and verified and flower


def _run_verify(endpoints: DemoEndpoints, campaign: Campaign) -> bool:
    """Run `campaigns verify` in the environment of the workers, as an operator would."""
    whole = ["--all"] if campaign.messages <= VERIFY_ALL_UP_TO else []
    done = subprocess.run(
        [sys.executable, "-m", "kavenegar_worker.cli", "verify", str(campaign.id), "--json", *whole],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=environment.PROJECT,
        env=environment.process_environment(endpoints),
        timeout=VERIFIED_WITHIN_S,
        check=False,
    )
    if not done.stdout:
        output.print_lines(f"campaigns verify {campaign.id} could not be asked: {done.stderr.strip()}")
        return False
    answer: dict[str, Any] = orjson.loads(done.stdout)
    output.print_lines("", f"campaigns verify {campaign.id}")
    output.print_table(
        ("claim", "", "found"),
        [(each["name"], report.CHECK_MARKS[each["holds"]], each["says"]) for each in answer["checks"]],
    )
    return bool(answer["true"] and answer["checked"])


def _check_flower(endpoints: DemoEndpoints) -> bool:
    answers = gateway_ledger.flower_answers(endpoints.flower_url)
    if not answers:
        output.print_lines(
            f"Flower does not answer at {endpoints.flower_url}: see {endpoints.home / 'logs' / 'flower.log'}"
        )
    return answers
