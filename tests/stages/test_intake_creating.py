"""A campaign is there whole, once, or not at all."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.batches import ID_BLOCK_SIZE
from tests.stages.recipients import TEXT, counts, make, numbers, one


def test_a_personal_campaign_has_a_text_for_each_number_and_keeps_what_was_wrong(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign_id = make(connection, name="پاییز نیم‌بها", start_at=datetime(2030, 1, 1, tzinfo=UTC))
    with engine.connect() as connection:
        campaign = one(connection, "SELECT * FROM sms.campaigns WHERE id = :id", id=campaign_id)
        messages = connection.execute(text("SELECT * FROM sms.messages ORDER BY id")).all()
        rejects = connection.execute(text("SELECT row_no, kind, value FROM sms.rejects ORDER BY row_no")).all()
    assert (campaign.name, campaign.sender, campaign.template, campaign.personal, campaign.state) == (
        *("پاییز نیم‌بها", "10004346", TEXT),
        *(True, "draft"),
    )
    assert (campaign.rows_read, campaign.messages, campaign.duplicates, campaign.rejects) == (5, 2, 1, 2)
    assert campaign.parts == 2
    assert campaign.start_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert [(message.number, message.text, message.row_no, message.parts, message.state) for message in messages] == [
        ("09121234567", "سلام علی", 2, 1, "pending"),
        ("09351234567", "سلام مریم", 3, 1, "pending"),
    ]
    assert {message.campaign_id for message in messages} == {campaign_id}
    assert [tuple(reject) for reject in rejects] == [
        (4, "duplicate", "0912 123 4567"),
        (5, "number", "02188776655"),
        (6, "placeholder", ""),
    ]


def test_a_text_for_all_is_kept_once_as_it_will_be_sent(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign_id = make(connection, ["09121234567", "09351234567"], text="{{تخفیف}}\r\n" + "س" * 70)
        campaign = one(connection, "SELECT * FROM sms.campaigns WHERE id = :id", id=campaign_id)
        texts = connection.execute(text("SELECT text, parts FROM sms.messages")).all()
    assert campaign.template == "{تخفیف}\n" + "س" * 70
    assert not campaign.personal
    assert campaign.parts == 4
    assert {tuple(row) for row in texts} == {(None, 2)}


def test_special_characters_reach_the_database_as_they_are(engine: Engine) -> None:
    value = "back\\slash \\N %s {x} 'q' \"q\" 😀 نیم\u200cفاصله"
    with engine.begin() as connection:
        make(connection, [("09121234567", {"name": value})])
        stored = one(connection, "SELECT text FROM sms.messages").text
    assert stored == f"سلام {value}"


def test_ids_come_in_whole_blocks_in_order_and_only_used_ones_belong_to_the_campaign(engine: Engine) -> None:
    many = 2 * ID_BLOCK_SIZE + 345
    with engine.begin() as connection:
        campaign_id = make(connection, numbers(many), text="سلام")
        campaign = one(
            connection,
            "SELECT (SELECT sum(upper(r) - lower(r)) FROM unnest(message_ids) AS r) AS ids, "
            "lower(message_ids) AS first, upper(message_ids) AS beyond, "
            "(SELECT count(*) FROM unnest(message_ids)) AS ranges FROM sms.campaigns",
        )
        loaded = one(
            connection,
            "SELECT count(*), min(id), max(id), bool_and(campaign_id = :id), "
            "bool_and(row_no = id - (SELECT min(id) FROM sms.messages) + 1) FROM sms.messages",
            id=campaign_id,
        )
        epoch = one(connection, "SELECT epoch FROM sms.installation").epoch
    assert campaign.ids == many
    assert campaign.ranges == 1  # the blocks lay side by side
    assert campaign.first == (epoch << 33) + ID_BLOCK_SIZE
    assert tuple(loaded) == (many, campaign.first, campaign.beyond - 1, True, True)


def test_another_campaign_in_between_leaves_a_gap_in_the_ids_and_nothing_else(engine: Engine) -> None:
    def recipients() -> Iterator[str]:
        for at, number in enumerate(numbers(ID_BLOCK_SIZE + 10)):
            if at == 5_000:
                with engine.begin() as other:
                    make(other, ["09351234567"], text="سلام")
            yield number

    with engine.begin() as connection:
        campaign_id = make(connection, recipients(), text="سلام")
    with engine.connect() as connection:
        row = one(
            connection,
            "SELECT (SELECT count(*) FROM unnest(message_ids)) AS ranges, (SELECT count(*) FROM sms.messages m "
            "WHERE c.message_ids @> m.id AND m.campaign_id = c.id) AS inside FROM sms.campaigns c WHERE id = :id",
            id=campaign_id,
        )
    assert tuple(row) == (2, ID_BLOCK_SIZE + 10)


def test_many_wrong_rows_among_few_good_ones_are_all_kept(engine: Engine) -> None:
    many = 2 * ID_BLOCK_SIZE + 5
    wrong_then_good = (f"0912{at:07d}" if at % 5_000 == 4_999 else "wrong" for at in range(many))
    with engine.begin() as connection:
        make(connection, wrong_then_good, text="سلام")
        campaign = one(connection, "SELECT rows_read, messages, rejects, message_ids::text FROM sms.campaigns")
    assert counts(engine) == (1, 4, many - 4)
    assert tuple(campaign)[:3] == (many, 4, many - 4)


def test_the_callers_rollback_leaves_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        make(connection)
        connection.rollback()
    assert counts(engine) == (0, 0, 0)


def late_damage() -> Iterator[bytes]:
    yield b"".join(f"{number},a\n".encode() for number in numbers(30_000))
    yield b"\xff\xfe\n"


class Chunks(io.RawIOBase):
    """A stream that gives one chunk a time, however much is asked for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, _size: int = -1, /) -> bytes:
        return next(self._chunks, b"")


