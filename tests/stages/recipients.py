"""Recipients for tests, in files and out of them, and what becomes of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from openpyxl import Workbook
from sqlalchemy import Connection, Engine, Row, text

from kavenegar_campaigns.api.campaign import create
from kavenegar_campaigns.rules.text import Template
from kavenegar_campaigns.stages.intake.row_validator import Reject, RowValidator
from kavenegar_campaigns.stages.intake.sources import Recipients, open_table

PEOPLE = "mobile,name\n09121234567,علی\n+989351234567,مریم\n0912 123 4567,باز علی\n02188776655,دفتر\n09191234567,\n"
TEXT = "سلام {name}"


def make(connection: Connection, recipients: object = None, **options: object) -> int:
    """A campaign for PEOPLE, unless told otherwise."""
    given = io.StringIO(PEOPLE) if recipients is None else recipients
    return create(connection, **{"recipients": given, "text": TEXT, "sender": "10004346", **options})  # type: ignore[arg-type]


def one(connection: Connection, sql: str, **values: object) -> Row[tuple[object, ...]]:
    return connection.execute(text(sql), values).one()


def counts(engine: Engine) -> tuple[object, ...]:
    """How many campaigns, messages and rejects there are."""
    with engine.connect() as connection:
        return tuple(
            one(
                connection,
                "SELECT (SELECT count(*) FROM sms.campaigns), (SELECT count(*) FROM sms.messages), "
                "(SELECT count(*) FROM sms.rejects)",
            )
        )


def numbers(many: int) -> Iterator[str]:
    return (f"0912{at:07d}" for at in range(many))


def sift(
    recipients: Recipients, words: str = "سلام", *, number_column: str | None = None, sheet: str | None = None
) -> tuple[list[tuple[int, str, str | None]], list[Reject]]:
    """(row_no, number, text) of every message, and every reject."""
    template = Template.parse(words)
    with open_table(recipients, number_column=number_column, sheet=sheet, placeholders=template.placeholders) as table:
        validator = RowValidator(table, template, sender="10004346", max_characters=900)
        messages = [(row_no, number, own) for row_no, _, number, own in validator.messages(1_000)]
        return messages, validator.take_rejects()


def as_csv(rows: Iterable[Iterable[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


def as_workbook(*sheets: list[list[object]]) -> io.BytesIO:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for rows in sheets:
        sheet = workbook.create_sheet()
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    workbook.save(out)
    out.seek(0)
    return out
