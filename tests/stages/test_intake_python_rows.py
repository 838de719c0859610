"""Recipients out of Python: rows of SQLAlchemy, named and nameless tuples, phone numbers, lazy texts, and mistakes."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import phonenumbers
import pytest
from django.utils.functional import lazy, lazystr
from sqlalchemy import Engine, literal, select, text, union_all
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import python_rows
from tests.stages.recipients import TEXT, make, numbers, one, sift

SARA, ALI = "09121234567", "09351234567"
BOTH = [(1, SARA, "سلام سارا"), (2, ALI, "سلام علی")]


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


class Person(NamedTuple):
    phone: str
    name: str


class Listing(NamedTuple):
    name: object
    mobile: object


class _Base(DeclarativeBase):
    pass


class Customer(_Base):
    __tablename__ = "customers"
    phone: Mapped[str] = mapped_column(primary_key=True)


PEOPLE = union_all(
    select(literal(SARA).label("phone"), literal("سارا").label("name")),
    select(literal(ALI).label("phone"), literal("علی").label("name")),
).subquery()


@pytest.mark.parametrize(
    "recipients",
    [
        [(SARA, "سارا"), (ALI, "علی")],
        [[SARA, "سارا"], [ALI, "علی"]],
        iter([(SARA, "سارا"), (ALI, "علی")]),
        [Person(SARA, "سارا"), Person(ALI, "علی")],
        [Listing("سارا", SARA), Listing("علی", ALI)],
        [Listing(lazystr("سارا"), lazystr(SARA)), Listing(lazystr("علی"), lazystr(ALI))],
        [(int(SARA), {"name": "سارا"}), (989351234567, {"name": lazystr("علی")})],
        {SARA: {"name": "سارا"}, ALI: {"name": "علی"}}.items(),
    ],
    ids=["pairs", "lists", "a generator", "named", "named otherwise", "lazy", "numbers and mappings", "items"],
)
def test_pairs_rows_and_mappings_are_a_number_and_its_values(recipients: Any) -> None:
    assert sift(recipients, TEXT) == (BOTH, [])


def test_rows_of_sqlalchemy_are_known_by_the_names_of_their_columns(engine: Engine) -> None:
    turned = select(PEOPLE.c.name, PEOPLE.c.phone)
    with engine.connect() as connection:
        assert sift(connection.execute(select(PEOPLE)), TEXT) == (BOTH, [])
        assert sift(connection.execute(turned), TEXT) == (BOTH, [])
        assert sift(connection.execute(turned).all(), TEXT) == (BOTH, [])
        assert sift(connection.execute(turned).mappings(), TEXT) == (BOTH, [])
        alone = [(row_no, number, None) for row_no, number, _ in BOTH]
        assert sift(connection.execute(select(PEOPLE.c.phone))) == (alone, [])
        assert sift(connection.scalars(select(PEOPLE.c.phone))) == (alone, [])


def test_rows_may_be_read_from_the_connection_that_the_campaign_is_written_on(engine: Engine) -> None:
    many = python_rows.LOOK_AHEAD * 50
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT '0912' || lpad(at::text, 7, '0') AS phone FROM generate_series(1, :many) AS at"),
            {"many": many},
            execution_options={"yield_per": 100},
        )
        campaign = make(connection, rows, text="سلام")

    with engine.connect() as connection:
        assert tuple(one(connection, "SELECT messages FROM sms.campaigns WHERE id = :id", id=campaign)) == (many,)


def test_a_phone_number_of_phonenumbers_is_a_number() -> None:
    messages, rejects = sift([phonenumbers.parse(each, "IR") for each in (SARA, "+98 935 123 4567", "02188776655")])

    assert [number for _, number, _ in messages] == [SARA, ALI]
    [landline] = rejects
    assert (landline.row_no, landline.reason[:47]) == (3, '"+982***6655" is no mobile number, it is a land')


def test_what_is_no_text_is_never_sent_as_one() -> None:
    def fail() -> str:
        raise LookupError("no such word")

    values = [b"x", ["x"], {"x": 1}, {"x"}, lazy(fail, str)(), SimpleNamespace(x=1), object()]
    messages, rejects = sift(
        [{"number": SARA, "name": "x"}, *({"number": SARA, "name": each} for each in values)], TEXT
    )

    assert [row_no for row_no, _, _ in messages] == [1]
    assert [each.reason for each in rejects] == [
        "{name}: a bytes is no text: give a str",
        "{name}: a list is no text: give a str",
        "{name}: a dict is no text: give a str",
        "{name}: a set is no text: give a str",
        "{name}: a __proxy__ cannot be made a text (LookupError): give a str",
        "{name}: a SimpleNamespace is no text: give a str",
        "{name}: a object is no text: give a str",
    ]


class _Frame:
    """As pandas has it: iterating gives the columns."""

    def itertuples(self) -> None: ...

    def __iter__(self) -> Iterator[str]:
        return iter(["phone"])


async def _asynchronous() -> AsyncIterator[str]:
    yield SARA


@pytest.mark.parametrize(
    ("recipients", "words", "sentence"),
    [
        (
            [(SARA, "سارا", "شیراز")],
            TEXT,
            r'a tuple of 3 values without names: give mappings, .*\.values\("phone", "name"\)',
        ),
        (
            [(SARA, "سارا")],
            "{a} {b}",
            "a tuple of two has one value without a name, and the text has several: give map",
        ),
        (
            [Customer(phone=SARA)],
            "سلام",
            r'a recipient cannot be a Customer: name the field .*values_list\("phone", flat',
        ),
        ([SimpleNamespace(phone=SARA)], "سلام", "a recipient cannot be a SimpleNamespace: name the field"),
        ({SARA: {"name": "سارا"}}, TEXT, r"recipients cannot be one dict: give a list of mappings, or its \.items\(\)"),
        ({"number": SARA}, "سلام", "recipients cannot be one dict"),
        (SARA.encode(), "سلام", r"recipients cannot be a bytes: give io\.BytesIO"),
        (_Frame(), "سلام", r'recipients cannot be a _Frame, .*: give its \.to_dict\("records"\)'),
        (_asynchronous(), "سلام", "recipients cannot be a async_generator, which is async: collect its items first"),
        (lazystr(SARA), "سلام", "recipients cannot be a __proxy__: give a path"),
        (select(PEOPLE), "سلام", "recipients cannot be a Select: give a path, an open file or an iterable"),
    ],
)
def test_what_cannot_be_recipients_is_refused_with_what_would_be_right(
    recipients: Any, words: str, sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        sift(recipients, words)


def test_a_row_of_another_shape_is_a_reject_and_the_others_go_on() -> None:
    messages, rejects = sift([(SARA, "سارا"), (ALI, "علی", "شیراز"), SimpleNamespace(), [], (ALI, "علی")], TEXT)

    assert messages == [BOTH[0], (5, *BOTH[1][1:])]
    assert [(each.row_no, each.reason.partition(":")[0]) for each in rejects] == [
        (2, "a tuple of 3 values without names"),
        (3, "a recipient cannot be a SimpleNamespace"),
        (4, "the number is empty"),
    ]


def test_an_error_of_the_callers_own_iterable_is_theirs_and_nothing_is_written(engine: Engine) -> None:
    def people() -> Iterator[str]:
        yield from numbers(5_000)
        raise LookupError("theirs")

    with engine.begin() as connection:
        with pytest.raises(LookupError, match="theirs"):
            make(connection, people(), text="سلام")
        assert tuple(one(connection, "SELECT count(*) FROM sms.messages")) == (0,)


def _peak_mb(engine: Engine, many: int) -> float:
    """The most memory that Python holds while a campaign of so many is created and rolled back."""
    with engine.connect() as connection:
        tracemalloc.start()
        make(connection, ((number, "سارا") for number in numbers(many)), text="سلام {name} " + "ب" * 200)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        connection.rollback()
    return peak


def test_memory_does_not_grow_with_the_recipients(engine: Engine) -> None:
    _peak_mb(engine, 1_000)
    few, many = _peak_mb(engine, 6_000), _peak_mb(engine, 24_000)

    assert many < few + 2, f"{few:.1f} MB for 6,000 recipients, {many:.1f} MB for 24,000"
