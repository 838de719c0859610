"""What a run under faults keeps beside our own tables: a copy of the gateway's ledger, every step backwards, and
the attempts that a database has lost (`past`).

Installed only here. The trigger sees what no sample can: a message that fell back for a millisecond.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine, text

RANKS: Final = {"pending": 0, "uncertain": 1, "accepted": 2}
"""How far a message has come; every state not named here is a verdict, and ranks above."""

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
    """In a database at the newest schema that nobody uses yet. What an earlier run has noted there goes."""
    with engine.begin() as connection:
        connection.execute(text(_INSTALL))
