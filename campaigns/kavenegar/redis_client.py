"""The client of Redis, which keeps the pace and Celery's queues. A forked child has connections of its own."""

from __future__ import annotations

from functools import partial

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from kavenegar_campaigns import forks


def connect_redis(url: str) -> redis.Redis:
    """Return a Redis client with short timeouts: 3 s to connect, 5 s to answer, one new try on a dead connection.

    After a fork, the child has a pool of its own. redis-py renews its pools, too, but waits for the lock of the
    parent's pool, which a thread of the parent may have held at that moment.
    """
    client = _connect(url)
    forks.renew_in_child(client, partial(_replace_pool, url=url))
    return client


def _connect(url: str) -> redis.Redis:
    again = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return redis.Redis.from_url(
        url, socket_connect_timeout=3, socket_timeout=5, socket_keepalive=True, health_check_interval=15, retry=again
    )


def _replace_pool(client: redis.Redis, url: str) -> None:
    fresh = _connect(url)
    fresh.auto_close_connection_pool = False  # the pool now belongs to `client`
    client.connection_pool = fresh.connection_pool
