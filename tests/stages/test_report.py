"""The figures of a campaign agree with what the gateway did, and the export has a line for every row that was read."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput, NotFound
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.report import REPORT_COLUMNS, Report, export_report_file
from tests.world import SENDER, Sandbox, batch_ids, numbers, run_due_work, running

M = MessageState
PRICE = 120


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def reported(engine: Engine, campaign: int) -> Report:
    with engine.connect() as connection:
        return campaigns.build_report(connection, campaign)


def exported(engine: Engine, campaign: int) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    with engine.connect() as connection:
        lines = campaigns.export(connection, campaign, out)
    found = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(found) == lines
    return found


def created(engine: Engine, recipients: Any, text: str = "سلام") -> int:
    with engine.begin() as connection:
        return campaigns.create(connection, recipients=recipients, text=text, sender=SENDER)


# ── figures ──


def test_the_figures_agree_with_what_the_gateway_did(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(fates={"delivered": 6, "undelivered": 2, "failed": 1, "blocked": 1})
    campaign = running(engine, 1001)
    run_due_work(context)
    sandbox.advance(minutes=6)
    run_due_work(context)
    run_due_work(context)

    found, theirs = reported(engine, campaign), sandbox.summary()

    assert found.accepted == sum(found.counts.values()) == theirs["messages"] == 1001
    assert found.cost_rial == theirs["charged_rial"] - theirs["refunded_rial"]
    assert found.refunded_rial == theirs["refunded_rial"] == found.counts[M.BLOCKED] * PRICE
    assert found.parts == 1001
    assert found.requests == {"send": theirs["requests"]["sms/send"], "poll": theirs["requests"]["sms/status"]}
    assert (found.mean_batch, found.mean_poll) == (1001 / 6, 1001 / 3)
    assert 0 < found.seconds_sending < 60
    assert found.messages_a_second == pytest.approx(1001 / found.seconds_sending)
    assert found.seconds_to_verdicts >= 360


def test_parts_are_counted_and_only_of_what_the_gateway_took(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400, text="س" * 71)
    assert reported(engine, campaign).parts == 0
    submit.send_batch(context, batch_ids(engine, campaign)[0])
    assert reported(engine, campaign).parts == 400
    assert reported(engine, campaign).cost_rial == 400 * PRICE


def test_a_campaign_that_was_never_started_has_figures_too(engine: Engine) -> None:
    campaign = created(engine, [*numbers(3), "123", numbers(1)[0]])
    found = reported(engine, campaign)
    assert (found.counts[M.PENDING], found.accepted, found.messages_a_second) == (3, 0, 0.0)
    assert found.rejects == {"number": 1, "duplicate": 1}
    assert (found.requests, found.mean_batch, found.mean_poll) == ({}, 0, 0)


def test_what_was_withdrawn_before_it_left_was_not_accepted(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 600)
    submit.send_batch(context, batch_ids(engine, campaign)[0])
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    run_due_work(context)
    assert reported(engine, campaign).counts[M.CANCELLED] == 400
    assert reported(engine, campaign).accepted == 200 == sandbox.summary()["messages"]


def test_refusals_are_told_by_code_and_requests_by_kind(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(bad_receptors=numbers(4)[2:])
    campaign = running(engine, 4)
    for _ in range(4):
        run_due_work(context)
    found = reported(engine, campaign)
    assert found.refused == {411: 2}
    assert found.accepted == 2
    assert found.requests == {"send": sandbox.summary()["requests"]["sms/send"]}


def test_what_a_lost_answer_cost_is_in_the_report(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """The question by our own ids is answered without the cost; the account was charged all the same."""
    sandbox.turn(delivery_s=[86_400, 90_000])
    campaign = running(engine, 400)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    for batch_id in batch_ids(engine, campaign):
        submit.send_batch(context, batch_id)
    sandbox.advance(seconds=91)
    run_due_work(context)
    found = reported(engine, campaign)
    assert found.accepted == 400
    assert found.cost_rial == sandbox.summary()["charged_rial"]


def test_there_is_no_report_of_no_campaign(engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(NotFound):
            campaigns.build_report(connection, 4711)
        with pytest.raises(NotFound):
            campaigns.export(connection, 4711, io.StringIO())


# ── the file ──


def test_every_row_that_was_read_is_in_the_export_in_its_place(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(bad_receptors=numbers(2)[1:], fates={"delivered": 1.0})
    rows = [numbers(1)[0], "not a number", numbers(2)[1], numbers(1)[0], numbers(3)[2]]
    campaign = created(engine, rows)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sms.suppressions (number, reason, source) VALUES (:number, 'opt-out', 'test')"),
            {"number": numbers(3)[2]},
        )
        campaigns.start(connection, campaign)
    for _ in range(3):
        run_due_work(context)
    sandbox.advance(minutes=6)
    run_due_work(context)

    found = exported(engine, campaign)

    assert tuple(found[0]) == REPORT_COLUMNS
    assert [line["row"] for line in found] == ["1", "2", "3", "4", "5"]
    assert [line["state"] for line in found] == [
        "delivered",
        "rejected: number",
        "refused",
        "rejected: duplicate",
        "suppressed",
    ]
    assert [line["status"] for line in found] == ["10", "", "", "", ""]
    assert [bool(line["message_id"]) for line in found] == [True, False, False, False, False]
    assert [line["cost_rial"] for line in found] == [str(PRICE), "", "", "", ""]
    assert "411" in found[2]["reason"]
    assert found[1]["reason"]
    assert found[0]["settled_at"].endswith("+00:00")
    assert len({line["localid"] for line in found} - {""}) == 3


def test_rows_come_in_order_over_many_pages_and_blocks(engine: Engine) -> None:
    rows = [f"0912{place:07d}" if place % 7 else "wrong" for place in range(1, 12_001)]
    found = exported(engine, created(engine, rows))
    assert [int(line["row"]) for line in found] == list(range(1, 12_001))
    assert all((line["state"] == "pending") == bool(int(line["row"]) % 7) for line in found)
    assert all(line["number"] == rows[int(line["row"]) - 1] for line in found)


DANGEROUS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"]


def test_no_cell_is_a_formula_to_a_spreadsheet(engine: Engine) -> None:
    campaign = created(engine, numbers(1))
    _reject(engine, campaign, DANGEROUS)
    cells = [cell for line in exported(engine, campaign)[1:] for cell in (line["number"], line["reason"])]
    assert [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))] == []
    assert all(cell.endswith(value) for cell, value in zip(cells[::2], DANGEROUS, strict=True))


def _reject(engine: Engine, campaign: int, values: list[str]) -> None:
    """Rows that were rejected for these values."""
    with engine.begin() as connection:
        for place, value in enumerate(values, start=2):
            connection.execute(
                text("INSERT INTO sms.rejects VALUES (:id, :row, 'number', :value, :value)"),
                {"id": campaign, "row": place, "value": value},
            )


def test_a_cell_cannot_break_out_into_the_next_column_of_another_country(engine: Engine) -> None:
    """Where `;` or a tab separates columns, an unquoted cell may end early and go on as a formula."""
    campaign = created(engine, numbers(1))
    _reject(engine, campaign, ["x;=1+1"])
    out = io.StringIO(newline="")
    with engine.connect() as connection:
        campaigns.export(connection, campaign, out)
    cells = next(csv.reader([out.getvalue().splitlines()[2]], delimiter=";"))
    assert not any(cell.lstrip('"').startswith("=") for cell in cells)


def test_the_file_opens_as_utf_8_in_a_spreadsheet(engine: Engine, tmp_path: Path) -> None:
    campaign = created(engine, [*numbers(1), "شماره"])
    with engine.connect() as connection:
        assert export_report_file(connection, campaign, tmp_path / "report.csv") == 2
    content = (tmp_path / "report.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\xef\xbb\xbf") == 1
    assert "شماره" in content.decode("utf-8-sig")


def test_a_file_that_cannot_be_written_is_bad_input(engine: Engine, tmp_path: Path) -> None:
    campaign = created(engine, numbers(1))
    with engine.connect() as connection, pytest.raises(BadInput, match="cannot be written"):
        export_report_file(connection, campaign, tmp_path / "none" / "report.csv")


def test_neither_texts_nor_numbers_stand_in_the_repr_of_a_report(engine: Engine) -> None:
    campaign = created(engine, [*numbers(1), "0912"], text="متن محرمانه")
    shown = repr(reported(engine, campaign))
    assert "محرمانه" not in shown
    assert "0912" not in shown


def test_rejected_rows_are_written_with_their_columns_and_can_be_mended_and_loaded(engine: Engine) -> None:
    file = "mobile,name,name\n09705550001,سارا,x\n123,=علی,y\n09705550001,باز,z\n\n,مینا,w,too far\n"
    with engine.begin() as connection:
        campaign = campaigns.create(
            connection, recipients=io.StringIO(f"title\n{file}"), text="سلام", sender="10004346"
        )
        out = io.StringIO(newline="")
        assert campaigns.export_rejects(connection, campaign, out) == 4
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert list(rows[0]) == ["row", "rejected", "why", "mobile", "name", "name (3)", "column 4"]
    assert [(row["row"], row["rejected"], row["mobile"], row["name"]) for row in rows] == [
        ("1", "above", "title", ""),
        ("4", "number", "123", "'=علی"),
        ("5", "duplicate", "09705550001", "باز"),
        ("7", "shape", "", "مینا"),
    ]
    mended = out.getvalue().replace("123", "09705550002")
    with engine.begin() as connection:
        campaigns.create(connection, recipients=io.StringIO(mended), text="{name}", sender="10004346")
        assert campaigns.get(connection, campaign + 1).messages == 2


def test_of_a_rejected_row_so_much_is_kept_and_no_more(engine: Engine) -> None:
    wide = [("", {f"c{at}": "ن" * 300 for at in range(80)}), ("09705550001", {})]
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=wide, text="سلام", sender="10004346")
        cells = connection.execute(text("SELECT cells FROM sms.rejects WHERE campaign_id = :id"), {"id": campaign})
        kept = cells.scalar_one()
    assert len(kept) == 50
    assert kept["c0"] == "ن" * 200 + "…"
    assert kept["c48"] == "…"
    assert sum(map(len, kept.values())) <= 2_000 + 50


def test_of_very_many_rejected_rows_the_cells_of_the_first_are_kept(engine: Engine) -> None:
    many = 100_000
    with engine.begin() as connection:
        rows = ["09705550001", *["1"] * (many + 5)]
        campaigns.create(connection, recipients=rows, text="سلام", sender="10004346")
        assert connection.execute(text("SELECT count(cells) FROM sms.rejects")).scalar_one() == many


def test_rejects_of_an_older_version_are_written_with_what_is_known_of_them(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=["09705550001", "123"], text="سلام", sender="10004346")
        connection.execute(text("UPDATE sms.rejects SET cells = NULL"))
        out = io.StringIO(newline="")
        campaigns.export_rejects(connection, campaign, out)
    assert next(csv.DictReader(io.StringIO(out.getvalue())))["value"] == "123"


def test_the_first_text_and_the_longest_are_shown_before_anything_leaves(engine: Engine) -> None:
    people = [("09705550001", {"name": "سارا"}), ("09705550002", {"name": "ن" * 80}), ("09705550003", {"name": "م"})]
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=people, text="سلام {name}", sender="10004346")
        assert campaigns.preview(connection, campaign) == campaigns.Preview("سلام سارا", 1, f"سلام {'ن' * 80}", 2)
        same = campaigns.create(connection, recipients=["09705550001"], text="سلام {{}}", sender="10004346")
        assert campaigns.preview(connection, same) == campaigns.Preview("سلام {}", 1, "سلام {}", 1)
        with pytest.raises(campaigns.NotFound):
            campaigns.preview(connection, same + 1)
