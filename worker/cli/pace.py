"""pace: show the rate of calls, the learnt limit of the gateway, and whether all calls pause."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kavenegar_campaigns.api.gateway import LearntRate, PaceView, code_advice
from kavenegar_campaigns.errors import Postpone
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.progress import REFRESH_INTERVAL_S

Fact = tuple[str, object]


@click.command()
@options.as_json
@click.option("--watch", is_flag=True, help="Show it every second, until Ctrl-C.")
def pace(as_json: bool, watch: bool) -> None:
    """Show the pace: how fast the gateway is called.

    Shows the rate, the learnt limit of the gateway, how often it answered "too many", whether all calls pause and until
    when, how far ahead the queue reaches, and the calls of the last minute by lane.

    With --json one object, with --watch one a second, each on a line:

    \b
      at          when this was so; all times are ISO 8601, of the Redis server
      egress      PACE_EGRESS: whose pace it is
      rate        calls a second now; max_rate: never more; fixed: by PACE_FIXED
      learnt      null, or rate (that went well), refused (that did not, or
                  null), at, age_s
      last_hour   refusals (answers "too many"), pauses
      paused      null, or until, for_s, code, meaning
      queue_s     how far ahead the queue of calls reaches, pauses aside
      lanes       by name: calls (in the last minute), share (of them, 0 to 1),
                  waiting (whether its calls wait)
    """
    if watch:
        _watch(as_json=as_json)
    elif as_json:
        output.print_json(pace_as_json(wiring.pace().view()))
    else:
        view = wiring.pace().view()
        output.print_facts(pace_facts(view))
        output.print_lines("")
        output.StandardOutput().print(lanes_table(view))


def _watch(*, as_json: bool) -> None:
    if as_json:
        for view in _pace_views():
            output.print_json_line({"trouble": view} if isinstance(view, str) else pace_as_json(view))
        return
    console = output.StandardOutput()
    if not console.is_terminal:
        for view in _pace_views():
            output.print_lines(view if isinstance(view, str) else pace_line(view))
        return
    with Live(console=console, auto_refresh=False) as display:
        for view in _pace_views():
            shown = (
                Text(view)
                if isinstance(view, str)
                else Group(*output.align_facts(pace_facts(view)), "", lanes_table(view))
            )
            display.update(shown, refresh=True)


def _pace_views() -> Iterator[PaceView | str]:
    """Yield the pace every second. The first read must succeed; later, while Redis is away, yields a sentence."""
    yield wiring.pace().view()
    while True:
        time.sleep(REFRESH_INTERVAL_S)
        try:
            yield wiring.pace().view()
        except Postpone as why:
            yield str(why)


def pace_as_json(view: PaceView) -> dict[str, object]:
    """Return the pace for a program, with the keys that the help of the command lists."""
    whole = sum(lane.calls for lane in view.lanes.values())
    return {
        "at": view.at,
        "egress": wiring.settings().pace_egress,
        "rate": view.rate,
        "max_rate": view.max_rate,
        "fixed": view.fixed,
        "learnt": None if view.learnt is None else _learnt_as_json(view.learnt, view.at),
        "last_hour": {"refusals": view.refusals, "pauses": view.pauses},
        "paused": None if view.paused_until is None else _pause_as_json(view, view.paused_until),
        "queue_s": view.queue_s,
        "lanes": {
            lane.label: {"calls": seen.calls, "share": seen.calls / whole if whole else 0.0, "waiting": seen.waiting}
            for lane, seen in view.lanes.items()
        },
    }


def _learnt_as_json(learnt: LearntRate, now: datetime) -> dict[str, object]:
    age_s = (now - learnt.at).total_seconds()
    return {"rate": learnt.rate, "refused": learnt.refused, "at": learnt.at, "age_s": age_s}


def _pause_as_json(view: PaceView, until: datetime) -> dict[str, object]:
    for_s = (until - view.at).total_seconds()
    return {"until": until, "for_s": for_s, "code": view.code, "meaning": _code_meaning(view.code)}


def pace_facts(view: PaceView) -> list[Fact]:
    """Return the pace as names and values, for a person."""
    return [
        ("rate", f"{view.rate:.2f} calls a second, {rate_origin(view)}"),
        ("learnt", _learnt_sentence(view)),
        ("last hour", f'{view.refusals:,} answers "too many", {view.pauses:,} pauses'),
        ("paused", pause_sentence(view) or "no"),
        ("queue", f"reaches {view.queue_s:.1f} s ahead"),
    ]


def rate_origin(view: PaceView) -> str:
    """Return a phrase that says where the rate comes from: fixed, found, or nothing learnt yet."""
    if view.fixed:
        return "fixed by PACE_FIXED"
    return f"{'found' if view.learnt else 'nothing learnt yet'} (at most {view.max_rate:g})"


def _learnt_sentence(view: PaceView) -> str | None:
    if view.learnt is None:
        return None
    learnt = view.learnt
    refused = "nothing was refused" if learnt.refused is None else f"{learnt.refused:.2f} was refused"
    age = output.format_duration((view.at - learnt.at).total_seconds())
    return f"{learnt.rate:.2f} a second went well, {refused}; confirmed {age} ago ({output.format_time(learnt.at)})"


def pause_sentence(view: PaceView) -> str | None:
    """Return a sentence that says until when all calls pause, and why; None while they do not pause."""
    if view.paused_until is None:
        return None
    left_s = max(0.0, (view.paused_until - view.at).total_seconds())
    because = "" if view.code is None else f": {view.code}, {_code_meaning(view.code)}"
    return f"until {output.format_time(view.paused_until)} (in {left_s:.0f} s){because}"


def _code_meaning(code: int | None) -> str | None:
    return None if code is None else code_advice(code)


def lanes_table(view: PaceView) -> Table:
    """Return the table of lanes, in order of priority: calls of the last minute, and whether calls wait."""
    whole = sum(seen.calls for seen in view.lanes.values())
    return output.build_table(
        ("lane", "calls in the last minute", "share", "waits"),
        [
            (lane.label, seen.calls, output.format_share(seen.calls, whole), seen.waiting)
            for lane, seen in view.lanes.items()
        ],
        right=("calls in the last minute", "share"),
    )


def pace_line(view: PaceView) -> str:
    """Return the pace in one line, for a log."""
    calls = ", ".join(f"{lane.label} {seen.calls:,}" for lane, seen in view.lanes.items() if seen.calls)
    paused = pause_sentence(view)
    return (
        f"{output.format_time(view.at)}  {view.rate:.2f} calls a second, queue {view.queue_s:.1f} s, "
        f"calls in the last minute: {calls or 'none'}{f'; paused {paused}' if paused else ''}"
    )
