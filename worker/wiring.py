"""Builds the context once for each process: the settings, the servers' addresses, and the parts on top of them.

Parts that depend on the API key are built again when the key file holds another key: see `key_file`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

import redis
from sqlalchemy import Engine

from kavenegar_campaigns.api import admin, work
from kavenegar_campaigns.context import (
    Client,
    Context,
    Database,
    PacedClient,
    Throttle,
    connect_redis,
    key_label,
    make_engine,
)
from kavenegar_campaigns.errors import BadInput
from kavenegar_worker import extras
from kavenegar_worker.settings import KeyFile, load, path_of_key, revealed

if TYPE_CHECKING:  # importing pydantic takes a tenth of a second
    from kavenegar_worker.settings.model import Settings


@dataclass(frozen=True, slots=True, repr=False)
class Endpoints:
    """The addresses of this process's servers. Holds secrets: it has no repr."""

    database_url: str
    broker_url: str | None
    base_url: str
    api_key: str | None


@cache
def settings() -> Settings:
    """Return the settings of this process. Raises: BadInput."""
    return load()


KEYS_CACHED: Final = 2
"""API keys whose parts are kept: the present key's, and the previous key's for the tasks that still use it."""


REQUIRED: Final = ("DATABASE_URL", "CAMPAIGNS_BROKER_URL", "KAVENEGAR_API_KEY")
"""The settings of a process that sends: none of them has a default."""

_embedded_servers_allowed = False


def allow_embedded_servers() -> None:
    """Let this process start embedded servers where no address is set.

    Only commands call this: a function called in a web process must not start a database and a gateway beside it.
    """
    global _embedded_servers_allowed  # noqa: PLW0603 - it belongs to the process, like the caches below
    _embedded_servers_allowed = True


def endpoints() -> Endpoints:
    """Return the servers' addresses. With neither address set, a command starts embedded servers and migrates them.

    Raises: BadInput when an address is missing, or the embedded servers cannot run here.
    """
    where, file = _fixed_endpoints(), _key_file()
    return where if file is None else replace(where, api_key=file.key())


@cache
def _key_file() -> KeyFile | None:
    path = path_of_key()
    return None if path is None else KeyFile(path, revealed(settings().kavenegar_api_key))


@cache
def _fixed_endpoints() -> Endpoints:
    chosen = settings()
    if chosen.embedded and _embedded_servers_allowed:
        return _embedded_endpoints(chosen)
    database_url = revealed(chosen.database_url)
    if database_url is None:
        raise BadInput(_missing_addresses(chosen))
    api_key = revealed(chosen.kavenegar_api_key)
    return Endpoints(database_url, revealed(chosen.campaigns_broker_url), chosen.kavenegar_base_url, api_key)


def _missing_addresses(chosen: Settings) -> str:
    """Return the sentence that names every setting that this process lacks."""
    if _embedded_servers_allowed:
        return "DATABASE_URL is not set, but CAMPAIGNS_BROKER_URL is: set both, or neither for the embedded servers"
    lacking = [name for name in REQUIRED if getattr(chosen, name.lower()) is None]
    return f"not set: {', '.join(lacking)}; a process that calls this library needs the settings of the workers"


def _embedded_endpoints(chosen: Settings) -> Endpoints:
    attached = extras.attach_embedded_servers(chosen.campaigns_home, sandbox=chosen.sandboxed)
    database_url = str(attached.database_url)
    migrating = make_engine(database_url)
    admin.upgrade(migrating)
    migrating.dispose()
    return Endpoints(
        database_url,
        attached.broker_url,
        attached.gateway_url or chosen.kavenegar_base_url,
        attached.api_key or revealed(chosen.kavenegar_api_key),
    )


@cache
def engine() -> Engine:
    """Return the database's engine. Raises: BadInput."""
    return make_engine(endpoints().database_url, threads=max(settings().send_threads, settings().poll_threads))


@cache
def broker() -> redis.Redis:
    """Return a client of the broker, to read its queues. Raises: BadInput when CAMPAIGNS_BROKER_URL is missing."""
    url = endpoints().broker_url
    if url is None:
        raise BadInput("CAMPAIGNS_BROKER_URL is not set: Celery's queues are there")
    return connect_redis(url)


