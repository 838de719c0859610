"""A file of recipients as customers send them: every spelling of a number, doubles, mistakes and gaps.

The numbers begin with 097, which no operator has: sent by mistake, the sample reaches no person. Count and seed
determine the file.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

COLUMNS: Final = ("name", "mobile", "order", "city")
TEXT: Final = "{name} عزیز، سفارش {order} شما آماده است. فروشگاه نمونه"
SEED: Final = 1405

_FIRST_NAMES: Final = (
    *(
        "مریم",
        "علی",
        "زهرا",
        "محمد",
        "فاطمه",
        "حسین",
        "نرگس",
        "امیرحسین",
        "سارا",
        "رضا",
        "لیلا",
        "مهدی",
        "الهام",
        "کاوه",
    ),
    *("شیرین", "آرش", "پریسا", "بهرام", "نیلوفر", "سیاوش", "گلناز", "یاسمن", "کیان", "هانیه", "پویا", "آزاده"),
)
_FAMILY_NAMES: Final = (
    *("احمدی", "محمدی", "حسینی", "کریمی", "رضایی", "موسوی", "جعفری", "قاسمی", "یوسفی", "نادری", "شریفی", "رحیمی"),
    *("نیک‌پور", "شاه‌محمدی", "خسروی", "میرزایی", "بهشتی", "کاظمی", "دهقان", "فرهادی"),
)
_CITIES: Final = ("تهران", "مشهد", "اصفهان", "شیراز", "تبریز", "کرج", "اهواز", "قم", "رشت", "یزد", "کرمان", "همدان")

_PERSIAN: Final = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_ARABIC: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")

# The four formats of the specification, and people's variants of them. `n` is 97 and eight more digits.
_SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (
    lambda n: f"0{n}",
    lambda n: f"+98{n}",
    lambda n: f"0098{n}",
    lambda n: n,
    lambda n: f"0{n}".translate(_PERSIAN),
    lambda n: f"0{n[:3]} {n[3:6]} {n[6:]}",
    lambda n: f"+98{n}".translate(_ARABIC),
    lambda n: f"0{n[:3]}-{n[3:]}".translate(_PERSIAN),
)

_WRONG: Final = ("0970123", "02188776655", "+905321234567", "ندارد", "", "097012345678901", "0970-12O-3456")

# One row in this many is …
_EVERY_DOUBLE: Final = 17
_EVERY_WRONG: Final = 19
_EVERY_NAMELESS: Final = 97


def write(path: Path, count: int, *, seed: int = SEED) -> None:
    """Write a CSV file of `count` rows below its header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(count, seed=seed))


def rows(count: int, *, seed: int = SEED) -> Iterator[tuple[str, str, str, str]]:
    """Yield `count` rows under COLUMNS. About one in 17 is a double, one in 19 is wrong, one in 97 has no name."""
    chance = random.Random(seed)  # noqa: S311 - every run has to write an identical file
    for place in range(count):
        name = f"{chance.choice(_FIRST_NAMES)} {chance.choice(_FAMILY_NAMES)}"
        order, city = f"{chance.randrange(10_000, 99_999)}", chance.choice(_CITIES)
        spelling = chance.randrange(len(_SPELLINGS))
        yield (_named(place, name), _mobile(place, spelling), order.translate(_PERSIAN), city)


def _named(place: int, name: str) -> str:
    return "" if place % _EVERY_NAMELESS == 11 else name


def _mobile(place: int, spelling: int) -> str:
    if place % _EVERY_WRONG == 7:
        return _WRONG[place // _EVERY_WRONG % len(_WRONG)]
    if place % _EVERY_DOUBLE == 16:
        return _SPELLINGS[(spelling + 1) % len(_SPELLINGS)](_number(place - 12))
    return _SPELLINGS[spelling](_number(place))


def _number(place: int) -> str:
    """Return a different number for each place below a hundred million, not in order."""
    return f"97{place * 61_803_399 % 100_000_000:08d}"
