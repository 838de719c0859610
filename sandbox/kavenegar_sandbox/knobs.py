"""The knobs: every adjustable behaviour of the gateway, set at the start (`--config`, `--knob`) or by the admin API.

An unknown name or a value of the wrong kind is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from kavenegar_sandbox.knob_values import CHOICES, READERS, BadKnob, is_loopback_url


@dataclass(frozen=True, slots=True)
class Knobs:
    """All knobs with their defaults: the specification where it is clear, otherwise what suits development."""

    # transport
    always_200: bool = False  # answer HTTP 200 on errors too; the envelope holds the code
    cap_ge_600: bool = True  # answer HTTP 400 for return codes of 600 and more
    latency_ms: float = 0.0  # delay before each call of the service

    # account
    account_code: int = 0  # refuse every call with 401, 403, 416, 429 or (sms/*, verify/*, call/*) 430
    ip_registered: bool = False  # without: 407 for select, selectoutbox, latestoutbox, international lines
    debug_mode: bool = False  # nothing is sent: every message is cancelled and refunded at once
    api_logs: str = "justfaults"  # this and the next are shown by account/config and have no effect
    credit_alarm_rial: int = 50_000
    test_mode: bool = False  # 501 for every receptor but the owner
    owner_number: str = "09120000000"
    default_sender: str = "10004346"  # "": a send without a sender is 426
    senders: tuple[str, ...] = ("10004346", "30002626")
    restricted_senders: tuple[str, ...] = ()  # lines that need a grant: 427
    international_senders: tuple[str, ...] = ()  # lines that need a registered address: 407
    service_sender: str = "100020400"  # the gateway's own line, for one-time passwords and calls
    tags: tuple[str, ...] = ()  # the tags of the account; any other is 607
    links_restricted: bool = False  # 420 for a text with a link
    tariff_fa_rial: int = 120  # one part of a text with characters outside ASCII
    tariff_en_rial: int = 280  # one part of an ASCII text
    tariff_call_rial: int = 900  # one call of any length
    partial_credit: bool = False  # send what the credit covers, although the answer is 418

    # one-time passwords and calls
    templates: Mapping[str, str] = field(default_factory=lambda: {"verify": "کد تایید شما: %token"})
    advanced_service: bool = True  # verify/lookup is 426 without it
    separators_in_tokens: str = "_,;|،؛"  # 431 for a token with one of these; spaces have their own rule
    tts_entries: str = "object"  # call/maketts with one receptor answers with an object or an array

    # limits
    send_limit: int = 200
    sendarray_over_limit_code: int = 412  # as in the specification; 414 would be consistent
    status_limit: int = 500
    localid_status_limit: int = 500
    cancel_limit: int = 200
    outbox_limit: int = 500  # records of sms/selectoutbox; largest pagesize of sms/latestoutbox
    localid_count_code: int = 419  # sms/send, call/maketts: another number of localids than receptors
    text_limit: int = 900  # UTF-16 units
    latin_single: int = 140  # characters of an undivided Latin text; GSM has 160
    lenient_numbers: bool = False  # accept 98912… without a plus, and Persian digits
    date_grace_s: float = 60.0  # a date this far in the past still means now
    date_reach_s: float = 400 * 86400.0  # a date further ahead is taken for milliseconds: 417

    # outcomes of messages
    seed: int = 1
    outcomes: Mapping[str, float] = field(
        default_factory=lambda: {"delivered": 0.92, "undelivered": 0.05, "failed": 0.02, "blocked": 0.01}
    )
    resend_failed: bool = False  # resend half of the undelivered; outcomes.resent sets another share
    delivery_s: tuple[float, float] = (2.0, 15.0)  # from the start of a message to its final status; also "2s..15s"
    handover_s: float = 0.5  # from the start to status 4 (at the operator)
    initial_status: int = 1  # 5 has been seen live
    status_window_s: float = 48 * 3600.0
    localid_window_s: float = 12 * 3600.0

    # repeated localids, and the form of answers
    dedupe: bool = True  # off: a repeated localid REALLY sends a second message
    dedupe_window_s: float = 0.0  # how long a localid is remembered; 0: without limit
    order: str = "same"  # order of rows in an answer: same, reversed, shuffled
    omit_share: float = 0.0  # share of rows left out of an answer at random
    outbox_empty: str = "449"  # statusbyreceptor, selectoutbox, latestoutbox without rows: 449, [], null
    hidden_receptors: str = "mask"  # messages sent with hide=1 in lists: mask the receptor, or omit
    unknown_localid: str = "zero"  # messageid in the row of an unknown localid: zero, or absent

    # inbound messages and block lists
    inbox_order: str = "newest"  # which messages of a line come first: newest, oldest
    inbox_empty: str = "null"  # answer of an empty inbox: null, [], 449
    blocked_at_once: bool = False  # messages to blocked numbers have status 14 from their start on

    # callbacks, to URLs of this machine only; repeated unless answered with 200
    status_callback_url: str = ""  # receives each change of a message's status; "": no callbacks
    receive_callback_url: str = ""  # receives each inbound message
    callback_method: str = "get"  # get, or post (a form)
    callback_timeout_s: float = 10.0  # on the wall clock; the other times are on the gateway's clock
    callback_retry_s: float = 120.0
    callback_retries: int = 30
    callback_delay_s: tuple[float, float] = (0.0, 0.0)  # random delay of each, so that they arrive out of order
    callback_double_share: float = 0.0  # share that is sent twice
    callback_lost_share: float = 0.0  # share that is never sent

    # poison
    bad_receptors: tuple[str, ...] = ()  # 411 for the whole request
    drop_bad_receptors: bool = False  # leave them out of the request instead
    poison_text: str = ""  # 422 for the whole request when a text contains it

    # the rate limit of an address (451)
    limiter: str = "none"  # token_bucket, fixed_window, sliding_window
    limiter_rate: float = 20.0  # calls a second
    limiter_burst: float = 20.0  # token_bucket: calls at once
    limiter_window_s: float = 1.0  # length of fixed_window, sliding_window
    limiter_counts_refused: bool = False  # sliding_window: refused calls count too
    limiter_penalty_s: float = 0.0  # how long the address is refused after a call too many
    limiter_extends: bool = False  # a call during the penalty restarts it
    limiter_penalty_growth_s: float = 0.0  # or extends what is left of it by this much
    limiter_penalty_most_s: float = 3600.0  # the longest that can be left
    limiter_others_rate: float = 0.0  # calls a second of other software behind the same address

    def turned(self, changes: Mapping[str, object]) -> Knobs:
        """These knobs with some changed. Raises BadKnob, and then no knob is changed."""
        values: dict[str, Any] = {}
        for name, raw in changes.items():
            knob, value = RENAMED.get(name, name), _value(name, raw)
            if values.setdefault(knob, value) != value:
                raise BadKnob(f"{name} and its other name are one knob, given twice with two values: leave one out")
        turned = _reconcile_resend(replace(self, **values), values)
        _check_limiter(turned)
        return turned

    def describe(self) -> dict[str, Any]:
        """Return every knob by its name, and also by its old name where it has one."""
        values = asdict(self)
        return {**values, **{old: values[name] for old, name in RENAMED.items()}}

    @property
    def drawn_outcomes(self) -> Mapping[str, float]:
        """Return the weights of the outcomes. With `resend_failed`, half of the undelivered are `resent`."""
        undelivered = self.outcomes.get("undelivered", 0.0)
        if not self.resend_failed or self.outcomes.get("resent"):
            return self.outcomes
        return {**self.outcomes, "undelivered": undelivered / 2, "resent": undelivered / 2}


RENAMED = {"fates": "outcomes"}  # old names of knobs, still accepted
POSITIVE = frozenset(
    {"limiter_rate", "limiter_window_s", "limiter_penalty_most_s", "latin_single", "callback_timeout_s"}
)
WINDOW_CALLS_MAX = 1_000_000  # calls in a sliding window, about 32 MB


def _value(name: str, raw: object) -> object:
    kind = _KINDS.get(RENAMED.get(name, name))
    if kind is None:
        raise BadKnob(f"there is no knob {name!r}; the knobs are: {', '.join(sorted(_KINDS))}")
    value = READERS[kind](name, raw)
    if name in CHOICES and value not in CHOICES[name]:
        raise BadKnob(f"{name} must be one of {', '.join(map(str, CHOICES[name]))}")
    if name in POSITIVE and value == 0:
        raise BadKnob(f"{name} must be more than zero")
    if name.endswith("_share") and isinstance(value, float) and value > 1:
        raise BadKnob(f"{name} must be between 0 and 1")
    if name.endswith("_url") and value and not is_loopback_url(str(value)):
        raise BadKnob(f"{name} must be an http address on this machine, like http://127.0.0.1:8000/, or empty")
    return value


_KINDS: dict[str, str] = {knob.name: str(knob.type) for knob in fields(Knobs)}


def _reconcile_resend(turned: Knobs, values: Mapping[str, object]) -> Knobs:
    """Keep `resend_failed` and the weight of `resent` consistent.

    A weight of `resent` turns `resend_failed` on; turning `resend_failed` off moves that weight to `undelivered`.
    """
    resent = turned.outcomes.get("resent", 0.0)
    if not resent or turned.resend_failed:
        return turned
    if "resend_failed" not in values:
        return replace(turned, resend_failed=True)
    kept = {outcome: weight for outcome, weight in turned.outcomes.items() if outcome != "resent"}
    return replace(turned, outcomes={**kept, "undelivered": kept.get("undelivered", 0.0) + resent})


def _check_limiter(knobs: Knobs) -> None:
    """Raises BadKnob for knobs of the limiter that contradict each other."""
    if knobs.limiter_burst < 1:
        raise BadKnob("limiter_burst must be 1 or more: a smaller bucket never admits a call")
    if knobs.limiter == "sliding_window" and knobs.limiter_rate * knobs.limiter_window_s > WINDOW_CALLS_MAX:
        raise BadKnob(f"limiter_rate × limiter_window_s of a sliding_window must be at most {WINDOW_CALLS_MAX:,} calls")
    if not knobs.limiter_penalty_growth_s:
        return
    if knobs.limiter_extends:
        raise BadKnob("limiter_penalty_growth_s must be 0 when limiter_extends is true: a call extends or restarts it")
    if not 0 < knobs.limiter_penalty_s <= knobs.limiter_penalty_most_s:
        raise BadKnob(
            "limiter_penalty_growth_s needs a limiter_penalty_s above zero and at most limiter_penalty_most_s"
        )
