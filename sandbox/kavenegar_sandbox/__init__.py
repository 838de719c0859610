"""Kavenegar's REST service on your own machine, over HTTP: for development, demos and fault tests.

The package is written from the specification and shares no code with any client, so that a test against it checks the
client against the specification. It keeps a ledger of the messages it really sent, so that a test can prove that no
message was lost and none was sent twice.

    kavenegar-sandbox --port 8585                    # the API key is "sandbox"
    curl -d receptor=09121234567 -d message=سلام http://127.0.0.1:8585/v1/sandbox/sms/send.json
    curl http://127.0.0.1:8585/_sandbox/ledger/summary

The path of a request: transport (HTTP request to Call) → server (draws a fault) → gateway (admission checks: key, rate
limit, parameters) → methods/ (a file a topic) → for a send: checks, then acceptance → account (ledger, credit, inbox,
journal) → rows and protocol (the answer). README.md shows the first steps, REFERENCE.md every knob, fault and admin
path.
"""

from __future__ import annotations

from kavenegar_sandbox.knob_values import BadKnob
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.server import Options, background, run

__all__ = ["BadKnob", "Knobs", "Options", "background", "run"]
