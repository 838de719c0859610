"""The protocol of the service: return codes, message states, a call, an answer and its JSON envelope.

Source: kavenegar-rest, tables 1 and 2 (codes and states) and "ساختار خروجی" (the envelope: {"return": {"status",
"message"}, "entries"}). A code that is in neither table has its origin beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

OK = 200

RETURN_TEXT: dict[int, str] = {
    200: "تایید شد",
    400: "پارامترها ناقص هستند",
    401: "حساب کاربری غیرفعال شده است",
    402: "عملیات ناموفق بود",
    403: "کد شناسائی معتبر نمی باشد ",  # the final space is in the bytes of the live service
    404: "متدی با این نام پیدا نشده است",
    405: "متد فراخوانی Get یا Post اشتباه است",
    406: "پارامترهای اجباری خالی ارسال شده اند",
    407: "دسترسی به اطلاعات مورد نظر برای شما امکان پذیر نیست",
    409: "سرور قادر به پاسخگوئی نیست بعدا تلاش کنید",
    411: "دریافت کننده نامعتبر است",
    412: "ارسال کننده نامعتبر است",
    413: "پیام خالی است و یا طول پیام بیش از حد مجاز میباشد",
    414: "حجم درخواست بیشتر از حد مجاز است",
    415: "اندیس شروع بزرگ تر از کل تعداد شماره های مورد نظر است",
    416: "IP سرویس مبدا با تنظیمات مطابقت ندارد",
    417: "تاریخ ارسال اشتباه است و فرمت آن صحیح نمی باشد.",
    418: "اعتبار شما کافی نمیباشد",
    419: "طول آرایه متن و گیرنده و فرستنده هم اندازه نیست",
    420: "استفاده از لینک در متن پیام برای شما محدود شده است",
    422: "داده ها به دلیل وجود کاراکتر نامناسب قابل پردازش نیست",
    424: "الگوی مورد نظر پیدا نشد",
    426: "استفاده از این متد نیازمند سرویس پیشرفته یا ایجاد دسترسی می باشد",
    427: "استفاده از این خط نیازمند ایجاد سطح دسترسی می باشد",
    428: "ارسال کد از طریق تماس تلفنی امکان پذیر نیست",
    429: "IP محدود شده است",
    430: "هویت صاحب حساب تایید نشده است",  # not in the specification: reported by third parties (identity not verified)
    431: "ساختار کد صحیح نمیباشد",
    432: "پارامتر کد در متن پیام پیدا نشد",
    449: "رکوردی با مشخصات مورد نظر پیدا نشد",  # not in the specification: seen live on lists without rows
    451: "فراخوانی بیش از حد در بازه زمانی مشخص IP محدود شده",
    501: "فقط امکان ارسال پیام تست به شماره صاحب حساب کاربری وجود دارد",
    604: "تعداد شماره ها بیشتر از حد مجاز است",
    607: "نام تگ انتخابی اشتباه است",
}

QUEUED, SCHEDULED, AT_TELECOM, AT_TELECOM_TOO = 1, 2, 4, 5
FAILED, DELIVERED, UNDELIVERED, CANCELLED, BLOCKED, UNKNOWN = 6, 10, 11, 13, 14, 100

STATUS_TEXT: dict[int, str] = {
    QUEUED: "در صف ارسال",
    SCHEDULED: "زمان بندی شده",
    AT_TELECOM: "ارسال به مخابرات",
    AT_TELECOM_TOO: "ارسال به مخابرات",
    FAILED: "خطا در ارسال پیام",
    DELIVERED: "رسیده به گیرنده",
    UNDELIVERED: "نرسیده به گیرنده",
    CANCELLED: "لغو شده",
    BLOCKED: "بلاک شده است",
    UNKNOWN: "شناسه پیامک نامعتبر است",
}
Row = dict[str, Any]


class Refusal(Exception):
    """The gateway refuses the call with `code`. Nothing was created."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the service. Parameter names are lower-case; repeated values are joined by commas."""

    method: str  # like sms/send; UNKNOWN for one that is not in the specification
    verb: str
    key: str = field(repr=False)
    params: Mapping[str, str] = field(repr=False)
    address: str
    at_most: int | None = None  # of a send: accept only this many receptors, from the first on; None: all


@dataclass(frozen=True, slots=True)
class Answer:
    """A return code and its entries. Only paged methods have `metadata`; some of them put it before the entries."""

    code: int = OK
    entries: list[Row] | Row | None = None
    metadata: Row | None = None
    metadata_first: bool = False

    def body(self) -> bytes:
        """Return the JSON envelope, encoded in UTF-8."""
        said = {"status": self.code, "message": RETURN_TEXT.get(self.code, "")}
        envelope: Row = {"return": said, "entries": self.entries}
        if self.metadata is not None:
            paged: Row = {"metadata": self.metadata}
            envelope = {**paged, **envelope} if self.metadata_first else {**envelope, **paged}
        return orjson.dumps(envelope)
