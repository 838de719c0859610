"""Every setting, its default and its meaning, in one table. The only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from campaigns.errors import BadInput
from campaigns.house import Policy
from worker.spelling import (
    api_key,
    broker_url,
    count,
    database_url,
    duration,
    durations,
    http_url,
    lasting,
    log_level,
    name_and_password,
    positive,
    yes_or_no,
)


def _about(default: str | None, parse: Callable[[str], Any], meaning: str, *, secret: bool = False) -> dict[str, Any]:
    return {"default": default, "parse": parse, "meaning": meaning, "secret": secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. A field's environment variable is its name in capitals."""

    database_url: str | None = field(
        repr=False,
        metadata=_about(None, database_url, "PostgreSQL; without it and BROKER_URL both come embedded", secret=True),
    )
    broker_url: str | None = field(
        repr=False, metadata=_about(None, broker_url, "Redis or Valkey: Celery's broker and the pace", secret=True)
    )
    kavenegar_api_key: str | None = field(
        repr=False,
        metadata=_about(
            None,
            api_key,
            "the account's key (or KAVENEGAR_API_KEY_FILE); embedded and without it, the sandbox answers",
            secret=True,
        ),
    )
    kavenegar_base_url: str = field(metadata=_about("https://api.kavenegar.com", http_url, "where the gateway is"))
    kavenegar_sender: str | None = field(
        metadata=_about(None, str.strip, "the line that sends, where a campaign names none")
    )
    campaigns_home: Path = field(metadata=_about(".campaigns", Path, "where embedded servers keep their data and logs"))
    intake_folder: Path | None = field(
        metadata=_about(None, Path, "the folder that the task campaigns.create may read recipients and texts from")
    )
    max_characters: int = field(metadata=_about("900", count, "the longest text the gateway takes"))
    status_window: timedelta = field(metadata=_about("48h", lasting, "how long the gateway tells a message's status"))
    status_polls: Sequence[timedelta] = field(
        metadata=_about(
            "5m,10m,20m,40m,80m,3h,6h,12h,24h,36h,44h,47h", durations, "ages at which a message is asked about"
        )
    )
    localid_window: timedelta = field(
        metadata=_about("12h", lasting, "how long the gateway can be asked by our own ids")
    )
    unknown_settle: timedelta = field(
        metadata=_about("90s", duration, "how long an unanswered request is left alone before asking")
    )
    lease: timedelta = field(
        metadata=_about("120s", lasting, "how long a claim holds; longer than HTTP_DEADLINE and its waits")
    )
    http_deadline: timedelta = field(
        metadata=_about("30s", lasting, "how long one call to the gateway may take in all")
    )
    ring_again: timedelta = field(metadata=_about("10s", lasting, "when a ring that nobody answered is rung again"))
    stuck_after: timedelta = field(
        metadata=_about("60s", lasting, "a worker that consumes nothing for so long while work is due ends itself")
    )
    account_probe: timedelta = field(metadata=_about("60s", lasting, "between two looks at an account on hold"))
    may_select: bool = field(
        metadata=_about(
            "no", yes_or_no, "whether our address is registered for sms/select: resolving then looks closer"
        )
    )
    pace_start: float = field(metadata=_about("5", positive, "calls a second to start with, before anything is learnt"))
    pace_max: float = field(
        metadata=_about("20", positive, "calls a second never to exceed; raise it where the gateway may take more")
    )
    pace_fixed: float | None = field(
        metadata=_about(
            None,
            positive,
            "the limit, where it is known: calls keep to 99 % of it, and PACE_START and PACE_MAX mean nothing",
        )
    )
    pace_egress: str = field(
        metadata=_about("default", str.strip, "hosts that call from one address share this name, and one pace")
    )
    pace_name: str | None = field(
        metadata=_about(
            None, str.strip, "stands for the account's key where the pace is looked up, for processes without the key"
        )
    )
    send_threads: int = field(metadata=_about("24", count, "threads of the worker that sends"))
    poll_threads: int = field(metadata=_about("8", count, "threads of the worker that polls and dispatches"))
    flower_port: int = field(metadata=_about("5555", count, "where Flower listens"))
    metrics_address: str = field(metadata=_about("127.0.0.1", str.strip, "the address at which Prometheus finds us"))
    metrics_port: int = field(metadata=_about("9540", count, "the port of METRICS_ADDRESS"))
    metrics_basic_auth: str | None = field(
        repr=False,
        metadata=_about(
            None,
            name_and_password,
            "name:password that Prometheus has to send (or METRICS_BASIC_AUTH_FILE)",
            secret=True,
        ),
    )
    log_level: str = field(metadata=_about("INFO", log_level, "DEBUG, INFO, WARNING or ERROR"))

    @property
    def embedded(self) -> bool:
        """Whether PostgreSQL and Valkey are to come from wheels."""
        return self.database_url is None and self.broker_url is None

    @property
    def sandboxed(self) -> bool:
        """Whether the sandbox gateway is to answer."""
        return self.embedded and self.kavenegar_api_key is None

    def policy(self) -> Policy:
        """The times the stations keep."""
        return Policy(
            lease=self.lease,
            deadline=self.http_deadline,
            settle=self.unknown_settle,
            localid_window=self.localid_window,
            status_window=self.status_window,
            status_polls=self.status_polls,
            ring_again=self.ring_again,
            probe=self.account_probe,
            may_select=self.may_select,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `campaigns settings`."""

    name: str
    value: str
    default: str
    meaning: str


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this environment. Raises: BadInput that names the variable and what would be right."""
    found = os.environ if environ is None else environ
    settings = Settings(**{each.name: _read(each.name, each.metadata, found) for each in fields(Settings)})
    if settings.lease < settings.http_deadline + settings.unknown_settle:
        raise BadInput(
            "LEASE must be at least HTTP_DEADLINE and UNKNOWN_SETTLE together: once it lapses, the gateway is asked at "
            "once, and must have had its time"
        )
    if settings.pace_fixed is None and settings.pace_start > settings.pace_max:
        raise BadInput("PACE_START must not be above PACE_MAX")
    return settings


def _read(name: str, about: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    variable = name.upper()
    text = _text(variable, environ, secret=about["secret"])
    text = about["default"] if text is None else text
    if text is None:
        return None
    try:
        return about["parse"](text)
    except ValueError as why:
        shown = "its value" if about["secret"] else repr(text)
        raise BadInput(f"{variable}: {shown} is not {why}") from None


def _text(variable: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    """A variable's text; a secret may stand in a file that `…_FILE` names. An empty variable counts as unset."""
    path = environ.get(f"{variable}_FILE") if secret else None
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except OSError as why:
            raise BadInput(f"{variable}_FILE: {path} cannot be read: {why.strerror}") from None
        except UnicodeDecodeError:
            raise BadInput(f"{variable}_FILE: {path} is not a text file") from None
    return environ.get(variable, "").strip() or None


def rows(settings: Settings, environ: Mapping[str, str] | None = None) -> Iterator[Row]:
    """Every setting as a line for a person; secrets are only said to be set or not."""
    found = os.environ if environ is None else environ
    for each in fields(settings):
        about, variable = each.metadata, each.name.upper()
        value = getattr(settings, each.name)
        text = _text(variable, found, secret=about["secret"])
        if about["secret"]:
            shown = "set" if value else "not set"
        else:
            shown = text if text is not None else about["default"] or "not set"
        yield Row(variable, shown, about["default"] or "", about["meaning"])
