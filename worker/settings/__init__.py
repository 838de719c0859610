"""The settings of one process, from its environment: the only place that reads it.

table    every setting, its default and its meaning
reading  a variable's text to its value, and every value as a line for a person
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta

from campaigns.errors import BadInput
from campaigns.house import Policy
from campaigns.rules.times import objections
from worker.settings.reading import Row, read, told
from worker.settings.table import Table

__all__ = ["Row", "Settings", "load", "rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Table):
    """Every setting, and what follows from them."""

    @property
    def embedded(self) -> bool:
        """Whether PostgreSQL and Valkey are to come from wheels."""
        return self.database_url is None and self.broker_url is None

    @property
    def sandboxed(self) -> bool:
        """Whether the sandbox gateway is to answer."""
        return self.embedded and self.kavenegar_api_key is None

    @property
    def inbox_schedule(self) -> dict[str, timedelta]:
        """The lines to pull, and how often."""
        return {line: every or self.inbox_every for line, every in self.inbox_lines.items()}

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
            watch=self.account_watch,
            credit_low_rial=self.credit_low,
            ledger_every=self.ledger_every,
            opt_out_words=self.opt_out_words,
            opt_out_anywhere=self.opt_out_anywhere,
            suppress_after=self.suppress_after,
            suppress_sync=self.suppress_sync,
            inbox_reconcile=self.inbox_reconcile,
            inbox_horizon=self.inbox_horizon,
            hand_over=bool(self.inbox_task or self.inbox_webhook),
            account_shared=self.account_shared,
            may_select=self.may_select,
            callbacks=self.callback_token is not None,
            trust_callbacks=self.callback_trust,
            gather=self.callback_gather,
            silence=self.callback_silence,
        )


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this environment. Raises: BadInput that names the variable and what would be right."""
    found = os.environ if environ is None else environ
    settings = Settings(**{each.name: read(each.name, each.metadata, found) for each in fields(Settings)})
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Whether they go together."""
    for objection in objections(
        http_deadline=settings.http_deadline,
        unknown_settle=settings.unknown_settle,
        lease=settings.lease,
        localid_window=settings.localid_window,
        status_window=settings.status_window,
        stuck_after=settings.stuck_after,
    ):
        raise BadInput(objection)
    if settings.pace_fixed is None and settings.pace_start > settings.pace_max:
        raise BadInput("PACE_START must not be above PACE_MAX")
    if settings.inbox_task and settings.inbox_webhook:
        raise BadInput("INBOX_TASK and INBOX_WEBHOOK are both set: one of them is to take inbound messages")
    if settings.inbox_webhook and not settings.inbox_webhook_secret:
        raise BadInput("INBOX_WEBHOOK_SECRET is not set: without a signature nobody can tell whose post it is")


def rows(settings: Settings, environ: Mapping[str, str] | None = None) -> Iterator[Row]:
    """Every setting as a line for a person; secrets are only said to be set or not."""
    found = os.environ if environ is None else environ
    return (told(each.name, each.metadata, getattr(settings, each.name), found) for each in fields(settings))
