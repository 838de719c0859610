"""Every public function that works in a transaction, with arguments that hold a number, a text and a code."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import kavenegar_campaigns as campaigns

NUMBER: Final = "09121234567"
TEXT: Final = "رمز شما برای خرید آماده است"
CODE: Final = "481516"
SENDER: Final = "10004346"

ARGUMENTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "create": lambda: {"recipients": [NUMBER], "text": TEXT, "sender": SENDER, "key": f"order:{NUMBER}", "name": TEXT},
    "start": lambda: {"campaign_id": 1},
    "pause": lambda: {"campaign_id": 1, "reason": f"{TEXT} {NUMBER}"},
    "resume": lambda: {"campaign_id": 1, "sender": SENDER},
    "cancel": lambda: {"campaign_id": 1},
    "send_uncertain": lambda: {"campaign_id": 1},
    "get": lambda: {"campaign_id": 1},
    "by_key": lambda: {"key": f"order:{NUMBER}"},
    "newest": lambda: {"limit": 3},
    "progress": lambda: {"campaign_id": 1},
    "why_waiting": lambda: {"campaign_id": 1},
    "build_report": lambda: {"campaign_id": 1},
    "export": lambda: {"campaign_id": 1, "out": io.StringIO()},
    "export_rejects": lambda: {"campaign_id": 1, "out": io.StringIO()},
    "preview": lambda: {"campaign_id": 1},
    "list_inbound": lambda: {"line": SENDER},
    "get_inbound": lambda: {"inbound_id": 1},
    "acknowledge": lambda: {"inbound_id": 1},
    "order_otp": lambda: {"number": NUMBER, "template": "login", "token": CODE, "key": f"login:{NUMBER}"},
    "otp_state": lambda: {"key": f"login:{NUMBER}"},
    "suppress": lambda: {"numbers": [NUMBER], "source": f"{TEXT} {NUMBER}"},
    "suppressed": lambda: {"number": NUMBER},
    "unsuppress": lambda: {"numbers": [NUMBER]},
}
WRITERS: Final = (
    *("create", "start", "pause", "resume", "cancel", "send_uncertain"),
    *("acknowledge", "order_otp", "suppress", "unsuppress"),
)


def functions_of_a_transaction() -> set[str]:
    """The functions of `campaigns.__all__` whose first argument is a transaction."""
    functions = {name: found for name in campaigns.__all__ if inspect.isfunction(found := getattr(campaigns, name))}
    return {name for name, found in functions.items() if next(iter(inspect.signature(found).parameters)) == "bind"}


def call(name: str, bind: Any, **other: Any) -> Any:
    """Call one of them with its arguments, of which `other` replaces some."""
    return getattr(campaigns, name)(bind, **ARGUMENTS[name]() | other)


# ── what an error hands out ──


def leaks(error: BaseException) -> list[str]:
    """Where an error shows the number, the text or the code: what it says, its fields, the variables of our frames."""
    found = [f"says {said!r}" for said in (str(error), repr(error), repr(vars(error))) if _personal(said)]
    for link in _chain(error):
        found += [f"{type(link).__name__} in its chain says so"] if _personal(str(link)) and link is not error else []
        traced = link.__traceback__
        while traced is not None:
            frame = traced.tb_frame
            if str(frame.f_globals["__name__"]).startswith(("kavenegar_", "sqlalchemy", "psycopg")):
                found += [
                    f"{frame.f_globals['__name__']}.{frame.f_code.co_name} has {name} = {value!r}"
                    for name, value in frame.f_locals.items()
                    if _personal(repr(value)) and value is not error
                ]
            traced = traced.tb_next
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if link in seen:
            continue
        seen.append(link)
        yield link
        waiting += [each for each in (link.__cause__, link.__context__) if each is not None]


def _personal(said: str) -> bool:
    return any(each in said for each in (NUMBER, NUMBER[1:], TEXT, CODE))
