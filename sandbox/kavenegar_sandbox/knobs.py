"""Everything about the gateway that can be turned: at start (`--config`, `--knob`) and while it runs (admin API).

A knob not named here does not exist: an unknown name or a value of the wrong kind is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from kavenegar_sandbox.knob_values import CHOICES, READERS, BadKnob, is_loopback_url


@dataclass(frozen=True, slots=True)
class Knobs:
    """The defaults are the spec's where it speaks, and a friendly development gateway where it does not."""

    # transport
    always_200: bool = False  # HTTP 200 on errors too; the envelope still says the code
    cap_ge_600: bool = True  # HTTP 400 for codes of 600 and more
    latency_ms: float = 0.0  # waited before each call of the service

    # account
    account_code: int = 0  # answered to every call: 401, 403, 416, 429 or 430 (430 to sms/* only)
    ip_registered: bool = False  # sms/select, selectoutbox, latestoutbox and international lines are 407 without it
    debug_mode: bool = False  # nothing is sent: every message is cancelled and refunded at once
    api_logs: str = "justfaults"  # shown by account/config, like the next: nothing follows from them
    credit_alarm_rial: int = 50_000
    test_mode: bool = False  # 501 for every receptor but the owner's
    owner_number: str = "09120000000"
    default_sender: str = "10004346"  # "" makes a send without a sender 426
    senders: tuple[str, ...] = ("10004346", "30002626")
    restricted_senders: tuple[str, ...] = ()  # lines that want a grant first: 427
    international_senders: tuple[str, ...] = ()  # lines that want a registered address: 407
    service_sender: str = "100020400"  # the gateway's own line: of lookups and calls
    tags: tuple[str, ...] = ()  # tags made in the panel; any other is 607
    links_restricted: bool = False  # 420 for a text with a link
    tariff_fa_rial: int = 120  # one part in Persian, or any text outside Latin
    tariff_en_rial: int = 280  # one Latin part
    tariff_call_rial: int = 900  # one call, however long
    partial_credit: bool = False  # 418 for a request, and yet what the credit covers of it goes out

    # one-time passwords and calls
    templates: Mapping[str, str] = field(default_factory=lambda: {"verify": "کد تایید شما: %token"})
    advanced_service: bool = True  # verify/lookup is 426 without it
    separators_in_tokens: str = "_,;|،؛"  # 431 for a token with one of them; blanks and line ends aside
    tts_entries: str = "object"  # what one receptor of call/maketts is answered with; several are an array

    # limits
    send_limit: int = 200
    sendarray_over_limit_code: int = 412  # as the spec says; 414 is what one would expect
    status_limit: int = 500
    localid_status_limit: int = 500
    cancel_limit: int = 200
    outbox_limit: int = 500  # rows of sms/selectoutbox, the largest pagesize of sms/latestoutbox
    localid_count_code: int = 419  # of sms/send and call/maketts where localids and receptors differ in number
    text_limit: int = 900  # UTF-16 units
    latin_single: int = 140  # an undivided Latin text; GSM has 160
    lenient_numbers: bool = False  # also 98912… without a plus, and Persian digits
    date_grace_s: float = 60.0  # how far in the past a date may lie and still mean now
    date_reach_s: float = 400 * 86400.0  # how far ahead; what lies beyond is taken for milliseconds: 417

    # what becomes of messages
    seed: int = 1
    outcomes: Mapping[str, float] = field(
        default_factory=lambda: {"delivered": 0.92, "undelivered": 0.05, "failed": 0.02, "blocked": 0.01}
    )
    resend_failed: bool = False  # half of the undelivered are sent again, later; fates.resent says how many instead
    delivery_s: tuple[float, float] = (2.0, 15.0)  # from the start of a message to its verdict; also "2s..15s"
    handover_s: float = 0.5  # from the start to the telecom
    initial_status: int = 1  # 5 has been seen live
    status_window_s: float = 48 * 3600.0
    localid_window_s: float = 12 * 3600.0

    # repeated localids, and what answers look like
    dedupe: bool = True  # off: a localid sent again REALLY sends again
    dedupe_window_s: float = 0.0  # how long a localid is remembered; 0 is for ever
    order: str = "same"  # of the rows in an answer: same, reversed, shuffled
    omit_share: float = 0.0  # of the rows left out of an answer at random
    outbox_empty: str = "449"  # sms/statusbyreceptor, selectoutbox, latestoutbox without rows: 449, [] or null
    hidden_receptors: str = "mask"  # what listings do with a message sent with hide=1: mask its receptor, or omit it
    unknown_localid: str = "zero"  # the messageid in the row of a localid nobody knows: zero, or absent

    # what came in, and who is blocked
    inbox_order: str = "newest"  # which of a line's messages come first: newest, oldest
    inbox_empty: str = "null"  # what an empty inbox answers: null, [], 449
    blocked_at_once: bool = False  # a message to a number on its line's block list is 14 from its start on

    # callbacks: the gateway calls back, on this machine only; any answer but 200 is asked for again
    status_callback_url: str = ""  # told each change of a message's status; "" tells nobody
    receive_callback_url: str = ""  # told each message that comes in
    callback_method: str = "get"  # get, or post with a form
    callback_timeout_s: float = 10.0  # on the wall clock; the rest is on the gateway's own
    callback_retry_s: float = 120.0
    callback_retries: int = 30
    callback_delay_s: tuple[float, float] = (0.0, 0.0)  # each waits so long by chance, so that they come out of order
    callback_double_share: float = 0.0  # of them told twice
    callback_lost_share: float = 0.0  # of them never told

    # poison
    bad_receptors: tuple[str, ...] = ()  # 411 for the whole request
    drop_bad_receptors: bool = False  # or the request passes without them
    poison_text: str = ""  # 422 for the whole request when a text contains it

    # the limit on calls from one address (451)
    limiter: str = "none"  # token_bucket, fixed_window, sliding_window
    limiter_rate: float = 20.0  # calls a second
    limiter_burst: float = 20.0  # token_bucket: how many at once
    limiter_window_s: float = 1.0  # fixed_window, sliding_window: its length
    limiter_counts_refused: bool = False  # sliding_window: calls that do not fit take up room too
    limiter_penalty_s: float = 0.0  # how long the address stays restricted
    limiter_extends: bool = False  # each call made meanwhile starts the penalty anew
    limiter_penalty_growth_s: float = 0.0  # or adds this much to what is left of it
    limiter_penalty_most_s: float = 3600.0  # up to so much
    limiter_others_rate: float = 0.0  # calls a second of other software behind the same address

    def turned(self, changes: Mapping[str, object]) -> Knobs:
        """These knobs with some turned. Raises BadKnob, and then nothing is turned."""
        values: dict[str, Any] = {}
        for name, raw in changes.items():
            knob, value = RENAMED.get(name, name), _value(name, raw)
            if values.setdefault(knob, value) != value:
                raise BadKnob(f"{name} is the old name of a knob that is given twice, with two values: leave one out")
        turned = _reconcile_resend(replace(self, **values), values)
        _check_limiter(turned)
        return turned

    def describe(self) -> dict[str, Any]:
        """Every knob by its name, and once more by its old name where it has one."""
        values = asdict(self)
        return {**values, **{old: values[name] for old, name in RENAMED.items()}}

    @property
    def drawn_outcomes(self) -> Mapping[str, float]:
        """The fates as they are drawn: some of the undelivered are sent again where the account says so."""
        undelivered = self.outcomes.get("undelivered", 0.0)
        if not self.resend_failed or self.outcomes.get("resent"):
            return self.outcomes
        return {**self.outcomes, "undelivered": undelivered / 2, "resent": undelivered / 2}


