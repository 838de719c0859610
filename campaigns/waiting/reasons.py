"""The reasons for which a campaign waits: each looks at the facts, and answers or passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from campaigns.kavenegar.codes import meaning
from campaigns.kavenegar.pace import Lane, PaceView
from campaigns.rules.states import CampaignState
from campaigns.store.identity import Place
from campaigns.waiting.facts import (
    NO_PROMISE_AFTER,
    NOBODY_SENDS_AFTER,
    SILENT_AFTER,
    Facts,
    Reason,
    Waiting,
    many,
)
from campaigns.waiting.paused import way_on

SOON: Final = timedelta(seconds=3)
"""What passes within this passes before it is read."""


def first(facts: Facts) -> Waiting:
    """The first reason that applies."""
    found = (waiting for explain in _REASONS if (waiting := explain(facts)) is not None)
    return next(found, Waiting(Reason.CLOSING, "nothing of it is open any more: the next tick closes it"))


def _draft(facts: Facts) -> Waiting | None:
    if facts.campaign.state is not CampaignState.DRAFT:
        return None
    since = facts.at(facts.campaign.created_at)
    return Waiting(Reason.DRAFT, f"a draft since {since}: `campaigns start {facts.campaign.id}` starts it")


def _paused(facts: Facts) -> Waiting | None:
    if facts.campaign.state is not CampaignState.PAUSED:
        return None
    because = " ".join((facts.campaign.hold_reason or "").split())
    since = "" if facts.campaign.paused_at is None else f" since {facts.at(facts.campaign.paused_at)}"
    return Waiting(Reason.PAUSED, f"paused{since}: {because}; {way_on(facts.campaign)}")


def _silent(facts: Facts) -> Waiting | None:
    ticked_at = facts.installation.ticked_at
    if ticked_at is None:
        return Waiting(Reason.SILENT, "no tick has reached this database yet: `campaigns doctor` says who is missing")
    if facts.now - ticked_at <= SILENT_AFTER:
        return None
    return Waiting(Reason.SILENT, f"no tick came since {facts.at(ticked_at)}: `campaigns doctor` says who is missing")


def _copied(facts: Facts) -> Waiting | None:
    if not facts.sends or facts.gate.place is not Place.COPIED:
        return None
    told = "the database was restored or copied: nothing is sent before `campaigns restored` says which"
    return Waiting(Reason.RESTORED, told)


def _place(facts: Facts) -> Waiting | None:
    """What keeps everything from leaving until the gateway was asked, in a database that may lack commits."""
    if not facts.sends or facts.gate.place is Place.HOME:
        return None
    told = (
        "the database was started anew: the gateway is asked first whether messages have left that it does not know of"
    )
    return Waiting(Reason.DATABASE_CHECKED, told)


def _clock(facts: Facts) -> Waiting | None:
    leap = facts.gate.leap
    if leap is None or not (facts.sends or facts.parts.unknown or facts.parts.poll_at):
        return None
    minutes = round(abs(leap.by.total_seconds()) / 60, 1)
    leapt = f"the database's clock leapt by {minutes:g} min at {facts.at(leap.at)}"
    told = f"{leapt}: nothing is sent or asked for some minutes"
    return Waiting(Reason.CLOCK_LEAPT, told)


def _scheduled(facts: Facts) -> Waiting | None:
    start_at = facts.campaign.start_at
    if facts.campaign.state is not CampaignState.SCHEDULED or start_at is None:
        return None
    return Waiting(Reason.SCHEDULED, f"scheduled for {facts.at(start_at)}", start_at)


def _debug_mode(facts: Facts) -> Waiting | None:
    if not (facts.installation.debug_mode and facts.sends):
        return None
    ends = "`campaigns account config --debug-mode off` ends that"
    return Waiting(
        Reason.DEBUG_MODE, f"the account is in DEBUG MODE: nothing is sent, messages come back cancelled; {ends}"
    )


def _on_hold(facts: Facts) -> Waiting | None:
    hold = facts.installation.hold
    if hold is None or not facts.sends:
        return None
    since, again = facts.at(hold.since), facts.at(hold.probe_at)
    sentence = f"the account is on hold ({_told(hold.code)}) since {since}; looked at again at {again}"
    return Waiting(Reason.ON_HOLD, sentence, hold.probe_at)


def _pace_paused(facts: Facts) -> Waiting | None:
    """Only if the pause is long enough to be read of, and the campaign would call before it ends."""
    if facts.pace is None or facts.pace.paused_until is None or facts.pace.paused_until <= facts.pace.at + SOON:
        return None
    until, parts = facts.pace.paused_until, facts.parts
    calls = (parts.ready_at if facts.sends else None, parts.ask_at, parts.poll_at)
    if not any(call is not None and call <= until + SOON for call in calls):
        return None
    answer = "" if facts.pace.code is None else f"the gateway answered {_told(facts.pace.code)}: "
    return Waiting(Reason.PACE_PAUSED, f"{answer}all calls pause until {facts.at(until)}", until)


def _nobody_sends(facts: Facts) -> Waiting | None:
    since = facts.idle_since
    if not facts.sends or since is None or facts.now - since <= max(NOBODY_SENDS_AFTER, 3 * _step(facts.pace)):
        return None
    requests = many(facts.parts.ready, "request")
    told = f"nobody sends: {requests} to leave, and none has left since {facts.at(since)}"
    return Waiting(Reason.NOBODY_SENDS, f"{told}; `campaigns doctor` says who is missing")


def _step(pace: PaceView | None) -> timedelta:
    """The time between two calls."""
    return timedelta(seconds=1 / pace.rate) if pace is not None and pace.rate else timedelta(0)


def _gateway_down(facts: Facts) -> Waiting | None:
    ready_at = facts.parts.ready_at
    if ready_at is None or not facts.sends or not (facts.parts.gateway_down or facts.gateway_silent):
        return None
    answered_at = facts.calls.answered_at
    silent = "does not answer"
    if facts.gateway_silent and answered_at is not None:
        silent = f"has not answered since {facts.at(answered_at)}"
    again = facts.at(max(ready_at, facts.now))
    return Waiting(Reason.GATEWAY_DOWN, f"the gateway {silent}; tried again at {again}", facts.to_come(ready_at))


def _put_off(facts: Facts) -> Waiting | None:
    ready_at = facts.parts.ready_at
    if ready_at is None or not facts.sends or ready_at <= facts.now + SOON:
        return None
    requests = many(facts.parts.ready, "request")
    return Waiting(Reason.PUT_OFF, f"{requests} put off; the first is tried again at {facts.at(ready_at)}", ready_at)


def _sending(facts: Facts) -> Waiting | None:
    ready_at = facts.parts.ready_at
    if ready_at is None or not facts.sends:
        return None
    before = f"{many(facts.ahead, 'request')} to leave before its last one" if facts.ahead else "its last request waits"
    if facts.pace is None:
        return Waiting(Reason.SENDING, f"{before}; due since {facts.at(ready_at)}")
    idle_since = facts.idle_since
    if idle_since is not None and facts.now - idle_since > NO_PROMISE_AFTER + _step(facts.pace):
        return Waiting(Reason.SENDING, f"{before}; none has left since {facts.at(idle_since)}")
    speed = _speed(facts.pace)
    ends = max(facts.now, facts.pace.paused_until or facts.now) + timedelta(seconds=(facts.ahead + 1) / speed)
    return Waiting(Reason.SENDING, f"{before}, at {speed:.3g} a second: sending ends about {facts.at(ends)}", ends)


def _speed(pace: PaceView) -> float:
    """Calls a second that are left for sends: what others took in the last minute goes off, up to their shares."""
    others = sum(view.calls for lane, view in pace.lanes.items() if lane is not Lane.SEND) / 60
    least = 1 - sum(lane.share for lane in Lane if lane is not Lane.SEND)
    return max(pace.rate - others, pace.rate * least)


def _withdrawing(facts: Facts) -> Waiting | None:
    if facts.campaign.state is not CampaignState.CANCELLED or not facts.parts.ready:
        return None
    requests = many(facts.parts.ready, "request")
    return Waiting(Reason.WITHDRAWING, f"cancelled: {requests} not yet sent, withdrawn at the next ticks")


def _unanswered(facts: Facts) -> Waiting | None:
    ask_at = facts.parts.ask_at
    if ask_at is None:
        return None
    requests = many(facts.parts.unknown, "request")
    return Waiting(Reason.UNANSWERED, f"{requests} without an answer; {facts.asked(ask_at)}", facts.to_come(ask_at))


def _under_way(facts: Facts) -> Waiting | None:
    lapses_at = facts.parts.lapses_at
    if lapses_at is None:
        return None
    requests = many(facts.parts.claimed, "request")
    sentence = f"{requests} on the way; given up for unknown at {facts.at(lapses_at)}"
    return Waiting(Reason.UNDER_WAY, sentence, facts.to_come(lapses_at))


def _uncertain(facts: Facts) -> Waiting | None:
    if not facts.parts.uncertain:
        return None
    messages = many(facts.parts.uncertain, "message")
    listed = f"`campaigns uncertain list --campaign {facts.campaign.id}`"
    return Waiting(Reason.UNCERTAIN, f"{messages} uncertain: a person decides ({listed})")


def _verdicts(facts: Facts) -> Waiting | None:
    poll_at = facts.parts.poll_at
    if poll_at is None:
        return None
    messages = many(facts.parts.accepted, "message")
    return Waiting(Reason.VERDICTS, f"{messages} without a verdict; {facts.asked(poll_at)}", facts.to_come(poll_at))


def _told(code: int) -> str:
    """A code of the gateway and what it means, without what to do about it."""
    return f"{code}, {meaning(code).advice.partition(';')[0]}"


# What a person has to mend comes before what passes by itself, and that in the order of the path.
_REASONS: Final[tuple[Callable[[Facts], Waiting | None], ...]] = (
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
