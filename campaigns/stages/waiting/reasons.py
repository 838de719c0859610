"""The reasons for which a campaign waits: each checks the facts, and gives one line with a time, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.kavenegar.codes import return_code
from kavenegar_campaigns.rules.pace import Lane, PaceView
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages.waiting import (
    NO_PROMISE_AFTER,
    NOBODY_SENDS_AFTER,
    SILENT_AFTER,
    Waiting,
    WaitingFacts,
    WaitingReason,
    counted,
    way_to_resume,
)
from kavenegar_campaigns.store import campaigns as store
from kavenegar_campaigns.store import gate, installation, outcomes
from kavenegar_campaigns.store.backlog import campaign_backlogs, unsent_requests
from kavenegar_campaigns.store.identity import Place
from kavenegar_campaigns.store.records import Campaign

SOON: Final = timedelta(seconds=3)
"""What passes within this passes before it is read."""


def first_reason(facts: WaitingFacts) -> Waiting:
    """Return the first reason that applies."""
    found = (waiting for explain in _REASONS if (waiting := explain(facts)) is not None)
    return next(found, Waiting(WaitingReason.CLOSING, "nothing of it is open any more: the next tick closes it"))


def _draft(facts: WaitingFacts) -> Waiting | None:
    if facts.campaign.state is not CampaignState.DRAFT:
        return None
    since = facts.at(facts.campaign.created_at)
    return Waiting(WaitingReason.DRAFT, f"a draft since {since}: `campaigns start {facts.campaign.id}` starts it")


def _paused(facts: WaitingFacts) -> Waiting | None:
    if facts.campaign.state is not CampaignState.PAUSED:
        return None
    because = " ".join((facts.campaign.hold_reason or "").split())
    since = "" if facts.campaign.paused_at is None else f" since {facts.at(facts.campaign.paused_at)}"
    return Waiting(WaitingReason.PAUSED, f"paused{since}: {because}; {way_to_resume(facts.campaign)}")


def _silent(facts: WaitingFacts) -> Waiting | None:
    ticked_at = facts.installation.ticked_at
    if ticked_at is None:
        return Waiting(
            WaitingReason.SILENT, "no tick has reached this database yet: `campaigns doctor` says who is missing"
        )
    if facts.now - ticked_at <= SILENT_AFTER:
        return None
    return Waiting(
        WaitingReason.SILENT, f"no tick came since {facts.at(ticked_at)}: `campaigns doctor` says who is missing"
    )


def _copied(facts: WaitingFacts) -> Waiting | None:
    if not facts.sends or facts.gate.place is not Place.COPIED:
        return None
    sentence = "the database was restored or copied: nothing is sent before `campaigns restored` says which"
    return Waiting(WaitingReason.RESTORED, sentence)


def _place(facts: WaitingFacts) -> Waiting | None:
    """Say what stops all sending until the gateway was asked, in a database that may lack commits."""
    if not facts.sends or facts.gate.place is Place.HOME:
        return None
    sentence = (
        "the database was started anew: the gateway is asked first whether messages have left that it does not know of"
    )
    return Waiting(WaitingReason.DATABASE_CHECKED, sentence)


def _clock(facts: WaitingFacts) -> Waiting | None:
    leap = facts.gate.leap
    if leap is None or not (facts.sends or facts.parts.unknown or facts.parts.poll_at):
        return None
    minutes = round(abs(leap.by.total_seconds()) / 60, 1)
    leapt = f"the database's clock leapt by {minutes:g} min at {facts.at(leap.at)}"
    return Waiting(WaitingReason.CLOCK_LEAPT, f"{leapt}: nothing is sent or asked for some minutes")


def _scheduled(facts: WaitingFacts) -> Waiting | None:
    start_at = facts.campaign.start_at
    if facts.campaign.state is not CampaignState.SCHEDULED or start_at is None:
        return None
    return Waiting(WaitingReason.SCHEDULED, f"scheduled for {facts.at(start_at)}", start_at)


def _debug_mode(facts: WaitingFacts) -> Waiting | None:
    if not (facts.installation.debug_mode and facts.sends):
        return None
    ends = "`campaigns account config --debug-mode off` ends that"
    return Waiting(
        WaitingReason.DEBUG_MODE, f"the account is in DEBUG MODE: nothing is sent, messages come back cancelled; {ends}"
    )


def _on_hold(facts: WaitingFacts) -> Waiting | None:
    hold = facts.installation.hold
    if hold is None or not facts.sends:
        return None
    since, again = facts.at(hold.since), facts.at(hold.hold_recheck_at)
    sentence = f"the account is on hold ({_code_and_meaning(hold.code)}) since {since}; looked at again at {again}"
    return Waiting(WaitingReason.ON_HOLD, sentence, hold.hold_recheck_at)


def _pace_paused(facts: WaitingFacts) -> Waiting | None:
    """Report a pause of the pace if it is long enough to mention, and the campaign would call before it ends."""
    if facts.pace is None or facts.pace.paused_until is None or facts.pace.paused_until <= facts.pace.at + SOON:
        return None
    until, parts = facts.pace.paused_until, facts.parts
    calls = (parts.ready_at if facts.sends else None, parts.ask_at, parts.poll_at)
    if not any(call is not None and call <= until + SOON for call in calls):
        return None
    answer = "" if facts.pace.code is None else f"the gateway answered {_code_and_meaning(facts.pace.code)}: "
    return Waiting(WaitingReason.PACE_PAUSED, f"{answer}all calls pause until {facts.at(until)}", until)


def _nobody_sends(facts: WaitingFacts) -> Waiting | None:
    since = facts.idle_since
    if not facts.sends or since is None or facts.now - since <= max(NOBODY_SENDS_AFTER, 3 * _step(facts.pace)):
        return None
    requests = counted(facts.parts.ready, "request")
    sentence = f"nobody sends: {requests} to leave, and none has left since {facts.at(since)}"
    return Waiting(WaitingReason.NOBODY_SENDS, f"{sentence}; `campaigns doctor` says who is missing")


def _step(pace: PaceView | None) -> timedelta:
    """Return the time between two calls."""
    return timedelta(seconds=1 / pace.rate) if pace is not None and pace.rate else timedelta(0)


def _gateway_down(facts: WaitingFacts) -> Waiting | None:
    ready_at = facts.parts.ready_at
    if ready_at is None or not facts.sends or not (facts.parts.gateway_down or facts.gateway_silent):
        return None
    answered_at = facts.calls.answered_at
    silent = "does not answer"
    if facts.gateway_silent and answered_at is not None:
        silent = f"has not answered since {facts.at(answered_at)}"
    again = facts.at(max(ready_at, facts.now))
    return Waiting(WaitingReason.GATEWAY_DOWN, f"the gateway {silent}; tried again at {again}", facts.to_come(ready_at))


def _put_off(facts: WaitingFacts) -> Waiting | None:
    ready_at = facts.parts.ready_at
    if ready_at is None or not facts.sends or ready_at <= facts.now + SOON:
        return None
    requests = counted(facts.parts.ready, "request")
    return Waiting(
        WaitingReason.PUT_OFF, f"{requests} put off; the first is tried again at {facts.at(ready_at)}", ready_at
    )


def _sending(facts: WaitingFacts) -> Waiting | None:
    ready_at = facts.parts.ready_at
    if ready_at is None or not facts.sends:
        return None
    before = (
        f"{counted(facts.ahead, 'request')} to leave before its last one" if facts.ahead else "its last request waits"
    )
    if facts.pace is None:
        return Waiting(WaitingReason.SENDING, f"{before}; due since {facts.at(ready_at)}")
    idle_since = facts.idle_since
    if idle_since is not None and facts.now - idle_since > NO_PROMISE_AFTER + _step(facts.pace):
        return Waiting(WaitingReason.SENDING, f"{before}; none has left since {facts.at(idle_since)}")
    speed = _speed(facts.pace)
    ends = max(facts.now, facts.pace.paused_until or facts.now) + timedelta(seconds=(facts.ahead + 1) / speed)
    return Waiting(
        WaitingReason.SENDING, f"{before}, at {speed:.3g} a second: sending ends about {facts.at(ends)}", ends
    )


def _speed(pace: PaceView) -> float:
    """Return the calls a second left for sends: the rate less the last minute's other calls, up to their shares."""
    others = sum(view.calls for lane, view in pace.lanes.items() if lane is not Lane.SEND) / 60
    least = 1 - sum(lane.share for lane in Lane if lane is not Lane.SEND)
    return max(pace.rate - others, pace.rate * least)