RENAMED = {"fates": "outcomes"}  # old names of knobs, still accepted
POSITIVE = frozenset(
    {"limiter_rate", "limiter_window_s", "limiter_penalty_most_s", "latin_single", "callback_timeout_s"}
)
WINDOW_CALLS_MAX = 1_000_000  # calls a sliding window remembers, about 32 MB


def _value(name: str, raw: object) -> object:
    kind = _KINDS.get(RENAMED.get(name, name))
    if kind is None:
        raise BadKnob(f"there is no knob {name!r}; the knobs are: {', '.join(sorted(_KINDS))}")
    value = READERS[kind](name, raw)
    if name in CHOICES and value not in CHOICES[name]:
        raise BadKnob(f"{name} is one of {', '.join(map(str, CHOICES[name]))}")
    if name in POSITIVE and value == 0:
        raise BadKnob(f"{name} is more than zero")
    if name.endswith("_share") and isinstance(value, float) and value > 1:
        raise BadKnob(f"{name} is between 0 and 1")
    if name.endswith("_url") and value and not is_loopback_url(str(value)):
        raise BadKnob(f"{name} is an http address on this machine, like http://127.0.0.1:8000/, or empty")
    return value


_KINDS: dict[str, str] = {knob.name: str(knob.type) for knob in fields(Knobs)}


def _reconcile_resend(turned: Knobs, values: Mapping[str, object]) -> Knobs:
    """One truth about sending again: a weight of `resent` turns it on, and turning it off leaves none."""
    resent = turned.outcomes.get("resent", 0.0)
    if not resent or turned.resend_failed:
        return turned
    if "resend_failed" not in values:
        return replace(turned, resend_failed=True)
    kept = {outcome: weight for outcome, weight in turned.outcomes.items() if outcome != "resent"}
    return replace(turned, outcomes={**kept, "undelivered": kept.get("undelivered", 0.0) + resent})


def _check_limiter(knobs: Knobs) -> None:
    """Raises BadKnob for knobs of the limiter that cannot all hold at once."""
    if knobs.limiter_burst < 1:
        raise BadKnob("limiter_burst is 1 or more: a smaller bucket never holds a whole call")
    if knobs.limiter == "sliding_window" and knobs.limiter_rate * knobs.limiter_window_s > WINDOW_CALLS_MAX:
        raise BadKnob(f"limiter_rate × limiter_window_s of a sliding_window is at most {WINDOW_CALLS_MAX:,} calls")
    if not knobs.limiter_penalty_growth_s:
        return
    if knobs.limiter_extends:
        raise BadKnob("limiter_penalty_growth_s is 0 where limiter_extends is true: a call adds, or starts anew")
    if not 0 < knobs.limiter_penalty_s <= knobs.limiter_penalty_most_s:
        raise BadKnob("limiter_penalty_growth_s wants a limiter_penalty_s above zero, at most limiter_penalty_most_s")
