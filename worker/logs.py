"""Logs are events with ids: one line each, past tense, constant words, facts as fields.

Every module logs with the standard library's `logging`, as other libraries do, and structlog renders all of it: for a
person (LOG_FORMAT=console) or as JSON (LOG_FORMAT=json). One processor, `redact_event`, takes keys, passwords, texts
and full numbers out of every record before it is rendered, whoever logged it.
"""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

_NUMBER: Final = re.compile(
    r"(?<!\d)(?:(?:\+|[0۰٠]{2})?[9۹٩][8۸٨]|[0۰٠])?[9۹٩]\d{5}(\d{4})(?!\d)"
)  # in Latin, Persian and Arabic digits
_KEY_IN_URL: Final = re.compile(r"(/v1/)[^/\s'\"]+(?=/)")
_TOKEN_IN_URL: Final = re.compile(r"(/callbacks/)[^/\s'\"?#]+")
_PASSWORD_IN_URL: Final = re.compile(r"(\w+://[^:/\s@]*:)\S+(?=@)")
_SHORTEST: Final = len("/v1/k/")
"""Characters of the shortest text in which one of these finds anything."""

BOUND: Final = ("task", "task_id", "campaign_id", "batch_id", "otp_id", "line")
"""Facts that every record of a task carries, in the order in which a person reads them."""

SECRET_FACTS: Final = frozenset({"api_key", "apikey", "authorization", "body", "password", "secret", "text", "token"})
"""Names of facts whose value is never logged, whatever it is."""


def redact(text: str) -> str:
    """`text` without keys, tokens and passwords in URLs, or all but the last four digits of mobile numbers."""
    if len(text) < _SHORTEST:
        return text
    if "/" in text:
        text = _KEY_IN_URL.sub(r"\1***", text)
        text = _TOKEN_IN_URL.sub(r"\1***", text)
        text = _PASSWORD_IN_URL.sub(r"\1***", text)
    return _NUMBER.sub(r"09***\1", text)


def first_line(error: BaseException | None) -> str:
    """What a server says went wrong, redacted. A row's values stand below the first line, which is all that is told."""
    return redact(str(error).strip().partition("\n")[0])


def redact_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Redact every value of an event, the traceback included. A structlog processor."""
    return {
        redact(str(name)): "***" if str(name).lower() in SECRET_FACTS else _redacted(value)
        for name, value in event.items()
    }


def _redacted(value: object) -> object:
    """The value as JSON knows it, redacted; anything that is no number, list or mapping as its text."""
    if isinstance(value, Mapping):
        return redact_event(None, "", dict(value))
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(each) for each in value]
    text = str(value)
    found = redact(text)
    if found != text or (isinstance(value, float) and not math.isfinite(value)):
        return found
    return value if isinstance(value, bool | int | float | None) else text


def formatter(log_format: str = "console") -> logging.Formatter:
    """The formatter of every record: `console` for a person, `json` for a program.

    `2026-11-23T05:10:31+0330 WARNING worker.tasks batch outcome unknown task=campaigns.send_batch batch_id=17`.
    """
    return ProcessorFormatter(
        foreign_pre_chain=_FACTS,
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            redact_event,
            structlog.processors.JSONRenderer(ensure_ascii=False) if log_format == "json" else _console(),
        ],
    )


def _without_celery_data(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Leave out what Celery hangs on its own records: a task's arguments, once more."""
    event.pop("data", None)
    return event


_FACTS: Final[Sequence[Processor]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S%z", utc=False),
    structlog.stdlib.ExtraAdder(),
    _without_celery_data,
)
"""What is known of a record: the ids of its task, its level, its logger, when, and its own facts."""


def _console() -> Processor:
    def column(name: str, shown: Callable[[object], str]) -> Column:
        return Column(name, KeyValueColumnFormatter(None, "", "", value_repr=shown))

    fact = KeyValueColumnFormatter("", "", "", value_repr=_on_one_line)
    return ConsoleRenderer(
        columns=[
            column("timestamp", str),
            column("level", lambda level: str(level).upper()),
            column("logger", str),
            column("event", str),
            *(Column(name, fact) for name in (*BOUND, "")),
        ],
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _on_one_line(value: object) -> str:
    """A fact cannot begin a line of its own, which would pass for another event."""
    return str(value).replace("\r", "\\r").replace("\n", "\\n")


def configure(level: str = "INFO", log_format: str = "console") -> None:
    """Send every log of this process, structlog's own loggers included, through `formatter` to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("alembic", "urllib3", "amqp", "kombu", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_FACTS[:-2],
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
