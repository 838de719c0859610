"""web: the process that the gateway calls back."""

from __future__ import annotations

import secrets
import signal
import sys

import click

from campaigns import BadInput
from campaigns.store.database import Database
from worker import logs, starting, wiring
from worker.cli import words
from worker.settings import revealed

TOKEN_BYTES = 32


@click.command()
@click.option("--new-token", is_flag=True, help="Print a fresh CALLBACK_TOKEN, and do nothing else.")
def web(new_token: bool) -> None:
    """Take the gateway's callbacks, at http://WEB_ADDRESS:WEB_PORT/callbacks/CALLBACK_TOKEN/status and …/receive.

    In the foreground, until Ctrl-C. What was answered with 200 stands in the database; the workers heed it. See
    docs/callbacks.md. Where METRICS_BASIC_AUTH is set, /metrics answers Prometheus at the same address and port.
    """
    if new_token:
        words.say(secrets.token_urlsafe(TOKEN_BYTES))
        return
    from worker.metrics import Figures  # noqa: PLC0415 - no other command needs the libraries
    from worker.metrics import application as metrics_application  # noqa: PLC0415 - likewise
    from worker.web import Allowance, Desk, application, listening  # noqa: PLC0415 - likewise

    chosen = wiring.settings()
    token = revealed(chosen.callback_token)
    if token is None:
        raise BadInput("CALLBACK_TOKEN is not set: `campaigns web --new-token` prints one")
    logs.configure(chosen.log_level, chosen.log_format)
    starting.wait_for_tables(wiring.engine())
    database = Database(wiring.engine(), patience_s=1.0)
    desk = Desk(database, database.now, chosen.policy(), most_parked=chosen.callback_backlog_max)
    known = revealed(chosen.metrics_basic_auth)
    metrics = None if known is None else metrics_application(Figures(wiring.pace, database), known)
    answers = application(desk, token, Allowance(chosen.callback_rate), metrics)
    server = listening(chosen.web_address, chosen.web_port, answers)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    words.say(f"callbacks at http://{chosen.web_address}:{chosen.web_port}/callbacks/…/status and …/receive")
    server.run()
