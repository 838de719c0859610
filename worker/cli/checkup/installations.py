"""Whether workers of another database take tasks from the same queues.

A task carries an id, and an id of one database means nothing, or something else, in another one. Nothing is lost by it,
since a claim decides; but a task that the wrong worker takes is published again only after REENQUEUE_AFTER, and an
order to create a campaign is carried out in the wrong database.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import SQLAlchemyError

from campaigns.store import identity
from worker import wiring
from worker.cli.checkup.finding import Finding, Level

ANSWER_WITHIN_S: Final = 2.0


def foreign_workers(count: int) -> dict[str, str]:
    """Of so many workers, which have answered a moment ago, those of another database, and which database it is.

    A worker of an older version does not say, and counts as one of ours. So do all while our database is away.
    """
    from worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it
    from worker.remote import DATABASE  # noqa: PLC0415 - likewise

    try:
        with wiring.engine().connect() as connection:
            here = identity.label(connection)
    except SQLAlchemyError:
        return {}  # `house` says so
    told: dict[str, str] = {}

    def note(answer: Mapping[str, Mapping[str, str]]) -> None:
        told.update({name: said["database"] for name, said in answer.items() if "database" in said})

    with suppress(BrokerError):  # `servers` says so
        app.control.broadcast(DATABASE, reply=True, timeout=ANSWER_WITHIN_S, limit=count, callback=note)
    return {name: database for name, database in told.items() if database != here}


def finding(foreign: Mapping[str, str]) -> Finding:
    """Who works for another database, and what to do about it."""
    says = (
        f"{', '.join(sorted(foreign))} work for another database, {', '.join(sorted(set(foreign.values())))}: "
        "each installation takes tasks of the other, which are late by that, or carried out in the wrong database"
    )
    do = (
        "give each installation a database of the broker for itself, by another number at the end of its BROKER_URL "
        "(…:6379/1), and restart all its processes"
    )
    return Finding("installations", Level.BAD, says, do)
