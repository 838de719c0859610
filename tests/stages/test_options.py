"""What goes along with every message of a campaign: asked for, checked, kept, and said to the gateway."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput, KeyConflict
from kavenegar_campaigns.rules.message_options import (
    DEFAULT_OPTIONS,
    MESSAGE_TYPES,
    MessageOptions,
    parse_message_options,
)
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from tests.kavenegar.scripted_server import ScriptedServer
from tests.stages.recipients import PEOPLE, make
from tests.world import SENDER, Sandbox, batch_ids, numbers, run_due_work, states

TYPED_LINE = "30002626"
OPTIONS: dict[str, Any] = {"tag": "spring-1404", "policy": "آرام", "hide": True, "message_type": "flash"}


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def started(engine: Engine, count: int = 2, words: str = "سلام", **options: Any) -> int:
    """A campaign that runs. Each recipient has a value for `{name}`."""
    recipients = [(number, {"name": f"نام {place}"}) for place, number in enumerate(numbers(count))]
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=recipients, text=words, **options)
        campaigns.start(connection, campaign)
    return campaign


def asked(context: Context, engine: Engine, server: ScriptedServer, **options: Any) -> dict[str, str]:
    """What the gateway is asked for by the only batch of such a campaign."""
    server.will(server.answer(451))
    (only,) = batch_ids(engine, started(engine, **options))
    assert submit.send_batch(context, only) is Outcome.PUT_OFF
    return server.received[-1].form


# ── said to the gateway ──


def test_everything_goes_along_with_one_text_for_all(scripted: Context, engine: Engine, server: ScriptedServer) -> None:
    said = asked(scripted, engine, server, sender=TYPED_LINE, **OPTIONS)
    assert server.received[-1].path.endswith("/sms/send.json")
    assert {name: said[name] for name in ("tag", "policy", "hide", "type", "sender")} == {
        "tag": "spring-1404", "policy": "آرام", "hide": "1", "type": "0", "sender": TYPED_LINE,
    }  # fmt: skip


def test_everything_goes_along_with_texts_that_differ(
    scripted: Context, engine: Engine, server: ScriptedServer
) -> None:
    said = asked(scripted, engine, server, sender=TYPED_LINE, words="سلام {name}", **OPTIONS)
    assert server.received[-1].path.endswith("/sms/sendarray.json")
    assert (said["tag"], said["policy"], said["hide"]) == ("spring-1404", "آرام", "1")
    assert json.loads(said["type"]) == [0, 0]


def test_a_call_says_how_often_and_under_which_tag_and_names_no_line(
    scripted: Context, engine: Engine, server: ScriptedServer
) -> None:
    said = asked(scripted, engine, server, kind="voice", repeat=3, tag="spring")
    assert server.received[-1].path.endswith("/call/maketts.json")
    assert (said.pop("repeat"), said.pop("tag")) == ("3", "spring")
    assert set(said) == {"receptor", "message", "localid"}


def test_nothing_goes_along_that_nobody_asked_for(scripted: Context, engine: Engine, server: ScriptedServer) -> None:
    assert set(asked(scripted, engine, server, sender=SENDER)) == {"receptor", "message", "sender", "localid"}


def test_the_gateway_keeps_what_went_along(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(tags=["spring-1404"])
    campaign = started(engine, sender=TYPED_LINE, **OPTIONS)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 2}
    with engine.connect() as connection:
        localids = connection.execute(text("SELECT string_agg(id::text, ',') FROM sms.messages")).scalar_one()
    kept = sandbox._get(f"ledger?localids={localids}")["messages"]
    assert {(each["tag"], each["policy"], each["hidden"], each["display"]) for each in kept} == {
        ("spring-1404", "آرام", True, 0)
    }


def test_a_tag_that_nobody_made_pauses_the_campaign_and_nothing_is_lost(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = started(engine, sender=SENDER, tag="winter")
    run_due_work(context)
    with engine.connect() as connection:
        held = campaigns.get(connection, campaign)
    assert (held.state, held.hold_code) == (CampaignState.PAUSED, 607)

    sandbox.turn(tags=["winter"])
    with engine.begin() as connection:
        campaigns.resume(connection, campaign)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 2}


# ── kept ──


def test_a_campaign_tells_what_goes_along(engine: Engine) -> None:
    with engine.begin() as connection:
        sms = campaigns.get(connection, make(connection, sender=TYPED_LINE, **OPTIONS))
        call = campaigns.get(connection, make(connection, sender=None, kind="voice", repeat=0))
        plain = campaigns.get(connection, make(connection))
    assert (sms.kind, sms.tag, sms.policy, sms.hide, sms.message_type) == ("sms", "spring-1404", "آرام", True, 0)
    assert (call.kind, call.repeat, call.sender) == ("voice", 0, "")
    assert MessageOptions(*(getattr(plain, name) for name in MessageOptions.__slots__)) == DEFAULT_OPTIONS


# ── checked ──


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "fax"}, "sms or voice"),
        ({"tag": ""}, "a tag"),
        ({"tag": "two words"}, "a tag"),
        ({"tag": "بهار"}, "a tag"),
        ({"tag": "a" * 201}, "a tag"),
        ({"tag": "spring\n"}, "a tag"),
        ({"policy": " "}, "a policy"),
        ({"policy": "a\nb"}, "a policy"),
        ({"repeat": 2}, "an SMS cannot carry repeat"),
        ({"repeat": 0}, "an SMS cannot carry repeat"),
        ({"kind": "voice", "sender": None, "repeat": 6}, "0 to 5"),
        ({"kind": "voice", "sender": None, "repeat": -1}, "0 to 5"),
        ({"kind": "voice", "sender": None, "hide": True, "policy": "p"}, "a call cannot carry policy and hide"),
        ({"kind": "voice", "sender": None, "message_type": 0}, "a call cannot carry type"),
        ({"kind": "voice"}, "a call takes no sender"),
        ({"sender": None}, "there is no sender"),
        ({"message_type": "loud", "sender": TYPED_LINE}, "flash, normal, sim, app"),
        ({"message_type": 4, "sender": TYPED_LINE}, "0 to 3"),
        ({"message_type": "flash"}, "begin with 3000"),
        ({"message_type": 1}, "begin with 3000"),
    ],
    ids=str,
)
def test_what_cannot_go_along_is_bad_input_that_says_what_can(
    engine: Engine, options: dict[str, Any], sentence: str
) -> None:
    with engine.begin() as connection:
        with pytest.raises(BadInput, match=sentence):
            campaigns.create(connection, **{"recipients": numbers(1), "text": "سلام", "sender": SENDER, **options})
        assert campaigns.newest(connection) == []


def test_a_type_is_a_word_or_its_number() -> None:
    assert [parse_message_options(message_type=word).message_type for word in MESSAGE_TYPES] == [0, 1, 2, 3]
    assert [parse_message_options(message_type=number).message_type for number in range(4)] == [0, 1, 2, 3]


# ── the key covers it ──


def test_a_campaign_created_before_there_were_options_has_the_digest_it_had(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = make(connection)
        found = connection.execute(text("SELECT content_digest FROM sms.campaigns WHERE id = :id"), {"id": campaign})
        assert bytes(found.scalar_one()).hex() == "de1eecbe5cb059d7eea8373860aa7971ea38a36b2dffc613c9625c33a411eb19"


@pytest.mark.parametrize(
    "other",
    [
        {"tag": "summer"},
        {"policy": "other"},
        {"policy": None},
        {"hide": False},
        {"message_type": "sim"},
        {"tag": None, "policy": None, "hide": False, "message_type": None},
        {"kind": "voice", "policy": None, "hide": False, "message_type": None},
    ],
    ids=str,
)
def test_the_same_key_with_something_else_going_along_is_a_conflict(engine: Engine, other: dict[str, Any]) -> None:
    def made(given: dict[str, Any]) -> int:
        line = None if given.get("kind") == "voice" else TYPED_LINE
        with engine.begin() as connection:
            return make(connection, recipients=io.StringIO(PEOPLE), sender=line, key="spring", **given)

    first = made(OPTIONS)
    assert made(OPTIONS) == first
    with pytest.raises(KeyConflict, match=f"campaign {first}.*options"):
        made(OPTIONS | other)


def test_no_two_manners_are_spelled_the_same() -> None:
    given = [
        {},
        {"tag": "a"},
        {"policy": "a"},
        {"tag": "a", "policy": "a"},
        {"tag": "apolicy", "policy": "a"},
        {"hide": True},
        {"message_type": 0},
        {"message_type": 1},
        {"kind": "voice"},
        {"kind": "voice", "repeat": 0},
        {"kind": "voice", "repeat": 1},
        {"kind": "voice", "tag": "a"},
    ]
    assert len({parse_message_options(**each).fingerprint for each in given}) == len(given)  # type: ignore[arg-type]
    assert DEFAULT_OPTIONS.fingerprint == ""
