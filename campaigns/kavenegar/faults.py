"""The errors of the HTTP libraries under names of ours, which hold no URL and so no API key."""

from __future__ import annotations

import http.client
from enum import Enum

import requests
import urllib3.exceptions as urllib3


class Kind(Enum):
    """How far a call without an answer came."""

    NOT_SENT = "nothing left this machine"
    LOST = "the request left and no complete answer came"
    UNUSABLE = "the answer that came is not the gateway's"


class Fault(Exception):
    """Why a call brought no answer, in our words: the texts of the libraries hold the URL, and with it the API key."""

    def __init__(self, what: str, kind: Kind) -> None:
        super().__init__(what)
        self.kind = kind


class Overlong(Exception):
    """An answer larger than any method's."""


# What a fault of the libraries is called. The first row that fits names it, so the narrow stand before the wide.
FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (Overlong, "the answer is larger than any answer of the gateway"),
    (urllib3.NameResolutionError, "the gateway's name cannot be resolved"),
    (urllib3.ProxyError, "the proxy failed"),
    (urllib3.SSLError, "TLS failed"),
    (urllib3.NewConnectionError, "no connection to the gateway"),
    (urllib3.ConnectTimeoutError, "no connection to the gateway in time"),
    (urllib3.ReadTimeoutError, "no complete answer in time"),
    (urllib3.TimeoutError, "not done in time"),
    (urllib3.IncompleteRead, "the answer was cut off"),
    (urllib3.InvalidChunkLength, "the answer was cut off"),
    (urllib3.ProtocolError, "the connection was lost"),
    (urllib3.DecodeError, "the answer's compression is broken"),
    (urllib3.InvalidHeader, "the answer's headers contradict themselves"),
    (urllib3.LocationValueError, "the base URL is not a URL"),
    (urllib3.ProxySchemeUnsupported, "no transport for this kind of proxy"),
    (urllib3.PoolError, "the connection pool is closed"),
    (requests.exceptions.ProxyError, "the proxy failed"),
    (requests.exceptions.SSLError, "TLS failed"),
    (requests.exceptions.ConnectTimeout, "no connection to the gateway in time"),
    (requests.exceptions.Timeout, "no complete answer in time"),
    (requests.exceptions.ChunkedEncodingError, "the answer was cut off"),
    (requests.exceptions.ContentDecodingError, "the answer's compression is broken"),
    (requests.exceptions.InvalidHeader, "the answer's headers contradict themselves"),
    (requests.exceptions.ConnectionError, "the connection was lost"),
    (requests.exceptions.InvalidProxyURL, "the proxy's URL is not a URL"),
    (requests.exceptions.InvalidSchema, "no transport for this kind of URL or proxy"),
    (requests.exceptions.RequestException, "the request could not be made"),
    (urllib3.HTTPError, "the exchange failed"),
    (http.client.HTTPException, "the answer is not HTTP"),
    (TimeoutError, "no complete answer in time"),
    (OSError, "the network or the certificate bundle failed"),
)
CAUGHT = (
    Overlong,
    requests.exceptions.RequestException,
    urllib3.HTTPError,
    urllib3.ProxySchemeUnsupported,
    http.client.HTTPException,
    OSError,
)


def name(exc: BaseException) -> str:
    """Our words for a fault of the libraries, named by what lies at its bottom."""
    inner = innermost(exc)
    return next(words for kind, words in FAULTS if isinstance(inner, kind))


def innermost(exc: BaseException) -> BaseException:
    """requests wraps what urllib3 raised, and urllib3 wraps that again when it counts retries."""
    wrapped = exc.reason if isinstance(exc, urllib3.MaxRetryError) else next(iter(exc.args), None)
    return innermost(wrapped) if isinstance(wrapped, urllib3.HTTPError) else exc