def pace() -> Throttle:
    """Return the pace that all workers share. Raises: BadInput without a broker, or without both key and PACE_NAME."""
    where = endpoints()
    if where.broker_url is None:
        raise BadInput("CAMPAIGNS_BROKER_URL is not set: the pace that all workers share lives there")
    account = settings().pace_name or where.api_key
    if account is None:
        raise BadInput("neither KAVENEGAR_API_KEY nor PACE_NAME is set: nobody can tell whose pace is meant")
    return _pace(where.broker_url, account)


@lru_cache(maxsize=KEYS_CACHED)
def _pace(broker_url: str, account: str) -> Throttle:
    return build_throttle(settings(), broker_url, account_label(account, settings().pace_egress))


def build_throttle(chosen: Settings, broker_url: str, account: str) -> Throttle:
    """Return the pace under this label. The settings say whether its rate is found or fixed."""
    fixed = chosen.pace_fixed
    return Throttle(
        connect_redis(broker_url),
        account=account,
        start_rate=chosen.pace_start if fixed is None else fixed,
        max_rate=chosen.pace_max if fixed is None else fixed,
        fixed=fixed is not None,
    )


def paced_client() -> PacedClient:
    """Return the gateway's client at the shared pace. Raises: BadInput when the key or the broker is missing."""
    return _paced_client(_api_key(endpoints()), pace())


@lru_cache(maxsize=KEYS_CACHED)
def _paced_client(api_key: str, shared: Throttle) -> PacedClient:
    chosen = settings()
    client = Client(
        api_key,
        endpoints().base_url,
        deadline_s=chosen.http_deadline.total_seconds(),
        pool_size=max(chosen.send_threads, chosen.poll_threads) + 2,
        clock=lambda: database().now().timestamp(),
        longest_text=chosen.max_characters,
    )
    return PacedClient(client, shared)


def _api_key(where: Endpoints) -> str:
    if where.api_key is None:
        raise BadInput("KAVENEGAR_API_KEY is not set: nothing can be asked of the gateway without it")
    return where.api_key


def account_label(account: str, egress: str) -> str:
    """Return a label of the address that an account calls from and of the account. The label does not show the key.

    The part before the hyphen is the address's: a rate learnt there is good for the next key, too.
    """
    address = hashlib.sha256(f"kavenegar-campaigns:{egress}".encode()).hexdigest()[:8]
    key = hashlib.sha256(f"kavenegar-campaigns:{account}\0{egress}".encode()).hexdigest()[:12]
    return f"{address}-{key}"


def api_key_label() -> str:
    """Return the label of our key, as `store.accounts` stores it. Raises: BadInput where there is no key."""
    return key_label(_api_key(endpoints()))


@cache
def database() -> Database:
    """Return the access to PostgreSQL. Raises: BadInput."""
    return Database(engine(), believe_after=settings().policy().quiet_period)


def context() -> Context:
    """Return the context, which holds everything that a stage needs. Raises: BadInput."""
    return _context(paced_client(), pace())


@lru_cache(maxsize=KEYS_CACHED)
def _context(asked: PacedClient, shared: Throttle) -> Context:
    return Context(database(), asked, shared, database().now, settings().policy())


_recognised_accounts: set[str] = set()


def recognised_context() -> Context:
    """Return the context after finding the account of our key: before that, no claim succeeds. Raises: BadInput."""
    found = context()
    if found.account not in _recognised_accounts and work.recognise_key(found):
        _recognised_accounts.add(found.account)
    return found


@cache
def seed_inbox_lines() -> None:
    """Register the lines of INBOX_LINES for pulling, once for each process. Raises: BadInput."""
    admin.sync_line_settings(database(), settings().inbox_schedule, now=database().now())


@cache
def webhook() -> work.Webhook | None:
    """Return the webhook for inbound messages; None where none is set. Raises: BadInput."""
    url, secret = revealed(settings().inbox_webhook), revealed(settings().inbox_webhook_secret)
    return None if url is None or secret is None else work.Webhook.to(url, secret)
