"""Campaigns, their messages in batches, attempts, and one-time passwords.

A batch finds its messages by their ids. Ids are reserved in order and a number stands once in a campaign, so a batch
*is* a range of ids (`first_id` to `last_id`). `messages` therefore needs no index on a column that changes, its updates
stay HOT (`fillfactor` leaves room in the page), and a claim among ten million messages costs no more than one of one.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB

from kavenegar_campaigns.rules.batches import LAST_ID_BLOCK
from kavenegar_campaigns.rules.states import (
    OPEN_BATCH_STATES,
    VERDICTS,
    BatchState,
    CampaignState,
    MessageState,
    OtpState,
)
from kavenegar_campaigns.store.tables import metadata, one_of, time

# A message in a state of `_KNOWN` has a gateway id, in a state of `_UNKNOWN` it has none. A cancelled one may have one.
_KNOWN: Final = tuple(sorted({MessageState.ACCEPTED, *VERDICTS} - {MessageState.CANCELLED}))
_UNKNOWN: Final = tuple(sorted(set(MessageState) - {*_KNOWN, MessageState.CANCELLED}))

message_id_blocks = Sequence("message_id_blocks", metadata=metadata, start=1, minvalue=1, maxvalue=LAST_ID_BLOCK)
"""Blocks of `ID_BLOCK_SIZE` ids; `(epoch << 33) + block * ID_BLOCK_SIZE` is the first id of a block."""

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("client_key", Text, unique=True),
    Column("content_digest", LargeBinary, nullable=False),  # SHA-256 of text, sender and recipients as read
    Column("sender", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("personal", Boolean, nullable=False),  # texts differ: sms/sendarray instead of sms/send
    Column("state", Text, nullable=False),
    Column("hold_code", SmallInteger),
    Column("hold_reason", Text),  # the reason of the pause, as a sentence
    time("paused_at"),
    Column("message_ids", INT8MULTIRANGE, nullable=False),
    Column("rows_read", Integer, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("duplicates", Integer, nullable=False),
    Column("rejects", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    time("created_at", nullable=False, server_default=text("now()")),
    time("start_at"),
    # Sent to the gateway at once with its date, instead of being held here until then.
    Column("at_gateway", Boolean, nullable=False, server_default=text("false")),
    time("started_at"),
    time("finished_at"),
    Column("kind", Text, nullable=False, server_default="sms"),  # sms | voice
    Column("repeat", SmallInteger),  # voice: how often the text is repeated
    # The other parameters of a send, by the gateway's names.
    Column("tag", Text),
    Column("policy", Text),
    Column("hide", Boolean, nullable=False, server_default=text("false")),
    Column("message_type", SmallInteger),
    CheckConstraint(one_of("state", CampaignState), name="state"),
    CheckConstraint("kind IN ('sms', 'voice')", name="kind"),
    CheckConstraint("repeat IS NULL OR (repeat BETWEEN 0 AND 5 AND kind = 'voice')", name="repeat"),
    CheckConstraint("message_type BETWEEN 0 AND 3", name="message_type"),
    CheckConstraint("messages + duplicates + rejects = rows_read", name="rows"),
    CheckConstraint("hold_reason IS NULL OR state IN ('paused', 'cancelled')", name="hold"),
    CheckConstraint("paused_at IS NULL OR state = 'paused'", name="paused"),
    CheckConstraint("state <> 'running' OR started_at IS NOT NULL", name="started"),
    CheckConstraint("(state IN ('finished')) <= (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("finished_at IS NULL OR state IN ('finished', 'cancelled')", name="over"),
    Index("campaigns_live_idx", "state", "id", postgresql_where=text("finished_at IS NULL")),
)

messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # the localid at the gateway
    # No foreign key: checking it row by row would halve the speed of COPY, and intake writes both sides at once.
    Column("campaign_id", BigInteger, nullable=False),
    Column("gateway_id", BigInteger),
    time("settled_at"),  # when the last state was recorded
    Column("row_no", Integer, nullable=False),  # of the recipients as given; the first line is 1
    Column("cost_rial", Integer),
    Column("parts", SmallInteger, nullable=False),
    Column("status", Integer),  # the gateway's last known one; never 100
    Column("refused_code", SmallInteger),
    Column("state", Text, nullable=False, server_default=MessageState.PENDING),
    Column("number", Text, nullable=False),  # as 09121234567
    Column("text", Text),  # only where texts differ; otherwise the campaign's template is the text
    CheckConstraint(one_of("state", MessageState), name="state"),
    CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="id"),
    CheckConstraint("number ~ '^09[0-9]{9}$'", name="number"),
    CheckConstraint("status <> 100", name="status"),
    CheckConstraint(
        f"gateway_id IS NOT NULL OR NOT ({one_of('state', _KNOWN)})",
        name="known_to_gateway",
    ),
    CheckConstraint(
        f"gateway_id IS NULL OR NOT ({one_of('state', _UNKNOWN)})",
        name="unknown_to_gateway",
    ),
    CheckConstraint("(state = 'refused') = (refused_code IS NOT NULL)", name="refused"),
    # Which messages did this number get? A number never changes, so updates stay HOT.
    Index("messages_number_idx", "number"),
)

# Room in the pages of rows that change. SQLAlchemy has an argument for it from 2.1 on only.
event.listen(
    messages,
    "after_create",
    DDL("ALTER TABLE sms.messages SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)"),  # type: ignore[no-untyped-call]
)

rejects = Table(
    "rejects",
    metadata,
    Column("campaign_id", BigInteger, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # duplicate | number | placeholder | text | shape | hidden | above
    Column("value", Text, nullable=False),  # the rejected value, cut to 200 characters
    Column("reason", Text, nullable=False),  # a sentence: the fault, and a right value
    Column("cells", JSON),  # of the row, by column, cut short (see `intake.kept_cells`); NULL: not kept
    Index("rejects_campaign_id_idx", "campaign_id", "row_no"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("campaign_id", BigInteger, ForeignKey(campaigns.c.id), nullable=False),
    Column("parent_id", BigInteger),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    time("due_at", nullable=False),  # ready: not before; claimed: end of the lease; unknown: when to ask
    time("enqueued_at"),  # when the dispatcher last enqueued it
    Column("lease_owner", Uuid),
    Column("attempt", Integer, nullable=False, server_default="0"),  # grows with each claim: the fence
    Column("trouble", Text),  # the last failure, as a constant word
    Column("sender", Text),  # the line that it left from, or may have left from; NULL: the campaign's line
    time("first_sent_at"),  # the first time a request may have left
    Column(
        "account", SmallInteger
    ),  # the account that it last left under; NULL: never left, or before accounts were recorded
    time("accepted_at"),
    time("poll_at"),  # NULL: no message waits for a verdict
    Column("poll_no", SmallInteger, nullable=False, server_default="0"),  # how many polls of the whole batch are done
    Column("poll_resume_id", BigInteger),  # a poll that stopped half-way continues at this message
    time("closes_at"),  # when the gateway stops answering for its messages
    # How many of its messages are in each state. The sum is always last_id - first_id + 1.
    Column("pending", SmallInteger, nullable=False),
    *(
        Column(state, SmallInteger, nullable=False, server_default="0")
        for state in MessageState
        if state is not MessageState.PENDING
    ),
    CheckConstraint(one_of("state", BatchState), name="state"),
    CheckConstraint("last_id - first_id BETWEEN 0 AND 199", name="size"),
    CheckConstraint(
        f"state = 'split' OR {' + '.join(MessageState)} = last_id - first_id + 1",
        name="counts",
    ),
    CheckConstraint(f"least({', '.join(MessageState)}) >= 0", name="not_negative"),
    CheckConstraint("(state = 'claimed') <= (lease_owner IS NOT NULL)", name="lease"),
    CheckConstraint("state NOT IN ('ready', 'claimed', 'unknown') OR pending > 0", name="has_work"),
    CheckConstraint("state NOT IN ('accepted', 'closed', 'refused', 'cancelled') OR pending = 0", name="has_none"),
    CheckConstraint("(accepted_at IS NULL) = (closes_at IS NULL)", name="window"),
    CheckConstraint("poll_at IS NULL OR closes_at IS NOT NULL", name="closes"),
    CheckConstraint("state <> 'closed' OR accepted = 0", name="closed"),
    CheckConstraint("state = 'split' OR (poll_at IS NULL) = (accepted = 0)", name="polled"),
    Index("batches_campaign_id_idx", "campaign_id", "first_id"),
    Index("batches_ready_idx", "campaign_id", "due_at", "id", postgresql_where=text("state = 'ready'")),
    # A range of ids in two batches would be sent twice.
    Index("batches_first_id_key", "first_id", unique=True, postgresql_where=text("state <> 'split'")),
    Index(
        "batches_enqueued_idx",
        "enqueued_at",
        postgresql_where=text("state IN ('ready', 'unknown') AND enqueued_at IS NOT NULL"),
    ),
    Index("batches_window_idx", "closes_at", postgresql_where=text("poll_at IS NOT NULL")),
    Index("batches_lease_idx", "due_at", postgresql_where=text("state = 'claimed'")),
    Index("batches_unknown_idx", "due_at", postgresql_where=text("state = 'unknown'")),
    Index("batches_poll_idx", "poll_at", "id", postgresql_where=text("poll_at IS NOT NULL")),
    # Which windows close soon? Batches that wait only for the end of their window are left out: there may be very many.
    Index("batches_closing_idx", "closes_at", "id", postgresql_where=text("poll_at < closes_at")),
    Index("batches_open_idx", "campaign_id", postgresql_where=text(one_of("state", OPEN_BATCH_STATES))),
)

event.listen(batches, "after_create", DDL("ALTER TABLE sms.batches SET (fillfactor = 70)"))  # type: ignore[no-untyped-call]

attempts = Table(
    "attempts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("call_id", Uuid, nullable=False),  # one request; a poll touches several batches
    Column("kind", Text, nullable=False),  # send | resolve | poll
    Column("event", Text, nullable=False),  # began | the outcome, a constant word
    Column("attempt", Integer, nullable=False),
    Column("messages", SmallInteger, nullable=False),  # messages of this batch in the request
    Column("code", SmallInteger),  # the code of the gateway's answer, if it answered
    time("at", nullable=False),
    CheckConstraint("kind IN ('send', 'resolve', 'poll')", name="kind"),
    Index("attempts_batch_id_idx", "batch_id"),
)
"""Each attempt and its outcome; rows are only ever added. These rows are evidence."""


# ── one-time passwords: one row for each message or call that carries one ──

otps = Table(
    "otps",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("client_key", Text, unique=True),  # the caller's key: a second request returns the first password
    Column("parent_id", BigInteger, unique=True),  # of a call: the SMS that it follows
    Column("kind", Text, nullable=False),  # sms | call
    Column("number", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("tokens", JSONB),  # erased as soon as no send needs them any more
    Column("tag", Text),
    Column("call_after_s", Integer),  # a call follows an SMS that is not delivered by then
    Column("state", Text, nullable=False),
    time("created_at", nullable=False, server_default=text("now()")),
    time("due_at", nullable=False),  # waiting: not before; claimed: end of the lease
    time("expires_at", nullable=False),  # no longer valid after that: it is not sent any more
    Column("lease_owner", Uuid),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("gateway_id", BigInteger),
    Column("status", Integer),
    Column("cost_rial", Integer),
    Column("refused_code", SmallInteger),  # the gateway's code of a refusal
    time("sent_at"),
    time("poll_at"),
    time("settled_at"),
    time("enqueued_at"),  # its task was published, or the thread that ordered it began to send it
    CheckConstraint(one_of("state", OtpState), name="state"),
    CheckConstraint("kind IN ('sms', 'call')", name="kind"),
    CheckConstraint("state NOT IN ('waiting', 'claimed') OR tokens IS NOT NULL", name="tokens"),
    CheckConstraint("state NOT IN ('delivered', 'refused', 'unknown', 'expired') OR tokens IS NULL", name="erased"),
    CheckConstraint("(state = 'claimed') = (lease_owner IS NOT NULL)", name="lease"),
    CheckConstraint("(state = 'refused') = (refused_code IS NOT NULL)", name="refused"),
    Index("otps_due_idx", "due_at", postgresql_where=text("state IN ('waiting', 'claimed')")),
    Index("otps_gateway_id_idx", "gateway_id", postgresql_where=text("poll_at IS NOT NULL")),
    # Which messages in the gateway's lists are our one-time passwords?
    Index("otps_sent_idx", "gateway_id", postgresql_where=text("gateway_id IS NOT NULL")),
    Index("otps_poll_idx", "poll_at", postgresql_where=text("poll_at IS NOT NULL")),
)
