"""Every public function refuses every wrong argument with a sentence, and the caller's transaction goes on."""

from __future__ import annotations

import inspect
import io
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import pytest
from django.utils.functional import lazystr
from sqlalchemy import Connection, Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput
from kavenegar_campaigns.rules.arguments import checked
from kavenegar_campaigns.rules.message_options import MessageOptionArgs
from kavenegar_campaigns.stages.intake.sources import TableOptions
from tests.world import SENDER

SECRET: Final = "918273645546372819"
"""Stands in the wrong values; no sentence may show it."""


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def _fails() -> str:
    raise LookupError(SECRET)


def _failing_lazy() -> Any:
    from django.utils.functional import lazy

    return lazy(_fails, str)()


class _Other:
    """An object that is nothing of what anybody wants, and cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError(SECRET)

    __str__ = __repr__


class _Miscounted:
    """An index that is none."""

    def __index__(self) -> int:
        raise LookupError(SECRET)


class _Lie(str):
    """A text whose own methods fail."""

    __slots__ = ()

    def __str__(self) -> str:
        raise LookupError(SECRET)

    strip = isidentifier = casefold = __str__


class Plan(str, Enum):  # noqa: UP042 - a StrEnum's `str()` is its value, this one's is "Plan.GOLD"
    """What a shop chooses texts by."""

    GOLD = "gold"


WRONG: Final[dict[str, Any]] = {
    "none": None,
    "int": 7,
    "zero": 0,
    "negative": -1,
    "int8 and one": 2**63,
    "an endless int": 10**5000,
    "bool": True,
    "float": 1.5,
    "nan": float("nan"),
    "decimal": Decimal(7),
    "str": f"x {SECRET}",
    "nul": "a\0b",
    "surrogate": "a\ud800b",
    "bytes": SECRET.encode(),
    "list": [SECRET],
    "tuple": (SECRET, 1),
    "dict": {SECRET: SECRET},
    "set": {SECRET},
    "naive": datetime(2030, 1, 1),  # noqa: DTZ001
    "the end of time": datetime.max.replace(tzinfo=UTC),
    "the beginning of time": datetime.min.replace(tzinfo=UTC),
    "date": date(2030, 1, 1),
    "timedelta": timedelta(minutes=-1),
    "a class": str,
    "a function": _fails,
    "a failing lazy": _failing_lazy(),
    "an object": _Other(),
    "an index that fails": _Miscounted(),
}

_NO_TEXTS: Final = frozenset(WRONG) - {"str", "nul", "surrogate"}
_NO_IDS: Final = frozenset(WRONG) - {"int"}


def _wrong_for(function: str, name: str, annotation: str) -> frozenset[str]:
    """The names of the values that are wrong for a parameter. A parameter of a new kind fails here."""
    if name == "recipients":
        found = frozenset(WRONG) - {"set", "tuple", "list", "str", "nul", "surrogate"}  # items, and names of files
    elif name in {"bind", "number", "out"}:
        found = frozenset(WRONG)
    elif name == "numbers":
        found = frozenset(WRONG) - {"set", "tuple", "list"}
    elif annotation.startswith("str"):
        found = frozenset(WRONG) if name == "file_format" else _NO_TEXTS
        found |= {"nul", "surrogate"} if name in {"key", "reason", "source", "line", "name"} else frozenset()
        found -= {"int", "zero"} if name == "message_type" else frozenset()
    elif annotation.startswith("int"):
        allowed = {"limit": {"int", "zero"}, "header_row": set(WRONG), "repeat": {"int", "zero"}}
        found = _NO_IDS - allowed.get(name, {"int"})
    elif annotation.startswith("bool"):
        found = frozenset(WRONG) - {"bool"}
    elif annotation.startswith(("datetime", "timedelta", "PaceView")):
        found = frozenset(WRONG)
    else:
        raise AssertionError(f"{function}({name}: {annotation}): say which values are wrong for it")
    return found - {"none"} if "None" in annotation else found


def functions() -> dict[str, Callable[..., Any]]:
    return {
        name: each
        for name in campaigns.__all__
        if inspect.isfunction(each := getattr(campaigns, name)) and not isinstance(each, type)
    }


def parameters(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """The name and the annotation of every parameter, those of the messages' options too."""
    for name, each in inspect.signature(function).parameters.items():
        if each.kind is each.VAR_KEYWORD:
            further = MessageOptionArgs if "MessageOptionArgs" in str(each.annotation) else TableOptions
            yield from ((option, _spelled(kind)) for option, kind in typing.get_type_hints(further).items())
        else:
            yield name, str(each.annotation)


