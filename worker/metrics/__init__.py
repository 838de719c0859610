"""Metrics for Prometheus: the pace and the waiting work, without a number, a text or a key.

    families   every metric as a row of a table: its name, its meaning, and how it is read

This file reads all metrics anew for each scrape, and serves them to clients with the name and the password:
`campaigns metrics` by itself, `campaigns web` beside the callbacks. The workers count nothing: all values are in Redis
and PostgreSQL already, for all hosts together. A metric that cannot be read is left out, and `kavenegar_up` says so.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from werkzeug import Request

from kavenegar_campaigns.api import admin
from kavenegar_campaigns.api.admin import Figures
from kavenegar_campaigns.api.gateway import PaceView
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.context import Database, Throttle
from kavenegar_campaigns.errors import BadInput, Postpone
from kavenegar_worker.metrics.families import DATABASE_METRICS, PACE_METRICS, UP, MetricDefinition
from kavenegar_worker.web import server
from kavenegar_worker.web.callbacks import respond

__all__ = ["MetricsCollector", "bind_metrics_server", "metrics_application"]

# ── the collector: reads every metric anew for each scrape ──

Source = TypeVar("Source")

UNCERTAIN_CACHE_S: Final = 60.0
"""Seconds for which a count of uncertain messages is kept: it is the only metric that reads closed batches."""


class MetricsCollector(Collector):
    """Collects the metrics of one context, from its pace and its database."""

    def __init__(self, pace: Callable[[], Throttle], database: Database) -> None:
        """Store the sources. `pace` is called at each scrape: a new API key has another pace."""
        self._pace = pace
        self._database = database
        self._uncertain = 0
        self._uncertain_until = 0.0

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics that have a value now."""
        pace, database = self._read_pace(), self._read_database()
        yield build_metric(UP, {"redis": pace is not None, "postgresql": database is not None})
        yield from () if pace is None else _build_metrics(PACE_METRICS, pace)
        yield from () if database is None else _build_metrics(DATABASE_METRICS, database)

    def _read_pace(self) -> PaceView | None:
        try:
            return self._pace().view()
        except (BadInput, Postpone):  # no pace has a name, which is possible in `web`; or Redis is away
            return None

    def _read_database(self) -> Figures | None:
        try:
            return self._database(self._read, now=self._database.now())
        except SQLAlchemyError:
            return None

    def _read(self, connection: Connection, *, now: datetime) -> Figures:
        if steady() >= self._uncertain_until:
            self._uncertain = admin.count_uncertain(connection)
            self._uncertain_until = steady() + UNCERTAIN_CACHE_S
        return admin.read_figures(connection, now=now, uncertain=self._uncertain)


def _build_metrics(families: Iterable[MetricDefinition[Source]], source: Source) -> Iterator[Metric]:
    return (build_metric(family, source) for family in families)


def build_metric(family: MetricDefinition[Source], source: Source) -> Metric:
    """Return one metric with its present values, which may be none."""
    metric = GaugeMetricFamily(family.name, family.meaning, labels=[family.label] if family.label else None)
    found = family.read(source)
    if isinstance(found, Mapping):
        for label, value in found.items():
            metric.add_metric([label], float(value))
    elif found is not None:
        metric.add_metric([], float(found))
    return metric


# ── GET /metrics with the name and the password, GET /healthz without ──

METRICS_CALL_TIMEOUT_S: Final = 10
"""Seconds. A connection is closed when a request is not complete by then."""

AUTHENTICATE: Final[Mapping[str, str]] = {"WWW-Authenticate": 'Basic realm="metrics", charset="UTF-8"'}


def metrics_application(collector: Collector, name_and_password: str) -> WSGIApplication:
    """Return the application: /metrics for clients that send `name_and_password`, /healthz for all clients."""
    registry = CollectorRegistry()
    registry.register(collector)
    expose: WSGIApplication = make_wsgi_app(registry)
    right = base64.b64encode(name_and_password.encode())

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return _choose_answer(Request(environ), expose, right)(environ, start)

    return answer


def _choose_answer(request: Request, expose: WSGIApplication, right: bytes) -> WSGIApplication:
    if request.path not in {"/metrics", "/healthz"}:
        return respond(HTTPStatus.NOT_FOUND)
    if request.method != "GET":
        return respond(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
    if request.path == "/healthz":
        return respond(HTTPStatus.OK)
    return expose if _is_authorized(request, right) else respond(HTTPStatus.UNAUTHORIZED, AUTHENTICATE)


def _is_authorized(request: Request, right: bytes) -> bool:
    """Return whether a client sent `right`. The comparison takes equally long however much of it is correct."""
    # Not werkzeug's `authorization`, which raises ValueError where the header holds more than ASCII.
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return hmac.compare_digest(sent.strip().encode("latin-1"), right) and scheme.lower() == "basic"


def bind_metrics_server(address: str, port: int, app: WSGIApplication) -> Any:
    """Return a server bound to its port, with the limits of the callbacks' server. Raises: BadInput."""
    return server.bind_server(address, port, app, slowest_s=METRICS_CALL_TIMEOUT_S, settings="METRICS")
