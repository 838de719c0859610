"""Tasks are doorbells: an id in, a short summary out. Ringing twice is harmless."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from celery import Task
from kombu.exceptions import OperationalError

from campaigns import account, dispatch, submit, track, withdraw
from worker import orders, wiring
from worker.app import app

log = logging.getLogger(__name__)

RING_EXPIRES_S = 30
"""A ring that waited longer is stale: the dispatcher has rung again meanwhile."""


@app.task(name="campaigns.tick")
def tick() -> str:
    """One second has passed: ring for what is due."""
    house = wiring.house()
    bells = dispatch.tick(house, now=house.now())
    _ring(send_batch, [(batch_id,) for batch_id in bells.send])
    _ring(resolve_batch, [(batch_id,) for batch_id in bells.resolve])
    _ring(withdraw_batch, [(batch_id,) for batch_id in bells.withdraw])
    _ring(poll_statuses, [(True,)] * bells.closing + [()] * (bells.polls - bells.closing))
    _ring(check_account, [()] * bells.account)
    return bells.summary


@app.task(name="campaigns.send_batch")
def send_batch(batch_id: int) -> str:
    """One batch is due. The claim decides."""
    return submit.run(wiring.house(), batch_id)


@app.task(name="campaigns.resolve_batch")
def resolve_batch(batch_id: int) -> str:
    """One batch's outcome is unknown, and the gateway has had time. The claim decides."""
    return submit.resolve(wiring.house(), batch_id)


@app.task(name="campaigns.withdraw_batch")
def withdraw_batch(batch_id: int) -> str:
    """A cancelled campaign's batch waits at the gateway for its date: withdraw it."""
    return withdraw.run(wiring.house(), batch_id).summary


@app.task(name="campaigns.poll_statuses")
def poll_statuses(closing: bool = False) -> str:
    """Verdicts are due for up to 500 messages, some of them of windows that are about to close. The claim decides."""
    return track.run(wiring.house(), closing=closing).summary


@app.task(name="campaigns.check_account")
def check_account() -> str:
    """The account is on hold: look whether it may send again."""
    return account.look(wiring.house())


@app.task(name="campaigns.create")
def create(
    *,
    recipients: str,
    text_file: str,
    key: str,
    sender: str | None = None,
    name: str | None = None,
    number_column: str | None = None,
    start: bool = True,
) -> str:
    """A campaign out of files in INTAKE_FOLDER, for apps that only speak Celery.

    `recipients` and `text_file` are names of files in that folder: numbers and texts never travel through the broker.
    `key` is the caller's own name for the campaign; the same key rings twice without harm.
    """
    campaign_id = orders.create(
        recipients=recipients,
        text_file=text_file,
        key=key,
        sender=sender,
        name=name,
        number_column=number_column,
        start=start,
    )
    return f"campaign {campaign_id}"


def _ring(task: Task, arguments: Iterable[tuple[int, ...]]) -> None:
    """Publish hints. A hint that cannot be published is rung again later, so nothing is lost but seconds."""
    rung = 0
    try:
        with app.producer_pool.acquire(block=True, timeout=5) as producer:
            for each in arguments:
                task.apply_async(each, producer=producer, expires=RING_EXPIRES_S)
                rung += 1
    except OperationalError:
        log.warning("rings lost", extra={"ring": task.name, "rung": rung})
