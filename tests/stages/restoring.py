"""What happens to a database that is restored: batches that leave, the word that is spoken, time that passes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import guards, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import identity
from kavenegar_campaigns.store.identity import Place
from kavenegar_campaigns.store.restores import Restored
from tests.world import Sandbox, run_due_work


def place(engine: Engine) -> Place:
    with engine.connect() as connection:
        return identity.read_place(connection)


def accepted(context: Context, *, copy: bool = False) -> Restored:
    """What `campaigns restored` does."""
    return guards.accept_database(context.database, context.policy, copy=copy, now=context.now())


def send_some(context: Context, engine: Engine, campaign: int, count: int) -> None:
    """The next batches of a campaign leave and are accepted."""
    with engine.connect() as connection:
        ready = connection.execute(
            text(
                "SELECT id FROM sms.batches WHERE campaign_id = :id AND state = 'ready' ORDER BY first_id LIMIT :count"
            ),
            {"id": campaign, "count": count},
        ).scalars()
        batches = list(ready)
    assert [submit.send_batch(context, batch_id) for batch_id in batches] == [Outcome.ACCEPTED] * count


def counted(engine: Engine, batch: int) -> dict[str, int]:
    """How many messages of a batch stand where, by its counters; they are those of the messages."""
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM sms.batches WHERE id = :id"), {"id": batch}).mappings().one()
        census = connection.execute(
            text("""
                SELECT state, count(*) AS messages FROM sms.messages
                 WHERE id BETWEEN :first_id AND :last_id GROUP BY state
            """),
            {"first_id": row["first_id"], "last_id": row["last_id"]},
        )
        found = {row.state: row.messages for row in census}
    assert {state: row[state] for state in MessageState if row[state]} == found
    return found


def settle(context: Context, sandbox: Sandbox) -> None:
    """Until whatever could still be under way is over, and then some ticks."""
    sandbox.advance(seconds=(context.policy.quiet_period + timedelta(seconds=1)).total_seconds())
    for _ in range(4):
        run_due_work(context)


def everybody_got_one(sandbox: Sandbox, count: int) -> None:
    assert sandbox.summary()["messages"] == count
    assert sandbox.summary()["most_copies_to_one_receptor"] == 1
