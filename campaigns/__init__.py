"""Bulk SMS campaigns through Kavenegar: what a web app imports to create, watch and steer them.

    import campaigns

    with engine.begin() as connection:            # or a Session: your transaction, your commit
        campaign = campaigns.create(connection, recipients="customers.csv", text="سلام {name}", sender="10004346")
        campaigns.start(connection, campaign)

Needs neither broker nor API key: the workers find the campaign in the database. If your transaction rolls back, there
was no campaign. Every function takes a SQLAlchemy `Connection` or `Session` on `postgresql+psycopg` as its first
argument; a campaign's id is a positive int.

Errors: `BadInput` (with `NotFound` and `KeyConflict`) says what is wrong and what would be right; `IllegalMove` says
what the campaign's state allows.
"""

from __future__ import annotations

from campaigns.errors import BadInput, CampaignsError, IllegalMove, KeyConflict, NotFound
from campaigns.face.inbox import inbound, inbox, taken
from campaigns.face.otp import otp, otp_state
from campaigns.face.people import suppress, suppressed, unsuppress
from campaigns.face.steering import cancel, create, pause, resume, send_uncertain, start
from campaigns.face.watching import export, export_rejects, get, newest, preview, progress, report, waiting
from campaigns.intake import Estimate, Recipients, estimate
from campaigns.report import Report
from campaigns.rules.manner import Kind
from campaigns.rules.states import CampaignState, MessageState, OtpState
from campaigns.rules.suppression import Reason
from campaigns.rules.tokens import OtpKind
from campaigns.sample_texts import Preview
from campaigns.store.inbound import Inbound
from campaigns.store.otps import Otp
from campaigns.store.records import Campaign, Progress
from campaigns.store.suppressions import Suppression
from campaigns.waiting import Waiting

__all__ = [
    "BadInput",
    "Campaign",
    "CampaignState",
    "CampaignsError",
    "Estimate",
    "IllegalMove",
    "Inbound",
    "KeyConflict",
    "Kind",
    "MessageState",
    "NotFound",
    "Otp",
    "OtpKind",
    "OtpState",
    "Preview",
    "Progress",
    "Reason",
    "Recipients",
    "Report",
    "Suppression",
    "Waiting",
    "cancel",
    "create",
    "estimate",
    "export",
    "export_rejects",
    "get",
    "inbound",
    "inbox",
    "newest",
    "otp",
    "otp_state",
    "pause",
    "preview",
    "progress",
    "report",
    "resume",
    "send_uncertain",
    "start",
    "suppress",
    "suppressed",
    "taken",
    "unsuppress",
    "waiting",
]
