"""Tasks are doorbells: an id in, a short summary out. Ringing twice is harmless."""

from __future__ import annotations

from datetime import datetime

from campaigns.api import work
from worker import create_task, wiring
from worker.app import FailureEventsOnly, app
from worker.inbound_delivery import deliver_due
from worker.queues import Publisher


@app.task(name="campaigns.tick", base=FailureEventsOnly)
def tick() -> str:
    """One second has passed: publish what is due."""
    context, publish = wiring.context(), Publisher()
    wiring.seed_inbox_lines()
    if not work.begin_tick(context):
        return "another tick was just now"
    publish(check_database, [()] * work.check_place(context))
    due_work = work.find_due(context)
    positions = work.batch_positions(context, due_work)
    publish.batches(send_batch, due_work.send, positions)
    publish.batches(resolve_batch, due_work.resolve, positions)
    publish.batches(withdraw_batch, due_work.withdraw, positions)
    publish(poll_statuses, [(True,)] * due_work.closing + [()] * (due_work.polls - due_work.closing))
    publish(confirm_callbacks, [()] * due_work.callbacks)
    publish(check_account, [()] * due_work.account)
    publish(send_otp, [(otp_id,) for otp_id in due_work.otp])
    publish(follow_otps, [()] * due_work.follow_otps)
    publish(pull_inbox, [(line,) for line in due_work.lines])
    publish(deliver_inbound, [()] * due_work.deliver)
    return due_work.summary


@app.task(name="campaigns.chores", base=FailureEventsOnly)
def chores_() -> str:
    """Some seconds have passed: publish what comes round by the clock."""
    found, publish = work.claim_chores(wiring.context()), Publisher()
    publish(watch_account, [()] * found.watch)
    publish(keep_ledger, [()] * found.ledger)
    publish(sync_suppressions, [(line,) for line in found.blocklists])
    return found.summary


@app.task(name="campaigns.send_batch")
def send_batch(batch_id: int) -> str:
    """One batch is due. The claim decides."""
    return work.send_batch(wiring.recognised_context(), batch_id)


@app.task(name="campaigns.resolve_batch")
def resolve_batch(batch_id: int) -> str:
    """One batch's outcome is unknown, and the gateway has had time. The claim decides."""
    return work.resolve_batch(wiring.recognised_context(), batch_id)


@app.task(name="campaigns.withdraw_batch")
def withdraw_batch(batch_id: int) -> str:
    """A cancelled campaign's batch waits at the gateway for its date: withdraw it."""
    return work.withdraw_batch(wiring.context(), batch_id).summary


@app.task(name="campaigns.poll_statuses")
def poll_statuses(closing: bool = False) -> str:
    """Verdicts are due for up to 500 messages, some of them of windows that are about to close. The claim decides."""
    return work.poll_statuses(wiring.context(), closing=closing).summary


@app.task(name="campaigns.confirm_callbacks")
def confirm_callbacks() -> str:
    """The gateway has told something by itself. The claim decides who asks about it."""
    return work.process_callbacks(wiring.context()).summary


@app.task(name="campaigns.check_database")
def check_database() -> str:
    """The database was started again: ask the gateway whether anything was lost. Nothing is sent before that."""
    return work.check_restart(wiring.context())


@app.task(name="campaigns.check_account")
def check_account() -> str:
    """The account is on hold: look whether it may send again."""
    return work.recheck_hold(wiring.context())


@app.task(name="campaigns.watch_account")
def watch_account() -> str:
    """It is time to look at the account's credit and settings."""
    return work.watch_account(wiring.context())


@app.task(name="campaigns.keep_ledger")
def keep_ledger() -> str:
    """It is time to count the last days."""
    return f"{len(work.keep_ledger(wiring.context()))} days counted"


@app.task(name="campaigns.send_otp")
def send_otp(otp_id: int) -> str:
    """One one-time password is due. The claim decides. What it says never travels here: it stands in the database."""
    return work.send_otp(wiring.context(), otp_id)


@app.task(name="campaigns.follow_otps")
def follow_otps() -> str:
    """Verdicts of one-time passwords are due, and the calls that follow some of them."""
    followed = work.follow_otps(wiring.context())
    Publisher()(send_otp, [(otp_id,) for otp_id in followed.calls])
    return followed.summary


@app.task(name="campaigns.sync_suppressions")
def sync_suppressions(line: str) -> str:
    """A line's block list at the gateway is to be synchronised with our suppressions. The claim decides."""
    return work.sync_due_line(wiring.context(), line).summary


@app.task(name="campaigns.pull_inbox")
def pull_inbox(line: str) -> str:
    """A line is to be pulled. The claim decides. One with more to come is rung for again when it has its turn."""
    return work.pull_line(wiring.context(), line).summary


@app.task(name="campaigns.deliver_inbound")
def deliver_inbound() -> str:
    """Somebody is to be told of inbound messages."""
    return deliver_due(wiring.context())


@app.task(name="campaigns.resume")
def resume(campaign_id: int, sender: str | None = None) -> str:
    """A paused campaign goes on, with `sender` from another line: see `campaigns.resume`."""
    return create_task.resume_campaign(campaign_id, sender=sender)


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
    campaign_id = create_task.create_campaign(
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


# The names that these tasks had before: a process of the earlier version may have published one, or may still do so.
for old_name, task in (("campaigns.heed_callbacks", confirm_callbacks), ("campaigns.hand_inbound", deliver_inbound)):
    app.task(task.run, name=old_name)
