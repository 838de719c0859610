"""Every setting with its type, its default and its meaning, for `campaigns settings` and the README's table.

The defaults of the stages' settings are in `campaigns/context.Policy`; a default that is a limit of the gateway stands
beside that limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, PlainValidator, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from kavenegar_campaigns.context import Policy
from kavenegar_campaigns.rules.text import MAX_CHARACTERS
from kavenegar_worker import addresses
from kavenegar_worker.settings import parsers

POLICY: Final = Policy()


def secret(parse: Callable[[str], str]) -> PlainValidator:
    """Return a validator that parses the text of a secret and keeps it secret."""
    return PlainValidator(lambda text: SecretStr(parse(text.get_secret_value())))


Duration = Annotated[timedelta, PlainValidator(parsers.lasting)]
Count = Annotated[int, PlainValidator(parsers.count)]
Rate = Annotated[float, PlainValidator(parsers.positive)]
YesNo = Annotated[bool, PlainValidator(parsers.yes_or_no)]
NameAndPassword = Annotated[SecretStr | None, secret(parsers.name_and_password)]


class Settings(BaseSettings):
    """The settings of one process. The environment variable of a field is its name in capitals.

    A SecretStr may also be in a file that `…_FILE` names, and is never shown; a field with `repr=False` is never quoted
    in an error. `settings.load` makes it from the environment; made directly, every field has its default.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    database_url: Annotated[SecretStr | None, secret(addresses.database_url)] = Field(
        None, description="PostgreSQL; without it and CAMPAIGNS_BROKER_URL, commands start both embedded"
    )
    campaigns_broker_url: Annotated[SecretStr | None, secret(addresses.broker_url)] = Field(
        None,
        description="Redis or Valkey, our broker and the pace (where unset, BROKER_URL counts); rediss:// for TLS, "
        "verified unless ?ssl_cert_reqs=none",
    )
    kavenegar_api_key: Annotated[SecretStr | None, secret(parsers.api_key)] = Field(
        None,
        description="the account's key (or KAVENEGAR_API_KEY_FILE, read anew when it changes); embedded: else the "
        "sandbox",
    )
    kavenegar_base_url: Annotated[str, PlainValidator(addresses.http_url)] = Field(
        "https://api.kavenegar.com", repr=False, description="where the gateway is"
    )
    kavenegar_sender: str | None = Field(None, description="the line that sends, where a campaign names none")
    campaigns_home: Path = Field(Path(".campaigns"), description="where embedded servers keep their data and logs")
    intake_folder: Path | None = Field(
        None, description="the folder that the task campaigns.create may read recipients and texts from"
    )
    max_characters: Count = Field(MAX_CHARACTERS, description="the longest text the gateway takes")

    # ── the times of a batch ──

    status_window: Duration = Field(POLICY.status_window, description="how long the gateway tells a message's status")
    status_polls: Annotated[Sequence[timedelta], PlainValidator(parsers.durations)] = Field(
        POLICY.status_polls, description="ages at which a message's status is asked for"
    )
    localid_window: Duration = Field(
        POLICY.localid_window, description="how long the gateway can be asked by our own ids"
    )
    unknown_grace: Duration = Field(
        POLICY.unknown_grace, description="how long an unanswered request is left alone; at least HTTP_DEADLINE"
    )
    lease: Duration = Field(
        POLICY.lease, description="how long a claim holds; at least HTTP_DEADLINE plus UNKNOWN_GRACE"
    )
    http_deadline: Duration = Field(POLICY.deadline, description="how long one call to the gateway may take in all")
    reenqueue_after: Duration = Field(
        POLICY.reenqueue_after, description="a task that no worker has taken is enqueued again after this time"
    )
    stuck_after: Duration = Field(
        timedelta(seconds=60),
        description="a worker that takes nothing for so long while messages wait for it ends itself (75)",
    )

    # ── the account, suppression ──

    hold_recheck: Duration = Field(POLICY.hold_recheck, description="how often an account on hold is checked again")
    account_watch: Duration = Field(
        POLICY.account_watch, description="how often the account's credit and settings are checked"
    )
    credit_low: Count = Field(POLICY.credit_low_rial, description="rial; a credit below this is warned of")
    ledger_every: Duration = Field(
        POLICY.ledger_every, description="how often the last three days are counted for `campaigns ledger`"
    )
    opt_out_words: Annotated[Sequence[str], PlainValidator(parsers.words)] = Field(
        POLICY.opt_out_words,
        description="a message that is one of these, however it is written, opts its sender out",
    )
    opt_out_anywhere: YesNo = Field(
        POLICY.opt_out_anywhere, description="whether such a word (never a bare number) counts within a sentence, too"
    )
    suppress_after: Annotated[int, PlainValidator(parsers.whole)] = Field(
        POLICY.suppress_after,
        description="a number that so many messages in a row did not reach gets no more; 0: no limit",
    )
    suppress_sync: Annotated[timedelta, PlainValidator(parsers.lasting_or_never)] = Field(
        POLICY.suppress_sync, description="how often the gateway's block lists are synchronised; 0 or off: never"
    )

    # ── inbound messages ──

    inbox_lines: Annotated[Mapping[str, timedelta | None], PlainValidator(parsers.lines)] = Field(
        {}, description="the lines to pull, each with an interval or without: 10004346,30002626=5m"
    )
    inbox_every: Annotated[timedelta, PlainValidator(parsers.at_least_a_second)] = Field(
        timedelta(minutes=1), description="how often a line without an interval of its own is pulled"
    )
    inbox_reconcile: Duration = Field(
        POLICY.inbox_reconcile, description="how often a line's last two days are searched for what others have read"
    )
    inbox_lookback: Duration = Field(
        POLICY.inbox_lookback, description="how far back a lost answer is searched on a line that was never complete"
    )
    inbox_task: str | None = Field(
        None, description="the Celery task of yours that gets the id of each inbound message"
    )
    inbox_task_queue: str = Field("celery", description="the queue that INBOX_TASK is sent to")
    inbox_task_broker: Annotated[SecretStr | None, secret(addresses.broker_url)] = Field(
        None,
        description="the Redis or Valkey that INBOX_TASK is sent to, where your workers use another broker than ours "
        "(or INBOX_TASK_BROKER_FILE)",
    )
    inbox_webhook: Annotated[SecretStr | None, secret(addresses.web_address)] = Field(
        None,
        description="where each inbound message is posted to, signed, until it is taken (2xx) (or INBOX_WEBHOOK_FILE)",
    )
    inbox_webhook_secret: Annotated[SecretStr | None, secret(parsers.webhook_secret)] = Field(
        None, description="what INBOX_WEBHOOK is signed with, whsec_ and base64 (or INBOX_WEBHOOK_SECRET_FILE)"
    )

    # ── the gateway and its pace ──

    select_allowed: YesNo = Field(
        POLICY.select_allowed,
        description="whether our address is registered for sms/select: resolving then looks closer",
    )
    account_shared: YesNo = Field(
        POLICY.account_shared,
        description="whether other software sends on this account: then more in the gateway's outbox than here is no "
        "alarm",
    )
    pace_start: Rate = Field(5.0, description="calls a second to start with, before anything is learnt")
    pace_max: Rate = Field(20.0, description="calls a second never to exceed; raise it where the gateway may take more")
    pace_fixed: Annotated[float | None, PlainValidator(parsers.positive)] = Field(
        None,
        description="the limit, where it is known: calls keep to 99 % of it, and PACE_START and PACE_MAX mean nothing",
    )
    pace_egress: str = Field("default", description="hosts that call from one address share this name, and one pace")
    pace_name: str | None = Field(
        None,
        description="stands for the account's key where the pace is looked up, for processes without the key",
    )

    # ── the processes ──

    send_threads: Count = Field(24, description="threads of the worker that sends")
    poll_threads: Count = Field(8, description="threads of the worker that polls and dispatches")
    flower_address: str = Field("127.0.0.1", description="the address at which Flower listens")
    flower_port: Count = Field(5555, description="the port of FLOWER_ADDRESS")
    flower_basic_auth: NameAndPassword = Field(
        None, description="name:password that a browser has to send to Flower (or FLOWER_BASIC_AUTH_FILE)"
    )
    flower_max_tasks: Count = Field(
        10_000, description="how many tasks Flower keeps in memory, about 5 kB each; older ones go"
    )
    metrics_address: str = Field("127.0.0.1", description="the address at which Prometheus finds us")
    metrics_port: Count = Field(9540, description="the port of METRICS_ADDRESS")
    metrics_basic_auth: NameAndPassword = Field(
        None, description="name:password that Prometheus has to send (or METRICS_BASIC_AUTH_FILE)"
    )
    web_address: str = Field("127.0.0.1", description="the address at which callbacks come in")
    web_port: Count = Field(8580, description="the port of WEB_ADDRESS")

    # ── callbacks ──

    callback_token: Annotated[SecretStr | None, secret(parsers.callback_token)] = Field(
        None,
        description="the secret in the callbacks' address (or CALLBACK_TOKEN_FILE); with it, callbacks are expected",
    )
    callback_trust: YesNo = Field(
        POLICY.trust_callbacks, description="whether callbacks are taken for true; else the gateway is asked"
    )
    callback_rate: Rate = Field(
        200.0, description="callbacks a second to take, however many a call carries; the others come again"
    )
    callback_backlog_max: Count = Field(1_000_000, description="how many callbacks may wait to be processed")
    callback_batch_window: Duration = Field(
        POLICY.callback_batch_window,
        description="messages with a callback in the same window are asked about in one call",
    )
    callback_timeout: Duration = Field(
        POLICY.callback_timeout, description="after this long without a callback, polls return to the full STATUS_POLLS"
    )

    log_level: Annotated[str, PlainValidator(parsers.log_level)] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR; beat alone: WARNING"
    )
    log_format: Annotated[str, PlainValidator(parsers.log_format)] = Field(
        "console", description="console: lines for a person; json: an object a line, for a program"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing by pydantic-settings' own rules: `settings.load` says where a value comes from."""
        return ()

    @property
    def embedded(self) -> bool:
        """Return whether no address is set: a command then runs the embedded PostgreSQL and Valkey, from wheels."""
        return self.database_url is None and self.campaigns_broker_url is None

    @property
    def sandboxed(self) -> bool:
        """Return whether this process uses the sandbox gateway."""
        return self.embedded and self.kavenegar_api_key is None

    @property
    def inbox_schedule(self) -> dict[str, timedelta]:
        """Return the lines to pull, each with its interval."""
        return {line: every or self.inbox_every for line, every in self.inbox_lines.items()}

    def policy(self) -> Policy:
        """Return the times and options of the stages."""
        return Policy(
            lease=self.lease,
            deadline=self.http_deadline,
            unknown_grace=self.unknown_grace,
            localid_window=self.localid_window,
            status_window=self.status_window,
            status_polls=self.status_polls,
            reenqueue_after=self.reenqueue_after,
            hold_recheck=self.hold_recheck,
            account_watch=self.account_watch,
            credit_low_rial=self.credit_low,
            ledger_every=self.ledger_every,
            opt_out_words=self.opt_out_words,
            opt_out_anywhere=self.opt_out_anywhere,
            suppress_after=self.suppress_after,
            suppress_sync=self.suppress_sync,
            inbox_reconcile=self.inbox_reconcile,
            inbox_lookback=self.inbox_lookback,
            deliver_inbound=bool(self.inbox_task or self.inbox_webhook),
            account_shared=self.account_shared,
            select_allowed=self.select_allowed,
            callbacks_expected=self.callback_token is not None,
            trust_callbacks=self.callback_trust,
            callback_batch_window=self.callback_batch_window,
            callback_timeout=self.callback_timeout,
        )
