"""A key of another account: what left under the old one is not taken for never sent, and nobody gets two messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.stages import account, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.stages.verify import verify_campaign
from kavenegar_campaigns.store import identity
from tests.world import Sandbox, batch_ids, run_due_work, running, states

OTHER = "key-of-another-account"


@pytest.fixture(params=[True, False], ids=["dedupe", "no dedupe"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A gateway with two accounts, whose operators take a day."""
    with Sandbox.start(other_keys=[OTHER], dedupe=request.param, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


@pytest.fixture
def engine(emptied: Engine) -> Iterator[Engine]:
    """A database in which no key has ever been used."""
    with emptied.begin() as connection:
        connection.execute(text("CREATE TABLE keys AS TABLE sms.accounts"))
        connection.execute(text("DELETE FROM sms.accounts"))
    yield emptied
    with emptied.begin() as connection:
        connection.execute(text("TRUNCATE sms.accounts"))
        connection.execute(text("INSERT INTO sms.accounts TABLE keys"))
        connection.execute(text("DROP TABLE keys"))


@pytest.fixture
def other(context: Context, sandbox: Sandbox) -> Iterator[Context]:
    """The same context, restarted under another key."""
    with closing(Client(OTHER, sandbox.url, deadline_s=15.0)) as client:
        yield replace(context, gateway=PacedClient(client, context.pace))


def number(context: Context, key: Context) -> int | None:
    return context.database(identity.account_of_key, key.account)


def unanswered(context: Context, engine: Engine, sandbox: Sandbox, *, known: int) -> tuple[int, int]:
    """(campaign, batch): the last batch of a campaign got no answer; `known` batches before it were accepted."""
    assert account.recognise_key(context)
    campaign = running(engine, 200 * (known + 1))
    *before, last = batch_ids(engine, campaign)
    assert [submit.send_batch(context, batch) for batch in before] == [Outcome.ACCEPTED] * known
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.send_batch(context, last) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)
    return campaign, last


def sent_in_all(sandbox: Sandbox) -> int:
    summary = sandbox.summary()
    found: int = summary["messages"] + sum(summary["other_accounts"])
    return found


@pytest.mark.parametrize("known", [0, 1], ids=["nothing was ever accepted", "a batch was accepted before"])
def test_what_was_unanswered_under_one_account_is_not_sent_from_another(
    context: Context, other: Context, engine: Engine, sandbox: Sandbox, known: int
) -> None:
    campaign, batch = unanswered(context, engine, sandbox, known=known)

    for _ in range(4):
        run_due_work(other)
        sandbox.advance(seconds=91)
    assert submit.resolve_batch(other, batch) is Outcome.NOT_DUE
    assert states(engine, campaign).get("pending") == 200
    assert sent_in_all(sandbox) == 200 * (known + 1)
    stranded = context.database(identity.stranded_batches, other.account)
    assert stranded is not None
    assert (stranded.batches, stranded.messages) == (1, 200)

    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200 * (known + 1)}
    assert sent_in_all(sandbox) == 200 * (known + 1)
    assert context.database(identity.stranded_batches, other.account) is None


def test_past_the_window_it_is_uncertain_whoever_finds_it(
    context: Context, other: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign, _ = unanswered(context, engine, sandbox, known=1)
    run_due_work(other)
    sandbox.advance(hours=12)
    run_due_work(other)
    assert states(engine, campaign) == {"accepted": 200, "uncertain": 200}
    assert sent_in_all(sandbox) == 400


def test_what_never_left_leaves_under_the_new_account(
    context: Context, other: Context, engine: Engine, sandbox: Sandbox
) -> None:
    account.recognise_key(context)
    campaign = running(engine, 400)
    first, _ = batch_ids(engine, campaign)
    assert submit.send_batch(context, first) is Outcome.ACCEPTED
    sandbox.advance(seconds=11)
    run_due_work(other)
    assert states(engine, campaign) == {"accepted": 400}
    summary = sandbox.summary()
    assert (summary["messages"], summary["other_accounts"]) == (200, [200])
    assert number(context, other) == 2


def test_a_new_key_of_the_same_account_goes_on_where_the_old_one_stopped(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The sandbox has one key an account: the new key stands for itself here, and the old one's label is lost."""
    campaign, _ = unanswered(context, engine, sandbox, known=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.accounts SET label = 'the old key of the same account'"))

    run_due_work(context)

    assert states(engine, campaign) == {"accepted": 400}
    assert number(context, context) == identity.FIRST_ACCOUNT
    assert sent_in_all(sandbox) == 400


def test_nothing_leaves_under_a_key_that_nobody_could_ask_about(
    context: Context, other: Context, engine: Engine, sandbox: Sandbox
) -> None:
    unanswered(context, engine, sandbox, known=1)
    fresh = running(engine, 200, text="تازه")
    sandbox.arm("http_5xx_html_before", "sms/statuslocalmessageid", count=2)
    run_due_work(other)
    assert number(context, other) is None
    assert submit.send_batch(other, batch_ids(engine, fresh)[0]) is Outcome.NOT_DUE
    sandbox.advance(seconds=11)
    run_due_work(other)
    assert number(context, other) == 2
    assert states(engine, fresh) == {"accepted": 200}


def test_an_answer_that_leaves_out_every_row_does_not_make_a_key_anothers(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    unanswered(context, engine, sandbox, known=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.accounts SET label = 'the old key of the same account'"))
    sandbox.arm("missing_rows", "sms/statuslocalmessageid", count=2, rows=200)
    assert not account.recognise_key(context)
    sandbox.disarm()
    sandbox.advance(seconds=11)
    assert account.recognise_key(context)
    assert number(context, context) == identity.FIRST_ACCOUNT


def test_the_outbox_is_held_against_what_left_under_its_own_account(
    context: Context, other: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A record with a lie in it: what left under the first account is said to have left under the second."""
    account.recognise_key(context)
    campaign = running(engine, 200)
    assert submit.send_batch(context, *batch_ids(engine, campaign)) is Outcome.ACCEPTED
    account.recognise_key(other)
    assert verify_campaign(context, campaign).true
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET account = 2"))
    wrong = [check.name for check in verify_campaign(context, campaign).checks if check.holds is False]
    assert wrong == ["outbox at the gateway"]
