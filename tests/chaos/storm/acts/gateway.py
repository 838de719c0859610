"""The gateway fails, limits, answers wrongly, or has no credit left.

No fault is milder than a real one, with one exception that the product's own guarantee names: a gateway that
does not drop repeated localids may act on an aborted request for no longer than UNKNOWN_GRACE.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from tests.chaos.storm.acts.broker import flush_broker
from tests.chaos.storm.scene import Scene

FULL_CREDIT_RIAL: Final = 10_000_000_000

SENDING: Final = ("sms/send", "sms/sendarray")
ASKING: Final = ("sms/statuslocalmessageid", "sms/status")

# Kind → its details, drawn anew each time. `late_accept` stays under UNKNOWN_GRACE.
TROUBLES: Final[Mapping[str, Callable[[Random], dict[str, Any]]]] = {
    "drop": lambda _: {},
    "accept_then_drop": lambda _: {},
    "accept_then_hang": lambda rng: {"seconds": rng.uniform(3.5, 8)},
    "late_accept": lambda rng: {"seconds": rng.uniform(1, 5)},
    "slow": lambda rng: {"seconds": rng.uniform(0.5, 2.5)},
    "code": lambda rng: {"code": rng.choice((409, 409, 402, 607, 777, 503, 400))},
    "http_5xx_html_before": lambda rng: {"status": rng.choice((500, 502, 503, 504))},
    "http_5xx_html_after": lambda rng: {"status": rng.choice((500, 502, 503, 504))},
    "html_200": lambda rng: {"processed": rng.random() < 0.5},
    "waf": lambda rng: {"status": rng.choice((403, 413, 429))},
    "bad_json": lambda _: {},
    "entries_null": lambda _: {},
    "missing_rows": lambda rng: {"rows": rng.randint(1, 120)},
    "duplicate_rows": lambda rng: {"rows": rng.randint(1, 60)},
    "reordered": lambda _: {},
    "drip": lambda _: {"seconds": 0.2},
}

LIES: Final = (402, 402, 409, 409, 411, 413, 418, 411, 413, 418, 400, 412, 414, 419, 422, 451, 503, 607, 777, 999)
"""Error codes for sends that were done. A send that was not done gets no code that refuses a number: the checker would
not know whether that number is good."""
THROTTLES: Final = frozenset({429, 451})


def trouble_gateway(scene: Scene, rng: Random) -> None:
    """Make the next few calls of one method fail in one way."""
    kind = rng.choice(sorted(TROUBLES))
    method = rng.choice(SENDING + SENDING + ASKING)
    count = rng.randint(1, 5)
    scene.note(f"gateway: {kind}", method=method, calls=count)
    scene.stage.gateway.arm(kind, method, count=count, **TROUBLES[kind](rng))


def lie(scene: Scene, rng: Random) -> None:
    """Let the gateway do the next few sends, wholly or in part, and answer with an error code."""
    kind = rng.choice(("accept_then_code", "accept_some_then_code"))
    method, code, count = rng.choice(SENDING), rng.choice(LIES), rng.randint(1, 4)
    scene.note(f"gateway: {kind}", method=method, code=code, calls=count)
    scene.stage.gateway.arm(kind, method, count=count, code=code, rows=rng.randint(1, 150))
    if code in THROTTLES:  # a throttle code that is believed pauses all calls for minutes
        scene.last(rng.uniform(3, 6))
        flush_broker(scene, rng)


def shake_gateway(scene: Scene, rng: Random) -> None:
    """Make a share of all calls fail for some seconds, in several ways."""
    kinds = rng.sample(sorted(TROUBLES), 4)
    scene.note("gateway shaken", kinds=",".join(kinds))
    for kind in kinds:
        scene.stage.gateway.arm(kind, share=0.12, **TROUBLES[kind](rng))
    scene.last(rng.uniform(4, 9))
    scene.stage.gateway.disarm()


def limit_gateway(scene: Scene, rng: Random) -> None:
    """Answer 451 above a changing rate, then flush the broker with its shared pause."""
    scene.note("gateway limited")
    for rate in (rng.uniform(1, 3), rng.uniform(0.3, 1)):
        scene.stage.gateway.turn(limiter="fixed_window", limiter_rate=rate, limiter_window_s=1.0)
        scene.last(rng.uniform(2, 5))
    scene.stage.gateway.turn(limiter="none")
    flush_broker(scene, rng)


def kill_gateway(scene: Scene, rng: Random) -> None:
    """Kill the gateway; its journal keeps the messages that it had sent."""
    scene.note("gateway killed")
    scene.stage.strike("sandbox", signal.SIGKILL)
    scene.last(rng.uniform(0.2, 4))
    scene.stage.mend()


def freeze_gateway(scene: Scene, rng: Random) -> None:
    scene.note("gateway frozen")
    scene.stage.strike("sandbox", signal.SIGSTOP)
    scene.last(rng.uniform(0.5, 2))
    scene.stage.strike("sandbox", signal.SIGCONT)


def exhaust_credit(scene: Scene, rng: Random) -> None:
    scene.note("credit gone")
    scene.stage.gateway.set_credit(rng.randint(0, 20_000))
    scene.last(rng.uniform(2, 6))
    scene.stage.gateway.set_credit(FULL_CREDIT_RIAL)


def block_account(scene: Scene, rng: Random) -> None:
    code = rng.choice((401, 403, 416, 430))
    scene.note("account blocked", code=code)
    scene.stage.gateway.turn(account_code=code)
    scene.last(rng.uniform(1, 4))
    scene.stage.gateway.turn(account_code=0)