def _spelled(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


CASES: Final = [
    (function, name, value)
    for function, each in functions().items()
    for name, annotation in parameters(each)
    for value in sorted(_wrong_for(function, name, annotation))
]


def _right(connection: Connection) -> dict[str, Any]:
    """A right value for every parameter that has to be given."""
    campaign = campaigns.create(connection, recipients=["09121234567"], text="سلام", sender=SENDER, key="given")
    return {
        "bind": connection,
        "campaign_id": campaign,
        "inbound_id": 1,
        "recipients": ["09121234567"],
        "text": "سلام",
        "sender": SENDER,
        "number": "09121234567",
        "numbers": ["09121234567"],
        "template": "login",
        "token": "12345",
        "key": "given",
        "out": io.StringIO(),
    }


def _call(name: str, right: dict[str, Any], /, **wrong: Any) -> Any:
    function = functions()[name]
    needed = {
        each.name: right[each.name]
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    }
    also = {"sender": SENDER} if name == "create" else {}
    return function(**{**also, **needed, **wrong})


def test_the_walk_meets_every_public_function() -> None:
    assert {function for function, _, _ in CASES} == set(functions())
    assert len(functions()) >= 23


@pytest.mark.parametrize("function", functions())
def test_wrong_arguments_are_bad_input_and_the_transaction_goes_on(function: str, engine: Engine) -> None:
    failed = []
    with engine.begin() as connection:
        right = _right(connection)
        for _, name, value in (case for case in CASES if case[0] == function):
            try:
                _call(function, right, **{name: WRONG[value]})
                failed.append(f"{name}={value}: nothing was raised")
            except BadInput as why:
                sentence = str(why)
                if SECRET in sentence or len(sentence) > 600:
                    failed.append(f"{name}={value}: it shows too much: {sentence[:200]}")
                spoken = {"message_type": "type", "file_format": "format", "bind": "transaction", "out": "file"}
                if name not in sentence and spoken.get(name, name) not in sentence:
                    failed.append(f"{name}={value}: it does not name the argument: {sentence}")
            if name != "bind":
                assert connection.execute(text("SELECT 1")).scalar_one() == 1
        connection.rollback()
    assert not failed, "\n".join(failed)


def test_a_public_function_with_an_unknown_parameter_cannot_be_defined() -> None:
    with pytest.raises(KeyError, match="surprise"):

        @checked
        def function(bind: object, surprise: int) -> None: ...


def test_a_missing_or_unknown_argument_is_the_type_error_of_python(engine: Engine) -> None:
    with engine.begin() as connection:
        with pytest.raises(TypeError, match=r"create\(\) missing 1 required keyword-only argument: 'text'"):
            campaigns.create(connection, recipients=[])  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="colour"):
            campaigns.start(connection, 1, colour="red")  # type: ignore[call-arg]


def test_sentences_name_the_argument_the_value_and_what_would_be_right(engine: Engine) -> None:
    with engine.begin() as connection:
        for call, sentence in [
            (lambda: campaigns.get(connection, "12"), 'campaign_id has to be an id, .* above 0, not "12"'),
            (lambda: campaigns.get(connection, 2**63), "not an int of 64 bits"),
            (lambda: campaigns.newest(connection, limit=-1), r"limit has to be a whole number from 0 to .*, not -1"),
            (lambda: campaigns.pause(connection, 1, reason=b"x"), r"reason has to be a text \(str\), not a bytes"),
            (lambda: campaigns.suppress(connection, "09121234567"), "numbers has to be a list of .*, not a str"),
            (lambda: campaigns.suppress(connection, [None]), "numbers, item 1 has to be a telephone number"),
            (lambda: campaigns.start(connection, 1, at="2030-01-01"), "at has to be a datetime with a time zone"),
        ]:
            with pytest.raises(BadInput, match=sentence):
                call()


def test_texts_of_a_lazy_translation_are_texts_wherever_one_is_taken(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(
            connection,
            recipients=[{"number": "09121234567", "name": lazystr("سارا")}],
            text=lazystr("سلام {name}"),
            name=lazystr("یلدا"),
            sender=lazystr(SENDER),
        )
        campaigns.start(connection, campaign)
        campaigns.pause(connection, campaign, reason=lazystr("فردا"))

        found = campaigns.get(connection, campaign)
        assert (found.name, found.template, found.sender) == ("یلدا", "سلام {name}", SENDER)
        assert found.hold_reason == "فردا"
        assert campaigns.preview(connection, campaign).first_text == "سلام سارا"
        connection.rollback()


def test_an_enum_that_is_a_text_counts_by_its_value_wherever_a_text_is_taken(engine: Engine) -> None:
    with engine.connect() as connection:
        otp = campaigns.order_otp(
            connection, number="09121234567", template=Plan.GOLD, token=Plan.GOLD, key=Plan.GOLD, tag=Plan.GOLD
        )
        campaigns.create(
            connection, recipients=["09121234567"], text=Plan.GOLD, sender=SENDER, key=Plan.GOLD, name=Plan.GOLD
        )
        campaigns.suppress(connection, ["09121234568"], reason=Plan.GOLD, source=Plan.GOLD)

        stored = connection.execute(text("SELECT client_key, template, tag, tokens FROM sms.otps")).one()
        assert stored == ("gold", "gold", "gold", {"token": "gold"})
        assert campaigns.otp_state(connection, key="gold").id == otp
        found = campaigns.by_key(connection, "gold")
        assert found is not None
        assert (found.name, found.template, found.client_key) == ("gold", "gold", "gold")
        why = campaigns.suppressed(connection, "09121234568")
        assert why is not None
        assert (why.reason, why.source) == ("gold", "gold")


def test_a_text_whose_own_methods_fail_is_the_text_that_it_holds(engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(BadInput, match='"x"'):
            campaigns.progress(connection, _Lie("x"))
        with pytest.raises(BadInput, match="mobile"):
            campaigns.suppressed(connection, _Lie("x"))
