"""All that is no campaign is the same, too, whether the gateway's HTTP status is its return code or always 200.

Stories told in both modes: see `modes` and test_both_modes.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import OtpState, SuppressionReason
from kavenegar_campaigns.errors import CampaignRefused, RequestRefused
from kavenegar_campaigns.rules.dates import TEHRAN
from kavenegar_campaigns.stages import account, sent_at_gateway
from kavenegar_campaigns.stages.otp.send import OtpOutcome, send_otp
from kavenegar_campaigns.stages.suppression import check_number, sync_lines
from kavenegar_campaigns.stages.verify import verify_campaign
from kavenegar_campaigns.store import suppressions
from tests.stages.inboxes import at_rest, crowd, line_added, missing
from tests.stages.modes import World, in_both_modes
from tests.world import SENDER, numbers, run_due_work, states

PRICE = 120


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


# ── what comes in, and who is left alone ──


@in_both_modes
def test_a_line_is_pulled_once_and_whole_and_whoever_opts_out_gets_nothing_more(world: World) -> None:
    context, sandbox = world.context, world.sandbox
    world.campaign(250)
    world.to_the_end(sent=250)
    line_added(context)
    sandbox.inject([{"line": SENDER, "sender": number, "text": "لغو۱۱", "age_s": 60} for number in numbers(3)])
    crowd(sandbox, 350)
    sandbox.arm("accept_then_drop", "sms/receive", skip=1, count=1)
    sandbox.arm("reordered", "sms/receive", count=1)
    sandbox.arm("code", "sms/inboxpaged", count=1, code=402)

    at_rest(context, sandbox)

    assert missing(world.engine, sandbox) == 0
    with world.engine.connect() as connection:
        linked = connection.execute(text("SELECT count(*) FROM sms.inbound WHERE campaign_id IS NOT NULL"))
        assert linked.scalar_one() == 3
        found = suppressions.find(connection, numbers(3))
    assert {each.reason for each in found.values()} <= {SuppressionReason.OPTED_OUT, SuppressionReason.BLOCKED}
    second = world.campaign(3, "باز هم سلام")
    run_due_work(context)
    assert states(world.engine, second) == {"suppressed": 3}


@in_both_modes
def test_the_block_lists_are_the_same_on_both_sides_in_the_end(world: World) -> None:
    context, sandbox = world.context, world.sandbox
    theirs, ours = numbers(450)[:200], numbers(450)[200:]
    sandbox.block(SENDER, *theirs, reason=2)
    with world.engine.begin() as connection:
        campaigns.suppress(connection, ours)
    for _ in range(8):
        sync_lines(context, [SENDER])
        sandbox.advance(hours=1)
    assert {each["number"] for each in sandbox.blocked()[SENDER]} == {*theirs, *ours}

    with world.engine.begin() as connection:
        assert campaigns.unsuppress(connection, ours[:60]) == 60
    (found,) = sync_lines(context, [SENDER])
    assert (found.removed, found.whole) == (60, True)
    assert {each["number"] for each in sandbox.blocked()[SENDER]} == {*theirs, *ours[60:]}
    (foreign,) = sync_lines(context, ["20001234"])
    assert "412" in foreign.trouble


@in_both_modes
def test_a_blocked_number_is_never_said_to_be_free(world: World) -> None:
    world.sandbox.block(SENDER, *numbers(20))
    found = [check_number(world.context, number, [SENDER])[0].blocked for number in numbers(20)]
    assert set(found) <= {True, None}


# ── one-time passwords ──


@in_both_modes
def test_a_one_time_password_leaves_once_and_one_whose_answer_is_short_is_unknown_for_good(world: World) -> None:
    asked = [_ordered(world, number) for number in numbers(25)]
    outcomes = {send_otp(world.context, otp_id) for otp_id in asked}
    assert outcomes == {OtpOutcome.ACCEPTED, OtpOutcome.UNKNOWN}
    for _ in range(10):
        world.sandbox.advance(minutes=5)
        run_due_work(world.context)

    summary = world.sandbox.summary()
    assert (summary["kinds"]["otp"], summary["most_copies_to_one_receptor"]) == (25, 1)
    found = [_state(world, otp_id) for otp_id in asked]
    assert OtpState.DELIVERED in found
    assert OtpState.UNKNOWN in found
    assert OtpState.ACCEPTED not in found


@in_both_modes
def test_a_one_time_password_that_is_refused_is_told_with_its_code_and_was_not_sent(world: World) -> None:
    refused = {424: {"template": "nobody"}, 607: {"tag": "nobody"}}
    for (code, options), number in zip(refused.items(), numbers(2), strict=True):
        otp_id = _ordered(world, number, **options)
        assert send_otp(world.context, otp_id) is OtpOutcome.REFUSED
        with world.engine.connect() as connection:
            assert campaigns.otp_state(connection, otp_id).refused_code == code
    for code, outcome in ((409, OtpOutcome.UNKNOWN), (451, OtpOutcome.PUT_OFF), (429, OtpOutcome.PUT_OFF)):
        world.sandbox.arm("code", "verify/lookup", count=3, code=code)
        assert send_otp(world.context, _ordered(world, numbers(code)[-1])) is outcome
        world.sandbox.disarm()
        world.forget_pauses()
    assert world.sandbox.summary()["messages"] == 0


def _ordered(world: World, number: str, **options: str) -> int:
    otp_request = {"number": number, "template": "verify", "token": "481516", "key": number, **options}
    with world.engine.begin() as connection:
        return campaigns.order_otp(connection, **otp_request)


def _state(world: World, otp_id: int) -> OtpState:
    with world.engine.connect() as connection:
        return campaigns.otp_state(connection, otp_id).state


# ── the account ──


@in_both_modes
def test_the_settings_of_the_account_are_read_and_written_and_what_is_refused_changes_nothing(world: World) -> None:
    context = world.context
    assert account.watch(context) == "well"
    assert account.configure(context, defaultsender="30002626", mincreditalarm=70_000).defaultsender == "30002626"
    with pytest.raises(CampaignRefused) as why:
        account.configure(context, defaultsender="20001234")
    assert why.value.code == 412
    assert account.fetch_settings(context).defaultsender == "30002626"
    account.configure(context, debugmode=True)
    assert account.watch(context) == "debug mode"


@in_both_modes
def test_the_gateways_own_counts_and_listings_are_read(world: World) -> None:
    context, sandbox = world.context, world.sandbox
    _at_noon(world)
    with pytest.raises(RequestRefused) as why:
        sent_at_gateway.latest_sent(context, count=10)
    assert why.value.code == 407
    sandbox.turn(ip_registered=True, omit_share=0)
    assert sent_at_gateway.latest_sent(context, count=10) == []  # which is 449

    campaign = world.campaign(250)
    run_due_work(context)
    today = sent_at_gateway.keep_ledger(context)[0]
    assert today.gateway == today.ours == sent_at_gateway.Counted(250, 250, 250 * PRICE)
    found = list(
        sent_at_gateway.sent_between(context, context.now() - timedelta(hours=1), context.now() + timedelta(seconds=1))
    )
    assert {each.campaign_id for each in found} == {campaign}
    assert len({each.message.receptor for each in found}) == 250
    start = context.now() - timedelta(hours=1)
    assert len(sent_at_gateway.sent_to_number(context, numbers(1)[0], start=start)) == 1
    assert sent_at_gateway.sent_to_number(context, "09125550000", start=start) == []
    assert [each.name for each in verify_campaign(context, campaign).checks if each.holds is False] == []


def _at_noon(world: World) -> None:
    """Noon in Tehran: what is sent and counted now is of one day."""
    now = world.context.now().astimezone(TEHRAN)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    world.sandbox.advance(seconds=((noon - now) % timedelta(days=1)).total_seconds())
