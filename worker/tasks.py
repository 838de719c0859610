"""The Celery tasks. Each takes an id and returns a short summary. A task that runs twice does no harm."""

from __future__ import annotations

from datetime import datetime

from kavenegar_campaigns.api import work
from kavenegar_worker import create_task, wiring
from kavenegar_worker.app import FailureEventsOnly, app
from kavenegar_worker.inbound_delivery import deliver_due
from kavenegar_worker.queues import Publisher


@app.task(name="campaigns.tick", base=FailureEventsOnly)
def tick() -> str:
    """Enqueue the tasks of due work. Beat publishes this task every second."""
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
    """Enqueue the chores that are due. Beat publishes this task every few seconds."""
    found, publish = work.claim_chores(wiring.context()), Publisher()
    publish(watch_account, [()] * found.watch)
    publish(keep_ledger, [()] * found.ledger)
    publish(sync_suppressions, [(line,) for line in found.blocklists])
    return found.summary


@app.task(name="campaigns.send_batch")
def send_batch(batch_id: int) -> str:
    """Send one due batch. The claim decides whether it is due."""
    return work.send_batch(wiring.recognised_context(), batch_id)


@app.task(name="campaigns.resolve_batch")
def resolve_batch(batch_id: int) -> str:
    """Resolve one batch whose outcome is unknown. The claim decides whether it is due."""
    return work.resolve_batch(wiring.recognised_context(), batch_id)


@app.task(name="campaigns.withdraw_batch")
def withdraw_batch(batch_id: int) -> str:
    """Withdraw one batch of a cancelled campaign, which the gateway holds until its date."""
    return work.withdraw_batch(wiring.context(), batch_id).summary


@app.task(name="campaigns.poll_statuses")
def poll_statuses(closing: bool = False) -> str:
    """Poll the statuses of up to 500 messages; `closing`: some windows are about to close. The claim decides."""
    return work.poll_statuses(wiring.context(), closing=closing).summary


@app.task(name="campaigns.confirm_callbacks")
def confirm_callbacks() -> str:
    """Confirm recorded callbacks with the gateway. The claim decides which worker confirms which callback."""
    return work.process_callbacks(wiring.context()).summary


@app.task(name="campaigns.check_database")
def check_database() -> str:
    """Check, after a restart of the database, with the gateway that no row was lost. Sending waits for the check."""
    return work.check_restart(wiring.context())


@app.task(name="campaigns.check_account")
def check_account() -> str:
    """Check whether an account on hold may send again."""
    return work.recheck_hold(wiring.context())


@app.task(name="campaigns.watch_account")
def watch_account() -> str:
    """Check the account's credit and settings."""
    return work.watch_account(wiring.context())


@app.task(name="campaigns.keep_ledger")
def keep_ledger() -> str:
    """Count the last days in the account's ledger."""
    return f"{len(work.keep_ledger(wiring.context()))} days counted"


@app.task(name="campaigns.send_otp")
def send_otp(otp_id: int) -> str:
    """Send one due one-time password. The claim decides. The password is in the database, never in the task."""
    return work.send_otp(wiring.context(), otp_id)


@app.task(name="campaigns.follow_otps")
def follow_otps() -> str:
    """Poll the verdicts of one-time passwords, and order the voice calls that follow some of them."""
    followed = work.follow_otps(wiring.context())
    Publisher()(send_otp, [(otp_id,) for otp_id in followed.calls])
    return followed.summary


@app.task(name="campaigns.sync_suppressions")
def sync_suppressions(line: str) -> str:
    """Synchronise a line's block list at the gateway with our suppressions. The claim decides."""
    return work.sync_due_line(wiring.context(), line).summary


@app.task(name="campaigns.pull_inbox")
def pull_inbox(line: str) -> str:
    """Pull a line's inbound messages. The claim decides. A line with more messages is enqueued again in its turn."""
    return work.pull_line(wiring.context(), line).summary


@app.task(name="campaigns.deliver_inbound")
def deliver_inbound() -> str:
    """Deliver due inbound messages to the user's code."""
    return deliver_due(wiring.context())


@app.task(name="campaigns.resume")
def resume(campaign_id: int, sender: str | None = None) -> str:
    """Resume a paused campaign; `sender` moves it to another line. See `campaigns.resume`."""
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
    """Create a campaign from files in INTAKE_FOLDER, for apps that only speak Celery.

    `recipients` and `text_file` are names of files in that folder: numbers and texts never travel through the broker.
    `key` is the caller's own name for the campaign; publishing the task twice with one key does no harm. `kind` is
    "sms" or "voice". `start_at` may be text: `2026-12-01T10:00+03:30`. Other arguments are as in `campaigns.create`.
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


# Earlier names of two tasks: a process of the earlier version may have published one, or may still publish it. Their
# functions are not taken out of the tasks above: that would finish the app, and read its settings, at import.


@app.task(name="campaigns.heed_callbacks")
def confirm_callbacks_by_its_old_name() -> str:
    """Confirm recorded callbacks with the gateway."""
    return str(confirm_callbacks.run())


@app.task(name="campaigns.hand_inbound")
def deliver_inbound_by_its_old_name() -> str:
    """Deliver due inbound messages to the user's code."""
    return str(deliver_inbound.run())