def _withdrawing(facts: WaitingFacts) -> Waiting | None:
    if facts.campaign.state is not CampaignState.CANCELLED or not facts.parts.ready:
        return None
    requests = counted(facts.parts.ready, "request")
    return Waiting(WaitingReason.WITHDRAWING, f"cancelled: {requests} not yet sent, withdrawn at the next ticks")


def _unanswered(facts: WaitingFacts) -> Waiting | None:
    ask_at = facts.parts.ask_at
    if ask_at is None:
        return None
    requests = counted(facts.parts.unknown, "request")
    return Waiting(
        WaitingReason.UNANSWERED, f"{requests} without an answer; {facts.asked(ask_at)}", facts.to_come(ask_at)
    )


def _under_way(facts: WaitingFacts) -> Waiting | None:
    lease_ends_at = facts.parts.lease_ends_at
    if lease_ends_at is None:
        return None
    requests = counted(facts.parts.claimed, "request")
    sentence = f"{requests} on the way; given up for unknown at {facts.at(lease_ends_at)}"
    return Waiting(WaitingReason.UNDER_WAY, sentence, facts.to_come(lease_ends_at))


def _uncertain(facts: WaitingFacts) -> Waiting | None:
    if not facts.parts.uncertain:
        return None
    messages = counted(facts.parts.uncertain, "message")
    listed = f"`campaigns uncertain list --campaign {facts.campaign.id}`"
    return Waiting(WaitingReason.UNCERTAIN, f"{messages} uncertain: a person decides ({listed})")


