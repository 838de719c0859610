"""Every metric, in tables: its name, its meaning, and how it is read. `docs/metrics.md` is written from them.

All metrics are gauges: they show the present state, or the events of the last minute or hour. A label has one of a few
values that are known beforehand; none is a campaign, a number, a text or a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from kavenegar_campaigns.api.admin import Figures, Place
from kavenegar_campaigns.api.gateway import PaceView

Source = TypeVar("Source")


@dataclass(frozen=True, slots=True)
class MetricDefinition(Generic[Source]):
    """One metric. `read` returns its value, None where it has none now, or with a `label` a value for each label."""

    name: str
    meaning: str
    read: Callable[[Source], Mapping[str, float] | float | None]
    label: str | None = None


UP: Final[MetricDefinition[Mapping[str, float]]] = MetricDefinition(
    "kavenegar_up", "1 if this part could be read, 0 if not; what stands in it is then left out", lambda up: up, "part"
)

PACE_METRICS: Final[tuple[MetricDefinition[PaceView], ...]] = (
    MetricDefinition(
        "kavenegar_pace_calls_per_second", "The rate at which the gateway is called now", lambda pace: pace.rate
    ),
    MetricDefinition("kavenegar_pace_max_calls_per_second", "Never more than this", lambda pace: pace.max_rate),
    MetricDefinition(
        "kavenegar_pace_fixed", "1 if PACE_FIXED sets the rate, 0 if it is found", lambda pace: pace.fixed
    ),
    MetricDefinition(
        "kavenegar_pace_learnt_calls_per_second",
        "The highest rate that went well; left out while nothing is learnt",
        lambda pace: pace.learnt.rate if pace.learnt else None,
    ),
    MetricDefinition(
        "kavenegar_pace_refused_calls_per_second",
        "The lowest rate that was refused; left out while none was",
        lambda pace: pace.learnt.refused if pace.learnt else None,
    ),
    MetricDefinition(
        "kavenegar_pace_learnt_age_seconds",
        "Since this was last confirmed; left out while nothing is learnt",
        lambda pace: max(0.0, (pace.at - pace.learnt.at).total_seconds()) if pace.learnt else None,
    ),
    MetricDefinition(
        "kavenegar_pace_pause_seconds",
        "For how long all calls still pause; 0 while they flow",
        lambda pace: max(0.0, (pace.paused_until - pace.at).total_seconds()) if pace.paused_until else 0.0,
    ),
    MetricDefinition(
        "kavenegar_pace_pause_code",
        "The gateway's return code for which all calls pause; 0 while they flow",
        lambda pace: pace.code or 0,
    ),
    MetricDefinition(
        "kavenegar_pace_refusals_last_hour",
        "How often the gateway answered that there were too many calls",
        lambda pace: pace.refusals,
    ),
    MetricDefinition("kavenegar_pace_pauses_last_hour", "How often all calls paused", lambda pace: pace.pauses),
    MetricDefinition(
        "kavenegar_pace_queue_seconds",
        "How far ahead the queue of calls reaches, pauses aside",
        lambda pace: pace.queue_s,
    ),
    MetricDefinition(
        "kavenegar_pace_calls_last_minute",
        "Calls made, by lane",
        lambda pace: {lane.label: seen.calls for lane, seen in pace.lanes.items()},
        "lane",
    ),
    MetricDefinition(
        "kavenegar_pace_waiting",
        "1 if calls of this lane wait for their turn",
        lambda pace: {lane.label: seen.waiting for lane, seen in pace.lanes.items()},
        "lane",
    ),
)

_DATABASE_METRICS: Final[tuple[MetricDefinition[Figures], ...]] = (
    MetricDefinition(
        "kavenegar_campaigns",
        "Campaigns that are not over, by state; a cancelled one is over once all that left has its verdict",
        lambda view: view.work.campaigns,
        "state",
    ),
    MetricDefinition(
        "kavenegar_batches", "Requests still to be settled, by state", lambda view: view.work.batches, "state"
    ),
    MetricDefinition(
        "kavenegar_batches_overdue_seconds",
        "For how long the oldest of them should have moved on; 0 where none should",
        lambda view: {state: view.since(moment) for state, moment in view.work.overdue_since.items()},
        "state",
    ),
    MetricDefinition(
        "kavenegar_polls_overdue",
        "Batches whose verdicts are due to be asked about",
        lambda view: view.work.polls,
    ),
    MetricDefinition(
        "kavenegar_polls_overdue_seconds",
        "For how long the oldest of them has been due",
        lambda view: view.since(view.work.polls_since),
    ),
    MetricDefinition(
        "kavenegar_messages_uncertain",
        "Messages of which nobody knows whether they were sent: a person decides; counted once a minute",
        lambda view: view.uncertain,
    ),
    MetricDefinition(
        "kavenegar_tick_age_seconds",
        "Since the dispatcher last ticked, which it does every second; +Inf if it never did",
        lambda view: view.since(view.installation.ticked_at) if view.installation.ticked_at else float("inf"),
    ),
    MetricDefinition(
        "kavenegar_sending_shut",
        "1 while nothing is sent because the database was copied, failed over or restarted, or its clock leapt",
        lambda view: {
            **{place.value.replace(" ", "_"): view.gate.place is place for place in Place if place is not Place.HOME},
            "clock": view.gate.leap is not None,
        },
        "reason",
    ),
    MetricDefinition(
        "kavenegar_messages_unexplained",
        "Messages of the last three days that the gateway counts and that cannot be ours: doubles, or others' messages",
        lambda view: view.unexplained,
    ),
    MetricDefinition(
        "kavenegar_account_on_hold",
        "1 while nothing is sent for the account",
        lambda view: view.installation.hold is not None,
    ),
    MetricDefinition(
        "kavenegar_account_hold_code",
        "The gateway's return code that put it on hold; 0 while it is not",
        lambda view: view.installation.hold.code if view.installation.hold else 0,
    ),
    MetricDefinition(
        "kavenegar_account_credit_rial",
        "The account's credit when it was last asked for; left out while it never was",
        lambda view: view.installation.credit_rial,
    ),
    MetricDefinition(
        "kavenegar_account_debug_mode",
        "1 while the account is in debug mode, in which nothing is sent; left out until its settings were read",
        lambda view: view.installation.debug_mode,
    ),
    MetricDefinition(
        "kavenegar_callback_backlog",
        "Callbacks of the gateway that wait to be processed, counted up to 100,000",
        lambda view: view.callback_backlog,
    ),
    MetricDefinition(
        "kavenegar_callback_age_seconds",
        "Since a callback came that proved true; left out while none ever did",
        lambda view: view.since(view.installation.last_callback_at) if view.installation.last_callback_at else None,
    ),
    MetricDefinition(
        "kavenegar_callbacks_active",
        "1 while callbacks come and messages are therefore polled less often",
        lambda view: view.installation.callbacks_active,
    ),
)

RENAMED: Final[Mapping[str, str]] = {
    "kavenegar_callbacks_parked": "kavenegar_callback_backlog",
    "kavenegar_callbacks_leaned_on": "kavenegar_callbacks_active",
}
"""Old names of metrics, each with its present name. Both are served in this release."""

DATABASE_METRICS: Final = (
    *_DATABASE_METRICS,
    *(
        replace(family, name=old, meaning=f"The old name of `{family.name}`; the next release does not serve it")
        for old, new in RENAMED.items()
        for family in _DATABASE_METRICS
        if family.name == new
    ),
)
