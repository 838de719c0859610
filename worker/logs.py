"""Logs are events with ids: one line each, past tense, constant words, facts as fields.

Whatever is logged, by us or by a library, passes one door on its way out, where keys and numbers are blotted out.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Final

from celery import current_task
from celery.signals import setup_logging

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}

_NUMBER: Final = re.compile(
    r"(?<!\d)(?:(?:\+|[0۰٠]{2})?[9۹٩][8۸٨]|[0۰٠])?[9۹٩]\d{5}(\d{4})(?!\d)"
)  # in Latin, Persian and Arabic digits
_KEY_IN_URL: Final = re.compile(r"(/v1/)[^/\s'\"]+(?=/)")
_TOKEN_IN_URL: Final = re.compile(r"(/callbacks/)[^/\s'\"?#]+")
_PASSWORD_IN_URL: Final = re.compile(r"(\w+://[^:/\s@]*:)\S+(?=@)")


def redact(text: str) -> str:
    """`text` without keys, tokens and passwords in URLs, or all but the last four digits of mobile numbers."""
    text = _KEY_IN_URL.sub(r"\1***", text)
    text = _TOKEN_IN_URL.sub(r"\1***", text)
    text = _PASSWORD_IN_URL.sub(r"\1***", text)
    return _NUMBER.sub(r"09***\1", text)


def first_line(error: BaseException | None) -> str:
    """What a server says went wrong, redacted. A row's values stand below the first line, which is all that is told."""
    return redact(str(error).strip().partition("\n")[0])


class Lines(logging.Formatter):
    """`2026-11-23T05:10:31 INFO worker.tasks batch accepted batch_id=17 task=campaigns.send_batch`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")

    def format(self, record: logging.LogRecord) -> str:
        """One line, or more for a traceback; always redacted, the traceback included."""
        facts = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if current_task:
            facts["task"] = current_task.name
        line = super().format(record)
        first, newline, rest = line.partition("\n")
        told = " ".join(f"{name}={_on_one_line(value)}" for name, value in facts.items())
        return redact(f"{first} {told}".rstrip() + newline + rest)


def _on_one_line(value: object) -> str:
    """A fact cannot begin a line of its own, which would pass for another event."""
    return str(value).replace("\r", "\\r").replace("\n", "\\n")


def configure(level: str = "INFO") -> None:
    """Send every log of this process through `Lines` to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("alembic", "urllib3", "amqp", "kombu", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@setup_logging.connect(weak=False)
def _for_celery(loglevel: int | str | None = None, **_: Any) -> None:
    configure(logging.getLevelName(loglevel) if isinstance(loglevel, int) else loglevel or "INFO")
