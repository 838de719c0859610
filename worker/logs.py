"""Logs are events with ids: one line each, past tense, constant words, facts as fields.

Every module logs with the standard library's `logging`, as other libraries do, and structlog renders all records: for a
person (LOG_FORMAT=console) or as JSON (LOG_FORMAT=json). One processor, `redact_event`, removes keys, passwords, texts
and full numbers from every record, of our modules and of libraries, before it is rendered.
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
"""Characters of the shortest text that one of these patterns can match."""

BOUND: Final = ("task", "task_id", "campaign_id", "batch_id", "otp_id", "line")
"""Fields of every record of a task, in the order in which a person reads them."""

SECRET_FACTS: Final = frozenset({"api_key", "apikey", "authorization", "body", "password", "secret", "text", "token"})
"""Names of fields whose value is never logged."""


def redact(text: str) -> str:
    """Return `text` without keys, tokens and passwords in URLs; of mobile numbers only the last four digits stay."""
    if len(text) < _SHORTEST:
        return text
    if "/" in text:
        text = _KEY_IN_URL.sub(r"\1***", text)
        text = _TOKEN_IN_URL.sub(r"\1***", text)
        text = _PASSWORD_IN_URL.sub(r"\1***", text)
    return _NUMBER.sub(r"09***\1", text)


def first_line(error: BaseException | None) -> str:
    """Return the first line of a server's error, redacted. Only the lines below it hold a row's values."""
    return redact(str(error).strip().partition("\n")[0])


def redact_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Redact every value of an event, the traceback included. A structlog processor."""
    return {
        redact(str(name)): "***" if str(name).lower() in SECRET_FACTS else _redacted(value)
        for name, value in event.items()
    }


def _redacted(value: object) -> object:
    """Return the value as a JSON type, redacted. A value that is no number, list or mapping becomes its text."""
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
    """Return the formatter of all records: `console` for a person, `json` for a program.

    `2026-11-23T05:10:31 WARNING kavenegar_worker.tasks batch outcome unknown task=campaigns.send_batch batch_id=7`.
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
    """Remove the fields that Celery adds to its own records: a task's arguments, once more."""
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
"""Processors that add a record's fields: the ids of its task, its level, its logger, its time, and its own fields."""


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
    """Return a field's value on one line: a value with a line end would look like another event."""
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
