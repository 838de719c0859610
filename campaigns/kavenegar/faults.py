"""Every call that brings no rows ends in one error of the tree, decided here and nowhere else.

The one certain fact decides: whether the request left this machine. A send that left and got no answer of the
gateway's is unknown, whatever else is known about the fault; what a call would have handed out and marked read is
lost; any other read is only postponed.
"""

from __future__ import annotations

import http.client
import re
from enum import Enum

import requests
import urllib3.exceptions as urllib3

from campaigns.errors import AnswerLost, GatewayDown, GatewayError, OutcomeUnknown, Postpone, Refused
from campaigns.kavenegar.codes import RETURN_CODES, ReturnCode
from campaigns.kavenegar.envelope import Envelope
from campaigns.kavenegar.methods import Method

RETRY_DOWN_AFTER_S = 5.0


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


def without_answer(method: Method, fault: Fault, *, consumes: bool = False) -> GatewayError:
    """A call that ended in a fault, and whether it may have done something before that."""
    what = f"{method.path}: {fault} ({fault.kind.value})"
    if fault.kind is not Kind.NOT_SENT:
        if method.sends:
            return OutcomeUnknown(what)
        if consumes:
            return AnswerLost(what, retry_after_s=RETRY_DOWN_AFTER_S)
    return GatewayDown(what, retry_after_s=RETRY_DOWN_AFTER_S)


def unusable(method: Method, what: str, *, consumes: bool = False) -> GatewayError:
    """An answer came, but none we can read a result from."""
    fault = Fault(what, Kind.UNUSABLE)
    error = without_answer(method, fault, consumes=consumes)
    error.__cause__ = fault
    return error


def refusal(method: Method, kind: type[GatewayError], row: ReturnCode, envelope: Envelope) -> GatewayError:
    """A call the gateway answered with a code other than 200, as the error its row names."""
    what = f"{method.path}: {row.code}, {row.advice}"
    if row.code not in RETURN_CODES:
        what += f" (it says: {_quotable(envelope.message)})"
    if issubclass(kind, Postpone):
        return kind(what, retry_after_s=row.pause_s, code=row.code)
    if issubclass(kind, Refused):
        return kind(what, code=row.code)
    error = kind(what)
    error.code = row.code
    return error


def _quotable(message: str) -> str:
    """The gateway's own words about an undocumented code, without anything that could be a number or a key."""
    return re.sub(r"[\w-]*\d[\w-]*", "…", message)[:120]
