"""The HTTP service that the gateway calls back: status changes and inbound messages.

    callbacks  parse a callback, record it, answer it
    server     the HTTP server and its limits: connections, threads, bytes, rate

A callback is answered with 200 once it stands in the database. Neither the gateway nor its API key is needed.
"""

from kavenegar_worker.web.callbacks import Recorder, callbacks_application
from kavenegar_worker.web.server import MAX_BODY_BYTES, TokenBucket, bind_server

__all__ = ["MAX_BODY_BYTES", "Recorder", "TokenBucket", "bind_server", "callbacks_application"]
