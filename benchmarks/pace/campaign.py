"""A real campaign over Celery workers while one-time passwords are asked for, and the limit halves and doubles."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from benchmarks.bench import Bench, Gateway, pids, until
from benchmarks.figures import say
from benchmarks.pace.callers import Orders, read_findings
from benchmarks.pace.cases import MAX_RATE, START_RATE, Case, counted
from benchmarks.pace.outcome import Outcome, seconds_of
from benchmarks.pace.run import LATENCY_MS, WORKERS, calling
from benchmarks.pace.watch import Watch
from benchmarks.recipients import SENDER, TEXTS, Kind, write_csv
from campaigns_devkit import SANDBOX_API_KEY
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import verify
from kavenegar_campaigns.store.database import Database
from kavenegar_worker.wiring import account_label

MESSAGES = 100_000
OTP_EVERY_S = 1.0
OTP_PLACE = 9  # its localids are far from those of the campaign
HALVES_AFTER, DOUBLES_AFTER = 0.3, 0.6  # of the messages accepted
SENDING_WITHIN_S, SETTLED_WITHIN_S = 900.0, 900.0


class Voyage:
    """One campaign on its way; `outcome` and `checks` tell how it went."""

    def __init__(self, bench: Bench, case: Case, messages: int = MESSAGES) -> None:
        self._bench, self._case, self._messages = bench, case, messages
        self._account = account_label(SANDBOX_API_KEY, "default")
        throttle = Throttle(
            connect_redis(bench.broker_url), account=self._account, start_rate=START_RATE, max_rate=MAX_RATE
        )
        self._watch = Watch(throttle)
        self._turns: list[tuple[float, float]] = []

    def travel(self) -> tuple[Outcome, dict[str, Any]]:
        """Raises Unfinished where it does not come to its end in time, or a process dies."""
        with (
            self._bench.database() as engine,
            self._bench.gateway(latency_ms=LATENCY_MS, knobs=self._case.knobs()) as gateway,
            self._bench.workers(engine, gateway, senders=WORKERS, start_rate=START_RATE, max_rate=MAX_RATE) as workers,
        ):
            campaign = self._loaded(engine)
            with calling(self._bench, gateway, [self._otps()]) as [file]:
                self._send(engine, gateway, campaign)
                began_s, seconds = seconds_of(gateway.calls())
            self._until(partial(_finished, engine, campaign), SETTLED_WITHIN_S, "the last verdict")
            pids(workers)
            case = replace(self._case, seconds=len(seconds))
            outcome = Outcome(
                case=case,
                began_s=began_s,
                turns=self._turns,
                seconds=seconds,
                rates=self._watch.rates,
                pauses=self._watch.pauses,
                sent=gateway.localids(),
                workers=[read_findings(file)],
            )
            return outcome, self._checked(engine, gateway, campaign, outcome)

    def _otps(self) -> Orders:
        return Orders(
            broker=self._bench.broker_url,
            account=self._account,
            place=OTP_PLACE,
            start_rate=START_RATE,
            max_rate=MAX_RATE,
            senders=0,
            otp_every_s=OTP_EVERY_S,
        )

    def _loaded(self, engine: Engine) -> int:
        recipients = write_csv(self._bench.folder / "recipients.csv", self._messages)
        with engine.begin() as connection:
            campaign = campaigns.create(connection, recipients=recipients, text=TEXTS[Kind.PERSONAL], sender=SENDER)
            campaigns.start(connection, campaign)
        return campaign

    def _send(self, engine: Engine, gateway: Gateway, campaign: int) -> None:
        """Follow it to the last acceptance; the limit halves and doubles on the way."""
        for share, limit in ((HALVES_AFTER, self._case.limit / 2), (DOUBLES_AFTER, self._case.limit)):
            self._until(partial(_has_come, engine, campaign, share), SENDING_WITHIN_S, f"acceptance of {share:.0%}")
            gateway.turn(counted(limit))
            self._turns.append((time.monotonic(), limit))
            say(f"  {self._case.label}: {share:.0%} accepted, now {limit:g}/s")
        self._until(partial(_has_come, engine, campaign, 1), SENDING_WITHIN_S, "the last acceptance")

    def _until(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        def looked() -> bool:
            self._watch.look()
            return condition()

        until(looked, within_s=within_s, what=what)

    def _checked(self, engine: Engine, gateway: Gateway, campaign: int, outcome: Outcome) -> dict[str, Any]:
        """The promise: what the ledger says was sent, and `campaigns verify`."""
        summary = gateway.summary()
        otps = len(outcome.workers[0].accepted)
        verified = self._verified(engine, gateway, campaign)
        return {
            "messages": self._messages,
            "seconds_sending": len(outcome.seconds),
            "lost": self._messages + otps - summary["distinct_localids"],
            "doubled": summary["localids_sent_twice"],
            "verified": verified.true,
            "checks_failed": [check.name for check in verified.checks if check.holds is False],
        }

    def _verified(self, engine: Engine, gateway: Gateway, campaign: int) -> verify.Verified:
        throttle, database = self._watch.throttle, Database(engine)
        client = Client(SANDBOX_API_KEY, gateway.url)
        paced = PacedClient(client, throttle, max_wait_s=30.0)
        found = verify.verify_campaign(Context(database, paced, throttle, database.now), campaign)
        client.close()
        return found


def _has_come(engine: Engine, campaign: int, share: float) -> bool:
    """Return whether this share of the messages has been accepted or refused."""
    with engine.connect() as connection:
        progress = campaigns.progress(connection, campaign)
    return progress.counts[MessageState.PENDING] <= (1 - share) * progress.campaign.messages


def _finished(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None
