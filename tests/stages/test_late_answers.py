"""A question takes as long as it takes: what "never seen" proves is judged when the answer is in hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from tests.kavenegar.scripted_server import Behaviour, ScriptedServer
from tests.world import Sandbox, batch_ids, running, states

COUNT = 200


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def slept(before: Callable[[], None], answer: Behaviour) -> Behaviour:
    """The question is at the gateway, something happens, and its answer arrives."""

    def behave(wire: object) -> None:
        before()
        answer(wire)  # type: ignore[arg-type]

    return behave


def unknown(context: Context, engine: Engine, server: ScriptedServer) -> tuple[int, int]:
    """(campaign, batch): its only batch left, and the connection broke."""
    campaign = running(engine, COUNT)
    (only,) = batch_ids(engine, campaign)
    server.will(server.reset())
    assert submit.send_batch(context, only) is Outcome.UNKNOWN
    server.script.clear()
    return campaign, only


def never_seen(engine: Engine, server: ScriptedServer) -> Behaviour:
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM sms.messages ORDER BY id")).scalars()
        rows = [{"messageid": None, "localid": str(each), "status": 100, "statustext": ""} for each in ids]
    return server.answer(entries=rows)


@pytest.mark.parametrize(
    ("asked_at_h", "took_h", "outcome", "found"),
    [
        (10.9, 0, Outcome.SENT_AGAIN, "pending"),
        (10.9, 2, Outcome.UNCERTAIN, "uncertain"),
        (11.9, 13, Outcome.UNCERTAIN, "uncertain"),
        (1, 0.5, Outcome.SENT_AGAIN, "pending"),
    ],
    ids=["answered at once", "the machine slept over the end of the window", "and for longer", "slept within it"],
)
def test_what_was_never_seen_leaves_again_only_if_the_gateway_still_remembered_when_it_answered(
    scripted: Context,
    engine: Engine,
    server: ScriptedServer,
    sandbox: Sandbox,
    asked_at_h: float,
    took_h: float,
    outcome: Outcome,
    found: str,
) -> None:
    campaign, only = unknown(scripted, engine, server)
    sandbox.ahead += timedelta(hours=asked_at_h)

    def sleep() -> None:
        sandbox.ahead += timedelta(hours=took_h)

    server.will(slept(sleep, never_seen(engine, server)))

    assert submit.resolve_batch(scripted, only) is outcome
    assert states(engine, campaign) == {found: COUNT}


def test_what_was_found_by_a_late_answer_counts(
    scripted: Context, engine: Engine, server: ScriptedServer, sandbox: Sandbox
) -> None:
    """ "I have it" is true at any age."""
    campaign, only = unknown(scripted, engine, server)
    sandbox.ahead += timedelta(hours=10.9)
    with engine.connect() as connection:
        ids = list(connection.execute(text("SELECT id FROM sms.messages ORDER BY id")).scalars())
    rows = [{"messageid": 10**9 + each % 1000, "localid": str(each), "status": 1, "statustext": ""} for each in ids]

    def sleep() -> None:
        sandbox.ahead += timedelta(hours=20)

    server.will(slept(sleep, server.answer(entries=rows)))

    assert submit.resolve_batch(scripted, only) is Outcome.RESOLVED
    assert states(engine, campaign) == {"accepted": COUNT}


def test_of_a_cancelled_campaign_nothing_is_called_unsent_by_a_late_answer(
    scripted: Context, engine: Engine, server: ScriptedServer, sandbox: Sandbox
) -> None:
    campaign, only = unknown(scripted, engine, server)
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    sandbox.ahead += timedelta(hours=10.9)

    def sleep() -> None:
        sandbox.ahead += timedelta(hours=2)

    server.will(slept(sleep, never_seen(engine, server)))

    assert submit.resolve_batch(scripted, only) is Outcome.UNCERTAIN
    assert states(engine, campaign) == {"uncertain": COUNT}
