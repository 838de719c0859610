"""The people we write to: as many different mobile numbers as are asked for, with Persian names."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Final

SENDER: Final = "10004346"


class Kind(StrEnum):
    """One text for all recipients, or a text for each."""

    PERSONAL = "personal"  # sms/sendarray
    UNIFORM = "uniform"  # sms/send


TEXTS: Final = {
    Kind.PERSONAL: "{name} عزیز، تخفیف ویژه شما با کد {code} تا پایان این هفته در همه فروشگاه‌های ما معتبر است.",
    Kind.UNIFORM: "مشتری عزیز، تخفیف ویژه پاییز تا پایان این هفته در همه فروشگاه‌های ما معتبر است.",
}

_PREFIXES: Final = [f"09{operator:02d}" for operator in (*range(10, 20), *range(30, 40))]
_SUBSCRIBERS: Final = 10_000_000
_STRIDE: Final = 7_654_321  # shares no divisor with the number of subscribers: nobody is met twice
_NAMES: Final = [
    f"{first} {last}"
    for first, last in product(
        ("مریم", "علی", "زهرا", "محمدرضا", "فاطمه", "حسین", "سارا"), ("احمدی", "حسینی", "کریمی", "موسوی‌زاده", "رضایی")
    )
]


def people(count: int, *, after: int = 0) -> Iterator[tuple[str, str, str]]:
    """`count` times (number, name, code), none of whom is among the first `after` people; there are 200 million."""
    for place in range(after, after + count):
        turn, operator = divmod(place, len(_PREFIXES))
        subscriber = turn * _STRIDE % _SUBSCRIBERS
        yield f"{_PREFIXES[operator]}{subscriber:07d}", _NAMES[place % len(_NAMES)], f"K{place % 9973:04d}"


def write_csv(path: Path, count: int, *, after: int = 0) -> Path:
    """A file of `count` recipients as a shop would export it; of `after`, see `people`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("number", "name", "code"))
        rows.writerows(people(count, after=after))
    return path
