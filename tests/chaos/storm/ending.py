"""Check every invariant after a storm, and print the results."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from tests.chaos import checker, leaks
from tests.chaos.checker import SHOWN, Broken, Findings
from tests.chaos.past import Past
from tests.chaos.storm import crowd
from tests.chaos.storm.crowd import Quiet
from tests.chaos.storm.scene import Scene
from tests.chaos.storm.watch import Watch

# I8: how many sends were ever on record before they left, also in what the database has lost?
_BEGAN: Final = text("""
    SELECT (SELECT count(*) FROM sms.attempts WHERE kind = 'send' AND event = 'began')
         + (SELECT count(*) FROM chaos.lost_attempts WHERE kind = 'send' AND event = 'began')
""")
_UNCERTAIN: Final = text("SELECT id FROM sms.messages WHERE state = 'uncertain' ORDER BY id")
_REFUSED: Final = text("SELECT refused_code, count(*) FROM sms.messages WHERE state = 'refused' GROUP BY 1")
_ENDINGS: Final = text("SELECT kind, event, count(*) FROM sms.attempts GROUP BY 1, 2 ORDER BY 1, 3 DESC")


def judge(scene: Scene, watch: Watch, messages: int) -> tuple[Findings, list[Broken]]:
    """Check the database against the ledger, the spans without sends, the refusals and the logs."""
    stage = scene.stage
    stage.database(stage.past.put_back)
    findings = checker.check(stage.engine, stage.gateway.url)
    with stage.engine.connect() as connection:
        broken = [
            *watch.broken,
            *(Broken("I0", f"every act can be played, and not {failure}", 1) for failure in scene.failed),
            *findings.broken,
            *(each for quiet in scene.crowd.quiet for each in _loud(connection, stage.past, quiet)),
            *_refused_wrongly(connection, messages),
            *_given_up(connection),
            *_unrecorded(connection, scene),
            *(each for folder in (stage.home / "logs", *stage.pair.logs) for each in leaks.in_logs(folder)),
        ]
    return findings, broken


def _loud(connection: Connection, past: Past, quiet: Quiet) -> Iterator[Broken]:
    """I11: which batches of a campaign that was to be silent were claimed all the same, in that era?"""
    until = math.inf if quiet.until is None else quiet.until.attempt
    found = sorted(
        each.batch_id
        for each in past.attempts(quiet.after.era, connection)
        if each.may_have_sent and each.campaign_id == quiet.campaign_id and quiet.after.attempt < each.id <= until
    )
    if found:
        claim = f"campaign {quiet.campaign_id} sends nothing while it is paused or cancelled"
        yield Broken("I11", claim, len(found), found[:SHOWN])


def _given_up(connection: Connection) -> Iterator[Broken]:
    """I1: the gateway could be asked about every message at all times of a storm, so that none need stay uncertain."""
    found = [row.id for row in connection.execute(_UNCERTAIN)]
    if found:
        yield Broken("I1", "no message is given up that the gateway could be asked about", len(found), found[:SHOWN])


def _refused_wrongly(connection: Connection, messages: int) -> Iterator[Broken]:
    right = {411: len(crowd.bad_numbers(messages)), 422: crowd.POISONED_ROWS}
    found = {row[0]: row[1] for row in connection.execute(_REFUSED)}
    if found != right:
        yield Broken("I1", f"what is refused, by code, is {right} and not {found}", 1)


def _unrecorded(connection: Connection, scene: Scene) -> Iterator[Broken]:
    """I8: no more sends arrived than were ever on record. One claim makes up to three calls, if the answer is 409."""
    seen = scene.stage.gateway.summary()
    arrived = sum(seen["requests"].get(f"sms/{name}", 0) for name in ("send", "sendarray"))
    busy = sum(seen["codes"].get(f"sms/{name}", {}).get("409", 0) for name in ("send", "sendarray"))
    began = connection.execute(_BEGAN).scalar_one()
    if arrived - busy > began:
        yield Broken("I8", f"of {arrived} sends that arrived, {busy} of them at a busy gateway, {began} began", 1)


def describe(scene: Scene, findings: Findings, watch: Watch) -> None:
    """Print how often each act was played, how batches ended, and how many messages are in each state."""
    say = scene.timeline.say
    say("\nwhat was done")
    for what, times in sorted(scene.timeline.counts.items()):
        say(f"  {times:5d}  {what}")
    say("what came of it")
    with scene.stage.engine.connect() as connection:
        for kind, event, times in connection.execute(_ENDINGS):
            say(f"  {times:5d}  {kind}: {event}")
    for state in scene.stage.processes.states():
        say(f"  {state.restarts:5d}  {state.name} started again")
    say(f"  looked at {watch.samples} times meanwhile; {watch.missed} times there was nothing to look at")
    say("where the messages stand")
    for name, count in sorted(findings.states.items(), key=lambda item: -item[1]):
        say(f"{count:7,d}  {name}")
    say(f"{findings.messages:7,d}  in all, of which the gateway sent {findings.sent:,}")
