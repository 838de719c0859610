"""When the history that is lost was last worked on: ticks of the database that replaces it say nothing about that."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import guards
from kavenegar_campaigns.store import gate
from tests.backups import dump, restore
from tests.world import Sandbox, run_due_work, running, states

TICKS = 3


def alive_at(engine: Engine) -> datetime:
    with engine.connect() as connection:
        return gate.read_gate(connection).alive_at


def tick(context: Context, sandbox: Sandbox, *, over: timedelta) -> None:
    """Some ticks, spread over a time."""
    for _ in range(TICKS):
        sandbox.advance(seconds=over.total_seconds() / TICKS)
        run_due_work(context)


def test_what_left_half_a_day_ago_stays_old_however_long_the_restored_database_has_ticked(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """By then the gateway has forgotten the ids: who is asked about now may have a message all the same."""
    sandbox.turn(dedupe=False)
    campaign = running(engine, 400)
    backup = dump(engine)
    run_due_work(context)
    restore(engine, backup)
    tick(context, sandbox, over=timedelta(hours=13))

    guards.accept_database(context.database, context.policy, copy=False, now=context.now())
    tick(context, sandbox, over=timedelta(minutes=30))

    assert states(engine, campaign) == {"uncertain": 400}
    assert sandbox.summary()["most_copies_to_one_receptor"] == 1


@pytest.mark.parametrize(
    "change", ["database_oid = database_oid + 1", "server_started_at = server_started_at - interval '1 day'"]
)
def test_a_database_that_is_not_where_it_was_shows_no_new_sign_of_life_and_the_dispatcher_does(
    context: Context, engine: Engine, sandbox: Sandbox, change: str
) -> None:
    """A copy, and a server that was started again while the gateway cannot be asked."""
    running(engine, 200)
    sandbox.arm("http_5xx_html_before", "sms/statuslocalmessageid", count=10 * TICKS)
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE sms.identity SET {change}, written_by = pg_current_xact_id()::xid::text::bigint")
        )
    before = alive_at(engine)

    tick(context, sandbox, over=timedelta(hours=1))

    assert alive_at(engine) == before
    with engine.connect() as connection:
        ticked_at = connection.execute(text("SELECT ticked_at FROM sms.installation")).scalar_one()
    assert context.now() - ticked_at < timedelta(minutes=1)


def test_a_database_that_is_where_it_was_lives_on_with_every_tick(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    before = alive_at(engine)
    tick(context, sandbox, over=timedelta(hours=1))
    assert alive_at(engine) - before > timedelta(minutes=59)
