"""Every setting, its default and its meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from campaigns.rules import optout, suppression
from worker.addresses import database_url, host_alone, http_url, web_address
from worker.broker_address import broker_url
from worker.spelling import (
    api_key,
    at_least_a_second,
    callback_token,
    count,
    durations,
    lasting,
    lasting_or_never,
    lines,
    log_format,
    log_level,
    name_and_password,
    positive,
    webhook_secret,
    whole,
    words,
    yes_or_no,
)


def _about(
    default: str | None,
    parse: Callable[[str], Any],
    meaning: str,
    *,
    secret: bool = False,
    quoted: bool = True,
    shown: Callable[[str], str] | None = None,
) -> dict[str, Any]:
    """`secret`: may come from a file; nobody sees more of it than `shown` leaves. `quoted`: a refusal may quote it."""
    return {
        "default": default,
        "parse": parse,
        "meaning": meaning,
        "secret": secret,
        "quoted": quoted and not secret,
        "shown": shown,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A field's environment variable is its name in capitals."""

    database_url: str | None = field(
        repr=False,
        metadata=_about(None, database_url, "PostgreSQL; without it and BROKER_URL both come embedded", secret=True),
    )
    broker_url: str | None = field(
        repr=False,
        metadata=_about(
            None,
            broker_url,
            "Redis or Valkey: Celery's broker and the pace; rediss:// for TLS, verified unless ?ssl_cert_reqs=none",
            secret=True,
        ),
    )
    kavenegar_api_key: str | None = field(
        repr=False,
        metadata=_about(
            None,
            api_key,
            "the account's key (or KAVENEGAR_API_KEY_FILE, read anew when it changes); embedded: else the sandbox",
            secret=True,
        ),
    )
    kavenegar_base_url: str = field(
        metadata=_about("https://api.kavenegar.com", http_url, "where the gateway is", quoted=False)
    )
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
        metadata=_about("90s", lasting, "how long an unanswered request is left alone; at least HTTP_DEADLINE")
    )
    lease: timedelta = field(
        metadata=_about("120s", lasting, "how long a claim holds; at least HTTP_DEADLINE plus UNKNOWN_SETTLE")
    )
    http_deadline: timedelta = field(
        metadata=_about("30s", lasting, "how long one call to the gateway may take in all")
    )
    ring_again: timedelta = field(metadata=_about("10s", lasting, "when a ring that nobody answered is rung again"))
    stuck_after: timedelta = field(
        metadata=_about(
            "60s", lasting, "a worker that takes nothing for so long while messages wait for it ends itself (75)"
        )
    )
    account_probe: timedelta = field(metadata=_about("60s", lasting, "between two looks at an account on hold"))
    account_watch: timedelta = field(
        metadata=_about("5m", lasting, "between two looks at the account's credit and settings")
    )
    credit_low: int = field(metadata=_about("1000000", count, "rial; a credit below this is warned of"))
    ledger_every: timedelta = field(
        metadata=_about("1h", lasting, "how often the last three days are counted for `campaigns ledger`")
    )
    opt_out_words: Sequence[str] = field(
        metadata=_about(
            ",".join(optout.WORDS), words, "a message that is one of these, however it is written, opts its sender out"
        )
    )
    opt_out_anywhere: bool = field(
        metadata=_about("no", yes_or_no, "whether such a word (never a bare number) counts within a sentence, too")
    )
    suppress_after: int = field(
        metadata=_about(
            str(suppression.AFTER),
            whole,
            "a number that so many messages in a row did not reach gets no more; 0: no limit",
        )
    )
    suppress_sync: timedelta = field(
        metadata=_about("1h", lasting_or_never, "how often the gateway's block lists are synchronised; 0 or off: never")
    )
    inbox_lines: Mapping[str, timedelta | None] = field(
        metadata=_about("", lines, "the lines to pull, each with an interval or without: 10004346,30002626=5m")
    )
    inbox_every: timedelta = field(
        metadata=_about("1m", at_least_a_second, "how often a line without an interval of its own is pulled")
    )
    inbox_reconcile: timedelta = field(
        metadata=_about("1h", lasting, "how often a line's last two days are gone through for what others have read")
    )
    inbox_horizon: timedelta = field(
        metadata=_about("60d", lasting, "how far back a lost answer is searched on a line that was never complete")
    )
    inbox_task: str | None = field(
        metadata=_about(None, str.strip, "the Celery task of yours that is rung with the id of each inbound message")
    )
    inbox_task_queue: str = field(metadata=_about("celery", str.strip, "the queue that INBOX_TASK is rung on"))
    inbox_webhook: str | None = field(
        repr=False,
        metadata=_about(
            None,
            web_address,
            "where each inbound message is posted to, signed, until it is taken (2xx) (or INBOX_WEBHOOK_FILE)",
            secret=True,
            shown=host_alone,
        ),
    )
    inbox_webhook_secret: str | None = field(
        repr=False,
        metadata=_about(
            None,
            webhook_secret,
            "what INBOX_WEBHOOK is signed with, whsec_ and base64 (or INBOX_WEBHOOK_SECRET_FILE)",
            secret=True,
        ),
    )
    may_select: bool = field(
        metadata=_about(
            "no", yes_or_no, "whether our address is registered for sms/select: resolving then looks closer"
        )
    )
    account_shared: bool = field(
        metadata=_about(
            "no",
            yes_or_no,
            "whether other software sends on this account: then more in the gateway's outbox than here is no alarm",
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
    flower_address: str = field(metadata=_about("127.0.0.1", str.strip, "the address at which Flower listens"))
    flower_port: int = field(metadata=_about("5555", count, "the port of FLOWER_ADDRESS"))
    flower_basic_auth: str | None = field(
        repr=False,
        metadata=_about(
            None,
            name_and_password,
            "name:password that a browser has to send to Flower (or FLOWER_BASIC_AUTH_FILE)",
            secret=True,
        ),
    )
    flower_max_tasks: int = field(
        metadata=_about("10000", count, "how many tasks Flower keeps in memory, about 5 kB each; older ones go")
    )
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
    web_address: str = field(metadata=_about("127.0.0.1", str.strip, "the address at which callbacks come in"))
    web_port: int = field(metadata=_about("8580", count, "the port of WEB_ADDRESS"))
    callback_token: str | None = field(
        repr=False,
        metadata=_about(
            None,
            callback_token,
            "the secret in the callbacks' address (or CALLBACK_TOKEN_FILE); with it, callbacks are expected",
            secret=True,
        ),
    )
    callback_trust: bool = field(
        metadata=_about("no", yes_or_no, "whether callbacks are taken for true; else they are a reason to ask")
    )
    callback_rate: float = field(
        metadata=_about(
            "200", positive, "callbacks a second to take, however many a call carries; the others come again"
        )
    )
    callback_parked: int = field(metadata=_about("1000000", count, "callbacks that may wait to be heeded"))
    callback_gather: timedelta = field(
        metadata=_about("20s", lasting, "callbacks of such a span are asked about together")
    )
    callback_silence: timedelta = field(
        metadata=_about("10m", lasting, "when callbacks that stay away are no longer leaned on: polls are as without")
    )
    log_level: str = field(metadata=_about("INFO", log_level, "DEBUG, INFO, WARNING or ERROR; beat alone: WARNING"))
    log_format: str = field(
        metadata=_about("console", log_format, "console: lines for a person; json: an object a line, for a program")
    )
