"""Every error of the libraries below us has a name of ours."""

from __future__ import annotations

import http.client
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import urllib3

from kavenegar_campaigns.kavenegar import transport


def foreign_errors() -> Iterator[type[BaseException]]:
    for module in (requests.exceptions, urllib3.exceptions):
        for _, found in inspect.getmembers(module, inspect.isclass):
            ours = found.__module__.partition(".")[0] in {"requests", "urllib3"}
            if ours and issubclass(found, Exception) and not issubclass(found, Warning):
                yield found


ROOTS = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)
# Raised for requests we never make: redirects, retries, chunked uploads, header names, stream reuse, JSON decoding.
NEVER_MET = {
    requests.exceptions.HTTPError,
    requests.exceptions.InvalidJSONError,
    requests.exceptions.JSONDecodeError,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.RetryError,
    requests.exceptions.StreamConsumedError,
    requests.exceptions.TooManyRedirects,
    requests.exceptions.URLRequired,
    requests.exceptions.UnrewindableBodyError,
    urllib3.exceptions.BodyNotHttplibCompatible,
    urllib3.exceptions.HeaderParsingError,
    urllib3.exceptions.PoolError,
    urllib3.exceptions.RequestError,
    urllib3.exceptions.ResponseError,
    urllib3.exceptions.TimeoutStateError,
    urllib3.exceptions.UnrewindableBodyError,
    urllib3.exceptions.URLSchemeUnknown,
}


def row_of(kind: type[BaseException]) -> type[BaseException] | None:
    return next((row for row, _ in transport.FAULT_NAMES if issubclass(kind, row)), None)


@pytest.mark.parametrize("kind", sorted(set(foreign_errors()), key=lambda kind: (kind.__module__, kind.__name__)))
def test_every_error_of_requests_and_urllib3_is_caught_and_has_a_name(kind: type[BaseException]) -> None:
    assert issubclass(kind, transport.LIBRARY_ERRORS)
    assert row_of(kind) is not None
    if kind not in NEVER_MET and kind not in ROOTS:
        assert row_of(kind) not in ROOTS


def test_errors_of_the_standard_library_below_them_are_caught_too() -> None:
    for kind in (TimeoutError, ConnectionResetError, BrokenPipeError, http.client.BadStatusLine):
        assert issubclass(kind, transport.LIBRARY_ERRORS)
        assert row_of(kind) is not None


def test_no_row_of_the_table_is_hidden_by_a_wider_one_above_it() -> None:
    rows = [row for row, _ in transport.FAULT_NAMES]
    for at, row in enumerate(rows):
        assert row_of(row) is row, (at, row)


def test_the_names_are_those_of_the_bottom_of_a_chain() -> None:
    pool: Any = None
    bottom = urllib3.exceptions.NewConnectionError(pool, "to /v1/KEY/")
    wrapped = requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/v1/KEY/", bottom))
    assert transport.root_cause(wrapped) is bottom
    assert transport.fault_name(wrapped) == "no connection to the gateway"
    assert json.dumps(transport.fault_name(requests.exceptions.RequestException("/v1/KEY/"))).find("KEY") == -1