def _verdicts(facts: WaitingFacts) -> Waiting | None:
    poll_at = facts.parts.poll_at
    if poll_at is None:
        return None
    messages = counted(facts.parts.accepted, "message")
    return Waiting(
        WaitingReason.VERDICTS, f"{messages} without a verdict; {facts.asked(poll_at)}", facts.to_come(poll_at)
    )


def _code_and_meaning(code: int) -> str:
    """Return a code of the gateway with its meaning, without the advice."""
    return f"{code}, {return_code(code).advice.partition(';')[0]}"


# What a person has to mend comes before what passes by itself, and that in the order of the path.
_REASONS: Final[tuple[Callable[[WaitingFacts], Waiting | None], ...]] = (
    _draft,
    _paused,
    _copied,
    _silent,
    _place,
    _clock,
    _scheduled,
    _debug_mode,
    _on_hold,
    _pace_paused,
    _nobody_sends,
    _gateway_down,
    _put_off,
    _sending,
    _withdrawing,
    _unanswered,
    _under_way,
    _uncertain,
    _verdicts,
)


# ── the answer for one campaign, and for many ──


def why_waiting(connection: Connection, campaign_id: int, *, now: datetime, pace: PaceView | None) -> Waiting | None:
    """Say why a campaign waits; None if it has finished. Without a `pace`, reasons that need it are left out.

    Raises: NotFound.
    """
    return why_each_waits(connection, [store.read(connection, campaign_id)], now=now, pace=pace)[campaign_id]


def why_each_waits(
    connection: Connection, campaigns: Sequence[Campaign], *, now: datetime, pace: PaceView | None
) -> dict[int, Waiting | None]:
    """Say why each of several campaigns waits, by id, with as many queries as for one."""
    found: dict[int, Waiting | None] = {campaign.id: None for campaign in campaigns}
    live = [campaign for campaign in campaigns if campaign.finished_at is None]
    if live:
        parts = campaign_backlogs(connection, [campaign.id for campaign in live], now=now)
        to_leave, state = unsent_requests(connection), installation.read(connection)
        gate_now, calls = gate.read_gate(connection), outcomes.last_calls(connection)
        for campaign in live:
            ahead = _requests_ahead(campaign.id, to_leave)
            found[campaign.id] = first_reason(
                WaitingFacts(campaign, parts[campaign.id], ahead, state, gate_now, calls, pace, now)
            )
    return found


def _requests_ahead(campaign_id: int, to_leave: Mapping[int, int]) -> int:
    """Count the requests that leave before the last one of a campaign: campaigns take turns, a request each."""
    own = to_leave.get(campaign_id, 0)
    return sum(min(own, requests) for requests in to_leave.values()) - 1 if own else 0
