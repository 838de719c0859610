"""A gateway to try things on: Kavenegar's REST service over HTTP, for development, the demo and fault tests.

It is written from the spec, imports nothing of the campaigns and is imported by none of their rules: what the two
agree on, they agree on because both read the same document. It counts what it really sent, so that a test can
prove that nobody got two messages.

    python -m kavenegar_sandbox --port 8080            # the key is "sandbox"
    curl -d receptor=09121234567 -d message=سلام http://127.0.0.1:8080/v1/sandbox/sms/send.json
    curl http://127.0.0.1:8080/_sandbox/ledger/summary

How a request goes: transport (HTTP to a call) → server (the fault it meets) → gateway (who may call, in what order)
→ methods/ (one file each) → checks and acceptance (a send) → account (ledger, purse, clock, journal) → envelope.
docs/sandbox.md is the page for users: knobs, faults, and the admin API.
"""

from __future__ import annotations

from kavenegar_sandbox.knob_values import BadKnob
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.server import Options, background, run

__all__ = ["BadKnob", "Knobs", "Options", "background", "run"]
