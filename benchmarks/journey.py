"""One campaign from start to the last verdict through the real workers, watched from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from benchmarks.bench import Bench, Gateway, Unfinished, pids, until
from benchmarks.processes import Peak, Watch
from benchmarks.recipients import SENDER, TEXTS, Kind, write_csv
from kavenegar_campaigns.rules.states import MessageState

WARM_UP = 5_000
"""Messages sent before the clock starts: more batches than there are threads, so that connections stand."""

LEISURE_S = 60.0
SLOWEST = 500.0
"""Messages a second: a campaign slower than this, after a minute's leave, is given up."""


@dataclass(frozen=True, slots=True)
class Course:
    """A campaign to send, and the path that its messages take.

    `pace` is requests a second: high enough that it is never what is measured. `senders` is how many worker-send.
    """

    messages: int
    kind: Kind = Kind.PERSONAL
    latency_ms: float = 0.0
    pace: float = 400.0
    senders: int = 1

    @property
    def within_s(self) -> float:
        """The seconds after which the run gives up."""
        return LEISURE_S + self.messages / SLOWEST


@dataclass(frozen=True, slots=True)
class Journey:
    """The result of a run. CPU seconds and peaks are by process; CPU until the last acceptance and the last verdict."""

    report: campaigns.Report
    seconds_waited: float  # from `start` to the first request: the beat rings once a second
    cpu_sending_s: Mapping[str, float]
    cpu_s: Mapping[str, float]
    peaks: Mapping[str, Peak]


def travel(bench: Bench, course: Course) -> Journey:
    """Load, start and follow one campaign. Raises Unfinished for a lost message, a double, or a missing verdict."""
    with (
        bench.database() as engine,
        bench.gateway(latency_ms=course.latency_ms) as gateway,
        bench.workers(engine, gateway, start_rate=course.pace, max_rate=course.pace, senders=course.senders) as workers,
    ):
        _warm_up(bench.folder, engine, course)
        campaign = _loaded(engine, write_csv(bench.folder / "recipients.csv", course.messages), course.kind)
        with Watch({**bench.server_pids(), "sandbox": gateway.pid, **pids(workers)}) as watch:
            _start(engine, campaign)
            until(lambda: _accepted(engine, campaign), within_s=course.within_s, what="the last acceptance")
            cpu_sending_s = watch.cpu_s()
            until(lambda: _finished(engine, campaign), within_s=course.within_s, what="the last verdict")
            cpu_s, peaks = watch.cpu_s(), watch.peaks()
        pids(workers)
        return Journey(_checked(engine, campaign, gateway), _waited(engine, campaign), cpu_sending_s, cpu_s, peaks)


def _warm_up(folder: Path, engine: Engine, course: Course) -> None:
    others = write_csv(
        folder / "warm-up.csv", WARM_UP, after=course.messages
    )  # whoever opts out of it is not sent to again
    campaign = _loaded(engine, others, course.kind)
    _start(engine, campaign)
    until(lambda: _finished(engine, campaign), within_s=LEISURE_S, what="the end of the warm-up")


def _loaded(engine: Engine, recipients: Path, kind: Kind) -> int:
    with engine.begin() as connection:
        return campaigns.create(connection, recipients=recipients, text=TEXTS[kind], sender=SENDER)


def _start(engine: Engine, campaign: int) -> None:
    with engine.begin() as connection:
        campaigns.start(connection, campaign)


def _accepted(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return not campaigns.progress(connection, campaign).counts[MessageState.PENDING]


def _finished(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None


def _waited(engine: Engine, campaign: int) -> float:
    """The seconds from the start of a finished campaign to its first request."""
    with engine.connect() as connection:
        found = campaigns.build_report(connection, campaign)
    over, began = found.campaign.finished_at, found.campaign.started_at
    if over is None or began is None:
        raise Unfinished("the campaign has not finished")
    return (over - began).total_seconds() - found.seconds_to_verdicts


def _checked(engine: Engine, campaign: int, gateway: Gateway) -> campaigns.Report:
    """The report, once it is certain that every message was sent once and has its verdict: speed alone is no figure."""
    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    sent = gateway.summary()
    expected = WARM_UP + report.campaign.messages
    if sent["messages"] != expected or sent["localids_sent_twice"]:
        raise Unfinished(f"{sent['messages']} sent of {expected}, {sent['localids_sent_twice']} of them twice")
    open_still = report.counts[MessageState.PENDING] + report.counts[MessageState.ACCEPTED]
    if open_still or report.accepted != report.campaign.messages:
        raise Unfinished(f"{open_still} of {report.campaign.messages} messages have no verdict")
    return report
