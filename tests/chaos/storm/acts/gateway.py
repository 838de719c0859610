"""The gateway fails, limits, lies, or has no credit left.

Nothing here is milder than it is in life, with one exception that the product's own promise names: a gateway that
does not drop repeated localids may act on an aborted request for no longer than UNKNOWN_GRACE.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from tests.chaos.storm.acts.broker import flush_broker
from tests.chaos.storm.scene import Scene

FULL_PURSE_RIAL: Final = 10_000_000_000

SENDING: Final = ("sms/send", "sms/sendarray")
ASKING: Final = ("sms/statuslocalmessageid", "sms/status")

# Kind → its details, drawn anew each time. `late_accept` stays under UNKNOWN_GRACE.
TROUBLES: Final[Mapping[str, Callable[[Random], dict[str, Any]]]] = {
    "drop": lambda _: {},
    "accept_then_drop": lambda _: {},
    "accept_then_hang": lambda dice: {"seconds": dice.uniform(3.5, 8)},
    "late_accept": lambda dice: {"seconds": dice.uniform(1, 5)},
    "slow": lambda dice: {"seconds": dice.uniform(0.5, 2.5)},
    "code": lambda dice: {"code": dice.choice((409, 409, 402, 607, 777, 503, 400))},
    "http_5xx_html_before": lambda dice: {"status": dice.choice((500, 502, 503, 504))},
    "http_5xx_html_after": lambda dice: {"status": dice.choice((500, 502, 503, 504))},
    "html_200": lambda dice: {"processed": dice.random() < 0.5},
    "waf": lambda dice: {"status": dice.choice((403, 413, 429))},
    "bad_json": lambda _: {},
    "entries_null": lambda _: {},
    "missing_rows": lambda dice: {"rows": dice.randint(1, 120)},
    "duplicate_rows": lambda dice: {"rows": dice.randint(1, 60)},
    "reordered": lambda _: {},
    "drip": lambda _: {"seconds": 0.2},
}

LIES: Final = (402, 402, 409, 409, 411, 413, 418, 411, 413, 418, 400, 412, 414, 419, 422, 451, 503, 607, 777, 999)
"""Codes that deny what was done. A send of which nothing was done is never told one that refuses a number: who it

refuses then is not known to be good."""
THROTTLES: Final = frozenset({429, 451})


def trouble_gateway(scene: Scene, dice: Random) -> None:
    """The next few calls of one method go wrong in one way."""
    kind = dice.choice(sorted(TROUBLES))
    method = dice.choice(SENDING + SENDING + ASKING)
    count = dice.randint(1, 5)
    scene.note(f"gateway: {kind}", method=method, calls=count)
    scene.stage.gateway.arm(kind, method, count=count, **TROUBLES[kind](dice))


def lie(scene: Scene, dice: Random) -> None:
    """The next few sends are done, wholly or in part, and denied with a code."""
    kind = dice.choice(("accept_then_code", "accept_some_then_code"))
    method, code, count = dice.choice(SENDING), dice.choice(LIES), dice.randint(1, 4)
    scene.note(f"gateway: {kind}", method=method, code=code, calls=count)
    scene.stage.gateway.arm(kind, method, count=count, code=code, rows=dice.randint(1, 150))
    if code in THROTTLES:  # one that is believed keeps everybody away for minutes
        scene.last(dice.uniform(3, 6))
        flush_broker(scene, dice)


def shake_gateway(scene: Scene, dice: Random) -> None:
    """For some seconds a share of all calls goes wrong, in several ways."""
    kinds = dice.sample(sorted(TROUBLES), 4)
    scene.note("gateway shaken", kinds=",".join(kinds))
    for kind in kinds:
        scene.stage.gateway.arm(kind, share=0.12, **TROUBLES[kind](dice))
    scene.last(dice.uniform(4, 9))
    scene.stage.gateway.disarm()


def limit_gateway(scene: Scene, dice: Random) -> None:
    """The gateway answers 451 above a rate that changes; then the broker, and with it the shared pause, is flushed."""
    scene.note("gateway limited")
    for rate in (dice.uniform(1, 3), dice.uniform(0.3, 1)):
        scene.stage.gateway.turn(limiter="fixed_window", limiter_rate=rate, limiter_window_s=1.0)
        scene.last(dice.uniform(2, 5))
    scene.stage.gateway.turn(limiter="none")
    flush_broker(scene, dice)


def kill_gateway(scene: Scene, dice: Random) -> None:
    """Nobody listens; its journal remembers what it had sent."""
    scene.note("gateway killed")
    scene.stage.strike("sandbox", signal.SIGKILL)
    scene.last(dice.uniform(0.2, 4))
    scene.stage.mend()


def freeze_gateway(scene: Scene, dice: Random) -> None:
    scene.note("gateway frozen")
    scene.stage.strike("sandbox", signal.SIGSTOP)
    scene.last(dice.uniform(0.5, 2))
    scene.stage.strike("sandbox", signal.SIGCONT)


def empty_purse(scene: Scene, dice: Random) -> None:
    scene.note("credit gone")
    scene.stage.gateway.set_credit(dice.randint(0, 20_000))
    scene.last(dice.uniform(2, 6))
    scene.stage.gateway.set_credit(FULL_PURSE_RIAL)


def block_account(scene: Scene, dice: Random) -> None:
    code = dice.choice((401, 403, 416, 430))
    scene.note("account blocked", code=code)
    scene.stage.gateway.turn(account_code=code)
    scene.last(dice.uniform(1, 4))
    scene.stage.gateway.turn(account_code=0)