@pytest.mark.parametrize("mend", [True, False], ids=["the caller goes on", "the caller gives up"])
def test_a_file_that_breaks_after_many_rows_leaves_nothing_and_the_transaction_usable(
    engine: Engine, mend: bool
) -> None:
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE mine (x int)"))
        with pytest.raises(BadInput, match="row 30001: the file is not UTF-8"):
            make(connection, Chunks(late_damage()), text="سلام")
        if mend:
            make(connection)
        connection.execute(text("INSERT INTO mine VALUES (1)"))
        connection.commit()
    assert counts(engine) == ((1, 2, 3) if mend else (0, 0, 0))


def test_an_error_of_the_callers_own_iterable_comes_through_and_leaves_nothing(engine: Engine) -> None:
    def recipients() -> Iterator[str]:
        yield from numbers(15_000)
        raise ZeroDivisionError

    with engine.connect() as connection:
        with pytest.raises(ZeroDivisionError):
            make(connection, recipients(), text="سلام")
        connection.commit()
    assert counts(engine) == (0, 0, 0)


def test_not_one_usable_row_is_bad_input_with_the_first_reasons_and_nothing_is_written(engine: Engine) -> None:
    with engine.begin() as connection:
        with pytest.raises(BadInput, match=r"not one of 12000 rows can be used\. row 1: .*letters.*row 5: ") as refusal:
            make(connection, ["wrong"] * 12_000, text="سلام")
        assert "row 6" not in str(refusal.value)
        with pytest.raises(BadInput, match="a header and no row below it"):
            make(connection, io.StringIO("mobile,name\n"))
    assert counts(engine) == (0, 0, 0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"text": ""}, "the text is empty"),
        ({"text": "س" * 901}, "901 characters: 900 are allowed"),
        ({"text": "{name}" + "س" * 901}, "901 characters: 900 are allowed"),
        ({"text": "{nmae}"}, "no such column"),
        ({"text": "{name!r}"}, "no placeholder"),
        ({"sender": "BRAND"}, "no line of yours"),
        ({"start_at": datetime(2030, 1, 1)}, "no time zone"),  # noqa: DTZ001 - meant
        ({"key": ""}, "the key has to be"),
        ({"name": "a\0"}, "the name has to be"),
    ],
)
def test_a_wrong_order_is_refused_and_leaves_nothing(engine: Engine, options: dict[str, object], sentence: str) -> None:
    with engine.begin() as connection, pytest.raises(BadInput, match=sentence):
        make(connection, **options)
    assert counts(engine) == (0, 0, 0)


def test_a_longer_limit_can_be_set(engine: Engine) -> None:
    with engine.begin() as connection:
        make(connection, text="س" * 1500, max_characters=1800)
        assert one(connection, "SELECT parts FROM sms.messages LIMIT 1").parts == 23


def test_a_campaign_without_a_name_is_called_after_its_file_or_by_its_id(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "autumn.csv").write_text("09121234567\n")
    with engine.begin() as connection:
        after_file = make(connection, tmp_path / "autumn.csv", text="سلام")
        by_id = make(connection, ["09121234567"], text="سلام")
        names = {row.id: row.name for row in connection.execute(text("SELECT id, name FROM sms.campaigns"))}
    assert names == {after_file: "autumn", by_id: f"campaign {by_id}"}


def test_only_psycopg_inside_a_transaction_will_do(engine: Engine) -> None:
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(BadInput, match="not in AUTOCOMMIT"),
    ):
        campaigns.create(connection, recipients=numbers(2), text="سلام", sender="10004346")
    sqlite = create_engine("sqlite://")
    with sqlite.connect() as elsewhere, pytest.raises(BadInput, match=r"postgresql\+psycopg"):
        campaigns.create(elsewhere, recipients=numbers(2), text="سلام", sender="10004346")
    sqlite.dispose()  # from Python 3.13 on, a connection that is left open fails whichever test runs next
    assert counts(engine) == (0, 0, 0)


def test_a_database_without_an_epoch_is_bad_input(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sms.installation"))
        with pytest.raises(BadInput, match="campaigns migrate"):
            make(connection)


def test_neither_texts_nor_numbers_reach_a_log(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with engine.begin() as connection:
        make(connection, name="secret name")
    loaded = [record for record in caplog.records if record.message == "campaign loaded"]
    assert [record.messages for record in loaded] == [2]  # type: ignore[attr-defined]
    assert not any(word in repr(vars(record)) for record in caplog.records for word in ("سلام", "علی", "1234567"))
