"""metrics: the process that Prometheus asks."""

from __future__ import annotations

import click

from campaigns import BadInput
from campaigns.store.database import Database
from worker import logs, wiring
from worker.cli import words
from worker.settings import revealed


@click.command()
def metrics() -> None:
    """Tell Prometheus how the house is, at http://METRICS_ADDRESS:METRICS_PORT/metrics.

    In the foreground, until Ctrl-C. Whoever asks has to send the name and the password of METRICS_BASIC_AUTH. Where
    the database or the broker is away, kavenegar_up says so and the rest is still told.
    """
    from worker.metrics import Figures, application, listening  # noqa: PLC0415 - no other command needs the library

    chosen = wiring.settings()
    name_and_password = revealed(chosen.metrics_basic_auth)
    if name_and_password is None:
        raise BadInput(
            "METRICS_BASIC_AUTH is not set: it holds name:password, and everybody could read the metrics without it"
        )
    logs.configure(chosen.log_level, chosen.log_format)
    wiring.pace()  # what is missing for it is said now
    figures = Figures(wiring.pace, Database(wiring.engine(), patience_s=1.0))
    answers = application(figures, name_and_password)
    server = listening(chosen.metrics_address, chosen.metrics_port, answers)
    words.say(f"metrics at http://{chosen.metrics_address}:{chosen.metrics_port}/metrics")
    server.run()
    raise KeyboardInterrupt  # the library ends in silence, and only when it is interrupted
