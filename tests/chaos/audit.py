"""Tables and a trigger that runs under faults need beside ours: the gateway's ledger, backward moves, lost attempts.

Installed only here. The trigger records what samples would miss: a message that fell back for a millisecond.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine, text

RANKS: Final = {"pending": 0, "uncertain": 1, "accepted": 2}
"""Rank of a state on the path of a message; states that are missing here are verdicts and rank above."""

_RANK: Final = (
    "CASE {state} " + " ".join(f"WHEN '{state}' THEN {rank}" for state, rank in RANKS.items()) + " ELSE 3 END"
)
_STEP_BACK: Final = (
    f"{_RANK.format(state='old.state')} > {_RANK.format(state='new.state')}"
    " OR (old.state <> new.state AND old.state <> 'undelivered'"
    f" AND {_RANK.format(state='old.state')} = 3)"
    " OR (old.gateway_id IS NOT NULL AND new.gateway_id IS DISTINCT FROM old.gateway_id)"
)

_INSTALL: Final = f"""
    DROP SCHEMA IF EXISTS chaos CASCADE;
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.ledger (
        localid bigint, messageid bigint NOT NULL, receptor text NOT NULL, text_digest text NOT NULL,
        status smallint NOT NULL, account smallint NOT NULL
    );
    CREATE TABLE chaos.lost_attempts (
        batch_id bigint NOT NULL, call_id uuid NOT NULL, kind text NOT NULL, event text NOT NULL,
        attempt integer NOT NULL
    );
    CREATE TABLE chaos.backward (
        message_id bigint NOT NULL, was text NOT NULL, became text NOT NULL, at timestamptz NOT NULL DEFAULT now()
    );
    CREATE FUNCTION chaos.note_step_back() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chaos.backward (message_id, was, became) VALUES (old.id, old.state, new.state);
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_step_back AFTER UPDATE ON sms.messages FOR EACH ROW
        WHEN ({_STEP_BACK}) EXECUTE FUNCTION chaos.note_step_back();
"""


def install(engine: Engine) -> None:
    """Install the audit in an unused database at the newest schema; removes the records of an earlier run."""
    with engine.begin() as connection:
        connection.execute(text(_INSTALL))
