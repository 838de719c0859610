"""End to end: messages a second, accepted by the gateway and written down, beside what people do today."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.bench import Bench, child
from benchmarks.figures import Row, Table, ratio
from benchmarks.journey import Course, Journey, travel
from benchmarks.processes import Peak
from benchmarks.recipients import write_csv

BASELINES: Final = {"official SDK, a loop": 1, "official SDK, a pool of 16 threads": 16}
OURS: Final = "ours"
MOST_OF_A_BASELINE: Final = 20_000
"""Messages: a baseline's speed does not depend on their number, and at 200 ms the loop sends under 1,000 a second."""

_NOTE: Final = (
    "messages/s: accepted and written down, from the first request to the last commit; ours also keeps an attempt "
    "before each request, a claim, localids and counters. CPU s/100,000 is that of the sending process or processes."
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of a baseline."""

    messages: int
    seconds: float
    cpu_s: float


def measure(bench: Bench, courses: list[Course]) -> list[Table]:
    """For each course both baselines and ours, one after the other."""
    return [table for course in courses for table in _on(bench, course)]


def _on(bench: Bench, course: Course) -> list[Table]:
    shortened = replace(course, messages=min(course.messages, MOST_OF_A_BASELINE))
    baselines = {way: today(bench, shortened, threads) for way, threads in BASELINES.items()}
    journey = travel(bench, course)
    where = f"{course.messages:,} {course.kind} messages at {course.latency_ms:g} ms"
    return [
        Table(f"path: {where}", _ways(baselines, journey), _NOTE),
        Table(f"path, ours: {where}", [_summary(journey)]),
        Table(f"path, ours by process: {where}", _processes(journey)),
    ]


def today(bench: Bench, course: Course, threads: int) -> Sent:
    """A baseline in a process of its own, on a database and a gateway of its own."""
    recipients = write_csv(bench.folder / "recipients.csv", course.messages)
    with bench.database() as engine, bench.gateway(latency_ms=course.latency_ms) as gateway:
        figures = child(
            "benchmarks.today",
            within_s=course.within_s,
            gateway=gateway.url,
            database=engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            recipients=str(recipients),
            kind=course.kind,
            threads=threads,
        )
    return Sent(**figures)


def _ways(baselines: dict[str, Sent], journey: Journey) -> list[Row]:
    speeds = {way: sent.messages / sent.seconds for way, sent in baselines.items()}
    costs = {way: sent.cpu_s / sent.messages for way, sent in baselines.items()}
    sending = sum(cpu_s for name, cpu_s in journey.cpu_sending_s.items() if name.startswith("worker-send"))
    speeds[OURS], costs[OURS] = journey.report.messages_a_second, sending / journey.report.accepted
    loop, pool = (speeds[way] for way in BASELINES)
    return [
        {
            "way": way,
            "messages/s": speed,
            "× the loop": ratio(speed, loop),
            "× the pool": ratio(speed, pool),
            "CPU s/100,000": costs[way] * 100_000,
        }
        for way, speed in speeds.items()
    ]


def _summary(journey: Journey) -> Row:
    report = journey.report
    return {
        "s to first request": journey.seconds_waited,
        "s sending": report.seconds_sending,
        "s to verdicts": report.seconds_to_verdicts,
        "mean batch": report.mean_batch,
        "mean poll": report.mean_poll,
        "sends": report.requests.get("send", 0),
        "polls": report.requests.get("poll", 0),
        "CPU s in all": sum(journey.cpu_s.values()),
    }


def _processes(journey: Journey) -> list[Row]:
    return [
        {
            "process": name,
            "CPU s sending": journey.cpu_sending_s[name],
            "CPU s to verdicts": cpu_s,
            **_megabytes(journey.peaks[name]),
        }
        for name, cpu_s in journey.cpu_s.items()
    ]


def _megabytes(peak: Peak) -> dict[str, float]:
    return {"peak MB": peak.resident_mb, "of it private": peak.private_mb}
