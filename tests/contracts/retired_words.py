"""The words that the vocabulary of docs/glossary.md replaced, and where each of them may not come back.

An identifier is read as words: `REENQUEUE_AFTER` is "reenqueue after", `LeaseLost` is "lease lost". The entries are
written in this way, too, in small letters; those of `spelled` are compared as they stand. Ordinary English verbs
(hand, look, note) are retired only where they stood for a thing that has a name of its own now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

PRODUCT: Final = ("campaigns", "worker", "sandbox", "devkit")
EVERYWHERE: Final = (*PRODUCT, "tests", "benchmarks", "scripts", "docs")

# What an identifier names. A local variable is read in the few lines that make it, so most words may stand there.
NAMES: Final = frozenset({"module", "class", "function", "parameter", "attribute", "field", "column", "metric"})
MODULE: Final = frozenset({"module"})
CODE: Final = frozenset({"module", "class", "function"})
FUNCTION: Final = frozenset({"function"})
CLASS: Final = frozenset({"class"})
FIELD: Final = frozenset({"field"})


@dataclass(frozen=True, slots=True)
class Retired:
    """One retired word (or several in a row), the word to use, and where the old one counts.

    `part`: it counts anywhere in an identifier; otherwise only as the whole of one. `owner`: it counts in this class.
    `spelled`: compared as it stands. `folders`: below which paths it counts.
    """

    word: str
    instead: str
    part: bool = False
    spelled: bool = False
    kinds: frozenset[str] = NAMES
    folders: tuple[str, ...] = EVERYWHERE
    owner: str | None = None


def _each(words: str, instead: str, **where: Any) -> Iterable[Retired]:
    """Entries for several words, separated by commas; `instead` is as many words, or stands for all of them."""
    old, new = words.split(", "), instead.split(", ")
    for number, word in enumerate(old):
        yield Retired(word, new[number] if len(new) == len(old) else instead, **where)


RETIRED: Final[tuple[Retired, ...]] = (
    # They mean something else to whoever knows queues, databases or SMS gateways.
    # Below `kavenegar/` it is the gateway's own word: `sms/selectoutbox`, `sms/latestoutbox`.
    *_each("outbox", "sent_at_gateway", kinds=MODULE, folders=("campaigns/stages", "campaigns/store")),
    *_each("receipt, receipts", "gateway_ids", part=True),
    Retired("Gateway", "PacedClient", spelled=True, kinds=CLASS, folders=("campaigns",)),
    Retired("BATCH", "BATCH_SIZE", spelled=True, folders=("campaigns/rules",)),
    Retired(
        "POLL", "POLL_SIZE", spelled=True, folders=("campaigns/rules/batches.py",)
    ),  # a lane of rules/pace.py is called so, too
    Retired("BLOCK", "ID_BLOCK_SIZE", spelled=True, folders=("campaigns/rules",)),
    Retired("sieve", "RowValidator", part=True),
    Retired("Kind", "RejectKind, and so on", spelled=True, kinds=CLASS, folders=PRODUCT),
    Retired("Order", "OtpRequest", spelled=True, kinds=CLASS, folders=PRODUCT),
    Retired("wish", "request", part=True),
    *_each("hand, hands", "deliver, delivery_attempts", part=True),
    Retired("handed", "delivered", part=True, folders=PRODUCT),
    Retired("handover", "inbound_delivery", kinds=MODULE),  # the sandbox hands messages to operators: a knob of its own
    Retired("taken", "acknowledge", kinds=FUNCTION, folders=PRODUCT),
    # They say too little.
    Retired("heed", "callbacks", part=True),
    *_each("fate", "confirm", part=True, folders=PRODUCT),
    *_each("note, look, ask", "record, match, confirm", kinds=CODE, folders=PRODUCT),
    Retired("house", "context, or what is meant", part=True),
    *_each("bell, bells, ring, rings, ringing, rang, rung", "due_work, enqueue, enqueued_at", part=True),
    *_each("manner, along", "MessageOptions", part=True),
    Retired("PLAIN", "DEFAULT_OPTIONS", spelled=True, folders=PRODUCT),
    *_each("spare, sparing", "drop_suppressed", part=True, folders=PRODUCT),
    *_each("cut, cutting", "split_into_batches", kinds=CODE, folders=PRODUCT),
    *_each("lean, leans, leaning, leaned", "callbacks_active, reduced_polls", part=True),
    Retired("vain", "early_outcome", part=True),
    Retired("collided", "handle_id_collision", kinds=FUNCTION, folders=PRODUCT),  # `COLLIDED` is an outcome
    Retired("set apart", "quarantine", part=True),
    Retired("waits", "is_due", kinds=FUNCTION, folders=("campaigns",)),
    Retired("alone", "try_tick_lock", kinds=FUNCTION, folders=PRODUCT),
    Retired("ticked", "record_heartbeat", kinds=FUNCTION, folders=PRODUCT),
    Retired("lapse", "expire_leases", kinds=FUNCTION, folders=PRODUCT),
    Retired("admit", "acquire_slot", kinds=FUNCTION, folders=PRODUCT),
    Retired("depart", "confirm", kinds=FUNCTION, folders=PRODUCT),
    Retired("passed", "report_ok", kinds=FUNCTION, folders=PRODUCT),
    Retired("blocked", "report_throttled", kinds=FUNCTION, folders=PRODUCT),
    Retired("remind", "restore", kinds=FUNCTION, folders=PRODUCT),
    Retired("told", "the noun: rows, text, sentence", part=True, kinds=NAMES | {"local"}),
    Retired("tell", "say what is done: write, report, describe", part=True),
    Retired("turn", "LinePull", kinds=CODE | {"parameter", "field"}, folders=("campaigns",)),
    *_each("over, overtaken", "PullTimedOut, LeaseLost", kinds=CLASS, folders=PRODUCT),
    # Fields of the policy, and settings.
    *_each(
        "gather, silence, probe, settle, closing",
        "callback_batch_window, callback_timeout, hold_recheck, unknown_grace, closing_margin",
        kinds=FIELD,
        owner="Policy",
    ),
    *_each("callback gather", "callback_batch_window"),
    *_each("callback silence", "callback_timeout"),
    *_each("callback parked", "callback_backlog_max"),
    *_each("account probe, unknown settle", "hold_recheck, unknown_grace"),
    Retired("may select", "select_allowed", part=True),
    Retired("inbox horizon", "inbox_lookback"),
    # Facts and decisions.
    Retired("standing", "message_state, status", kinds=CODE, folders=PRODUCT),
    Retired("doubt", "mark_unknown", kinds=FUNCTION, folders=PRODUCT),
    Retired("doubtful", "needs_reconcile_since", part=True),
    Retired("strangers", "foreign_rows", part=True),
    *_each("learn, learning", "record_facts", kinds=CODE, folders=("campaigns",)),
    Retired("holds", "owns_lease", kinds=FUNCTION, folders=PRODUCT),
    # Files.
    *_each("delimited", "csv_rows", kinds=MODULE),
    *_each("items", "python_rows", kinds=MODULE),
    *_each("opening", "sources", kinds=MODULE),
    *_each("seen", "dedupe", kinds=MODULE),
    *_each("forecast", "estimate", kinds=MODULE),
    *_each("creation", "create", kinds=MODULE),
    *_each("visit", "blocklist_sync", kinds=CODE, folders=PRODUCT),
    *_each("orders, spelling", "create_task, settings/parsers", kinds=MODULE, folders=PRODUCT),
    *_each("desk, seldom", "recorder, log_limit", part=True, folders=PRODUCT),
    *_each("allowance", "token_bucket", kinds=CODE, folders=PRODUCT),
    *_each("answering, reading", "app, parsing", kinds=MODULE, folders=PRODUCT),
    *_each("words, story, making, mending, live", "output, demo_run, create, repair, progress", kinds=MODULE),
    *_each("door", "main, or admin_http", part=True),
    *_each("farewell", "ExitMessage", part=True),
    *_each("leash, keeper", "control, runner", part=True),
    *_each("surroundings", "environment", kinds=MODULE),
    *_each("tether, wheels", "parent_death, binaries", kinds=MODULE),
    *_each("watch", "reaper", kinds=MODULE, folders=("devkit",)),  # `watch` is a command, and a function of the API
    *_each("purse, dice, destiny, misbehaviour", "credit, rng, OutcomeModel, fault_kinds", part=True),
    *_each("tally, news", "counters, status_events", part=True, folders=("sandbox",)),
)

# Constant words of log events and of what the command prints.
SENTENCES: Final = {
    "account let go": "account hold released",
    "rings lost": "enqueue failed",
    "pace reminded": "pace restored",
}

# Identifiers that keep a retired word, everywhere or at one place ("path: identifier"), and why.
EXEMPT: Final[dict[str, str]] = {
    "campaigns/rules/suppression.py: BY_HAND": "the old name of a member of a public enum, for one release",
    "kavenegar_callbacks_leaned_on": "the old name of a metric is served for one release beside the new one",
}
