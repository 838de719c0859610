"""What the gateway says: its return codes and its message states, in its own words.

Source: kavenegar-rest, tables 1 and 2. Codes without a row there carry their origin beside them.

A call as the methods see it, an answer as they give it, and the envelope it travels in.

Source: kavenegar-rest, "ساختار خروجی": {"return": {"status", "message"}, "entries"}, the code in the HTTP status too.
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
    403: "کد شناسائی معتبر نمی باشد ",  # the live service's bytes: the blank at the end is meant
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
    430: "هویت صاحب حساب تایید نشده است",  # not in the spec: reported by third parties (identity not verified)
    431: "ساختار کد صحیح نمیباشد",
    432: "پارامتر کد در متن پیام پیدا نشد",
    449: "رکوردی با مشخصات مورد نظر پیدا نشد",  # not in the spec: seen live on listings without rows
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


class Refusal(Exception):
    """The gateway answers no, with `code`; nothing was created."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the service. Parameter names are lower-case; a repeated one is joined by commas."""

    method: str  # sms/send; "unknown" for one that is not in the spec
    verb: str
    key: str = field(repr=False)
    params: Mapping[str, str] = field(repr=False)
    address: str
    at_most: int | None = None  # of a send: only its first so many receptors are looked at; None: all


@dataclass(frozen=True, slots=True)
class Answer:
    """A return code with what comes along; `metadata` is for the paged methods, some of which put it first."""

    code: int = OK
    entries: list[Row] | Row | None = None
    metadata: Row | None = None
    metadata_first: bool = False

    def body(self) -> bytes:
        said = {"status": self.code, "message": RETURN_TEXT.get(self.code, "")}
        envelope: Row = {"return": said, "entries": self.entries}
        if self.metadata is not None:
            paged: Row = {"metadata": self.metadata}
            envelope = {**paged, **envelope} if self.metadata_first else {**envelope, **paged}
        return orjson.dumps(envelope)
