"""Read the environment into `Settings`, and report all wrong values at once; list `Settings` for a person."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.batches import incompatible_times
from kavenegar_worker.addresses import host_only
from kavenegar_worker.settings import Unreadable, old_names, text_of, variable_of
from kavenegar_worker.settings.model import Settings

log = logging.getLogger(__name__)

SHOWN: Final[Mapping[str, Callable[[str], str]]] = {"inbox_webhook": host_only}
"""Secrets that a person may see in part, each with the function that returns this part."""

_UNITS: Final = (("d", 86_400, 3), ("h", 3_600, 1), ("m", 60, 1))
"""Name of a unit, its seconds, and the smallest count written in it: a day is written as 24h, two days as 48h."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `campaigns settings`."""

    name: str
    value: str
    default: str
    meaning: str


class Variables(PydanticBaseSettingsSource):
    """The environment as a source of pydantic-settings. The text of a secret is a SecretStr from here on."""

    def __init__(self, environ: Mapping[str, str], *, without: Collection[str] = ()) -> None:
        """Read from `environ`. The settings named in `without` keep their defaults."""
        super().__init__(Settings)
        self._environ = environ
        self._without = without
        self.unreadable: dict[str, str] = {}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of one setting, its name, and False: no value is JSON. Raises: Unreadable."""
        secret = is_secret(field)
        text = text_of(field_name.upper(), self._environ, secret=secret)
        return SecretStr(text) if secret and text is not None else text, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the text of every setting that is set. The errors of unreadable ones go to `unreadable`, by name."""
        found = {}
        for name, field in Settings.model_fields.items():
            if name in self._without:
                continue
            try:
                text, _, _ = self.get_field_value(field, name)
            except Unreadable as why:
                self.unreadable[name] = str(why)
            else:
                if text is not None:
                    found[name] = text
        return found


def is_secret(field: FieldInfo) -> bool:
    """Return whether a setting is a secret: its value may come from a file and is never shown."""
    return field.annotation == SecretStr | None


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises: BadInput with a line for every variable that is wrong."""
    for sentence in old_names(environ):
        log.warning(sentence)
    variables, wrong = Variables(environ), dict[str, str]()
    try:
        settings = _model(variables)
    except ValidationError as why:
        wrong = dict(_sentences(why, environ))
        settings = _model(Variables(environ, without=wrong))
    wrong |= variables.unreadable
    named = {name.upper() for name in wrong}
    problems = [*wrong.values(), *(each for each in _disagreements(settings) if named.isdisjoint(_words(each)))]
    if problems:
        raise BadInput("\n".join(problems))
    return settings


def _model(variables: Variables) -> Settings:
    sources: dict[str, Any] = {"_build_sources": ((variables,), {})}
    return Settings(**sources)


def _sentences(why: ValidationError, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting with a wrong text, and our sentence about its variable."""
    for error in why.errors(include_url=False):
        name = str(error["loc"][0])
        field = Settings.model_fields[name]
        shown = repr(error["input"]) if field.repr and not is_secret(field) else "its value"
        right = error.get("ctx", {}).get("error", error["msg"])
        yield name, f"{variable_of(name.upper(), environ)}: {shown} is not {right}"


def _disagreements(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each group of incompatible settings."""
    yield from incompatible_times(
        http_deadline=settings.http_deadline,
        unknown_grace=settings.unknown_grace,
        lease=settings.lease,
        localid_window=settings.localid_window,
        status_window=settings.status_window,
        stuck_after=settings.stuck_after,
    )
    if settings.pace_fixed is None and settings.pace_start > settings.pace_max:
        yield "PACE_START must not be above PACE_MAX"
    if settings.inbox_task and settings.inbox_webhook:
        yield "INBOX_TASK and INBOX_WEBHOOK are both set: one of them is to take inbound messages"
    if settings.inbox_task_broker and not settings.inbox_task:
        yield "INBOX_TASK_BROKER is set, and INBOX_TASK is not: it names the task that is sent there"
    if settings.inbox_webhook and not settings.inbox_webhook_secret:
        yield "INBOX_WEBHOOK_SECRET is not set: without a signature nobody can tell whose post it is"


def _words(sentence: str) -> list[str]:
    """Return the words of a sentence, to find its settings: they are compared only where each could be read."""
    return re.findall(r"\w+", sentence)


def rows(settings: Settings, environ: Mapping[str, str]) -> Iterator[Row]:
    """Yield every setting as a line for a person."""
    for name, field in Settings.model_fields.items():
        default = written(field.default)
        if is_secret(field):
            shown = _shown(name, getattr(settings, name))
        else:
            shown = text_of(name.upper(), environ, secret=False) or default or "not set"
        yield Row(name.upper(), shown, default, str(field.description))


def _shown(name: str, value: SecretStr | None) -> str:
    if value is None:
        return "not set"
    return SHOWN[name](value.get_secret_value()) if name in SHOWN else "set"


def written(value: object) -> str:
    """Return a default as a person writes it in a variable: 90s, 5m,10m, yes, 20. Empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple, dict)):
        return ",".join(map(written, value))
    return str(value)


def _duration(value: timedelta) -> str:
    """Return 120s rather than 2m, and 48h rather than 2d: two of a unit are written in the next smaller one."""
    seconds = int(value.total_seconds())
    for unit, length, least in _UNITS:
        count, rest = divmod(seconds, length)
        if not rest and count >= least and count != 2:
            return f"{count}{unit}"
    return f"{seconds}s"
