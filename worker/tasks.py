"""Tasks are doorbells: an id in, a short summary out. Ringing twice is harmless."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from campaigns import account, chores, dispatch, guards, heed, ledger, submit, track, withdraw
from campaigns.inbox import pull
from campaigns.otp.follow import follow
from campaigns.otp.send import run as run_otp
from campaigns.store import batch_positions, due
from campaigns.suppress.gateway import run as synchronise
from worker import orders, wiring
from worker.app import app
from worker.events import FailuresOnly
from worker.handover import run as hand_over
from worker.publishing import Publisher

TICKS_APART: Final = timedelta(seconds=0.5)
"""Of ticks that come closer together, a second beat's or stale ones of a queue, one does the work."""


@app.task(name="campaigns.tick", base=FailuresOnly)
def tick() -> str:
    """One second has passed: publish what is due."""
    house, publish = wiring.house(), Publisher()
    wiring.lines_of_settings()
    if house.database(due.just_ticked, now=house.now(), apart=TICKS_APART):
        return "another tick was just now"
    guards.clock.look(house)
    guards.account.ensure(house)
    publish(check_database, [()] * guards.place.look(house, now=house.now()))
    bells = dispatch.tick(house, now=house.now())
    batch_ids = [*bells.send, *bells.resolve, *bells.withdraw]
    positions = house.database(batch_positions.read, batch_ids) if batch_ids else {}
    publish.batches(send_batch, bells.send, positions)
    publish.batches(resolve_batch, bells.resolve, positions)
    publish.batches(withdraw_batch, bells.withdraw, positions)
    publish(poll_statuses, [(True,)] * bells.closing + [()] * (bells.polls - bells.closing))
    publish(heed_callbacks, [()] * bells.heed)
    publish(check_account, [()] * bells.account)
    publish(send_otp, [(otp_id,) for otp_id in bells.otp])
    publish(follow_otps, [()] * bells.follow)
    publish(pull_inbox, [(line,) for line in bells.lines])
    publish(hand_inbound, [()] * bells.hand)
    return bells.summary


@app.task(name="campaigns.chores", base=FailuresOnly)
def chores_() -> str:
    """Some seconds have passed: publish what comes round by the clock."""
    house, publish = wiring.house(), Publisher()
    guards.clock.tidy(house)
    found = chores.due(house, now=house.now())
    if found.watch:
        guards.clock.follow_schedule(house)
    publish(watch_account, [()] * found.watch)
    publish(keep_ledger, [()] * found.ledger)
    publish(sync_suppressions, [(line,) for line in found.blocklists])
    return found.summary


@app.task(name="campaigns.send_batch")
def send_batch(batch_id: int) -> str:
    """One batch is due. The claim decides."""
    return submit.run(wiring.recognised_house(), batch_id)


@app.task(name="campaigns.resolve_batch")
def resolve_batch(batch_id: int) -> str:
    """One batch's outcome is unknown, and the gateway has had time. The claim decides."""
    return submit.resolve(wiring.recognised_house(), batch_id)


@app.task(name="campaigns.withdraw_batch")
def withdraw_batch(batch_id: int) -> str:
    """A cancelled campaign's batch waits at the gateway for its date: withdraw it."""
    return withdraw.run(wiring.house(), batch_id).summary


@app.task(name="campaigns.poll_statuses")
def poll_statuses(closing: bool = False) -> str:
    """Verdicts are due for up to 500 messages, some of them of windows that are about to close. The claim decides."""
    return track.run(wiring.house(), closing=closing).summary


@app.task(name="campaigns.heed_callbacks")
def heed_callbacks() -> str:
    """The gateway has told something by itself. The claim decides who asks about it."""
    return heed.run(wiring.house()).summary


@app.task(name="campaigns.check_database")
def check_database() -> str:
    """The database was started again: ask the gateway whether anything was lost. Nothing is sent before that."""
    return guards.place.check(wiring.house())


@app.task(name="campaigns.check_account")
def check_account() -> str:
    """The account is on hold: look whether it may send again."""
    return account.look(wiring.house())


@app.task(name="campaigns.watch_account")
def watch_account() -> str:
    """It is time to look at the account's credit and settings."""
    return account.watch(wiring.house())


@app.task(name="campaigns.keep_ledger")
def keep_ledger() -> str:
    """It is time to count the last days."""
    return f"{len(ledger.keep(wiring.house()))} days counted"


@app.task(name="campaigns.send_otp")
def send_otp(otp_id: int) -> str:
    """One one-time password is due. The claim decides. What it says never travels here: it stands in the database."""
    return run_otp(wiring.house(), otp_id)


@app.task(name="campaigns.follow_otps")
def follow_otps() -> str:
    """Verdicts of one-time passwords are due, and the calls that follow some of them."""
    followed = follow(wiring.house())
    Publisher()(send_otp, [(otp_id,) for otp_id in followed.calls])
    return followed.summary


@app.task(name="campaigns.sync_suppressions")
def sync_suppressions(line: str) -> str:
    """A line's block list at the gateway is to be synchronised with our suppressions. The claim decides."""
    return synchronise(wiring.house(), line).summary


@app.task(name="campaigns.pull_inbox")
def pull_inbox(line: str) -> str:
    """A line is to be pulled. The claim decides. One with more to come is rung for again when it has its turn."""
    return pull.run(wiring.house(), line).summary


@app.task(name="campaigns.hand_inbound")
def hand_inbound() -> str:
    """Somebody is to be told of inbound messages."""
    return hand_over(wiring.house())


@app.task(name="campaigns.resume")
def resume(campaign_id: int, sender: str | None = None) -> str:
    """A paused campaign goes on, with `sender` from another line: see `campaigns.resume`."""
    return orders.resume(campaign_id, sender=sender)


@app.task(name="campaigns.create")
def create(
    *,
    recipients: str,
    text_file: str,
    key: str,
    sender: str | None = None,
    name: str | None = None,
    number_column: str | None = None,
    sheet: str | None = None,
    include_hidden: bool = False,
    header_row: int | None = None,
    start_at: str | datetime | None = None,
    start: bool = True,
    kind: str = "sms",
    repeat: int | None = None,
    tag: str | None = None,
    policy: str | None = None,
    hide: bool = False,
    message_type: str | int | None = None,
) -> str:
    """A campaign out of files in INTAKE_FOLDER, for apps that only speak Celery.

    `recipients` and `text_file` are names of files in that folder: numbers and texts never travel through the broker.
    `key` is the caller's own name for the campaign; the same key rings twice without harm. `kind` is "sms" or "voice";
    `start_at` may be text, `2026-12-01T10:00+03:30`; the rest is as in `campaigns.create`.
    """
    campaign_id = orders.create(
        recipients=recipients,
        text_file=text_file,
        key=key,
        sender=sender,
        name=name,
        number_column=number_column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
        start_at=start_at,
        start=start,
        kind=kind,
        repeat=repeat,
        tag=tag,
        policy=policy,
        hide=hide,
        message_type=message_type,
    )
    return f"campaign {campaign_id}"
