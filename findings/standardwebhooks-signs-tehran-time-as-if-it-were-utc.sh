#!/usr/bin/env bash
# standardwebhooks 1.1.0 (PyPI): a webhook that is signed at a moment in Tehran time is refused by every receiver.
#
# Guess, written down first: `Webhook.sign(msg_id, timestamp, data)` takes a datetime, so the zone of an aware one counts, and
# the header webhook-timestamp is the unix time of the same datetime. At worst a naive datetime is refused.
# Seen: `sign` replaces the zone and does not convert it. An aware datetime in +03:30 is signed as a moment three and a half
# hours later than it is, with no error and no warning; the library's own `verify` then finds no matching signature. The
# same moment in UTC verifies. A naive local datetime is taken for UTC in the same way.
# What it means for users: a shop whose Django has TIME_ZONE = "Asia/Tehran" and signs at `timezone.localtime()` signs webhooks
# that nobody can verify, and only on servers that do not run on UTC. We convert to UTC before we sign
# (campaigns/stages/inbox/deliver.py; the test verifies with the library).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install standardwebhooks==1.1.0 tzdata==2026.1

"$folder/venv/bin/python" - <<'PY'
import base64
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_" + base64.b64encode(b"a secret of the receiver").decode())
now = datetime.now(UTC)


def outcome(moment: datetime) -> str:
    header = {"webhook-id": "1", "webhook-timestamp": str(int(now.timestamp()))}
    try:
        webhook.verify("{}", {**header, "webhook-signature": webhook.sign("1", moment, "{}")})
    except WebhookVerificationError as why:
        return str(why)
    return "verified"


tehran = now.astimezone(ZoneInfo("Asia/Tehran"))
assert tehran == now
found = {"UTC": outcome(now), "Asia/Tehran": outcome(tehran), "naive local": outcome(tehran.replace(tzinfo=None))}
for zone, said in found.items():
    print(f"signed at the same moment in {zone}: {said}")
assert found == {
    "UTC": "verified",
    "Asia/Tehran": "No matching signature found",
    "naive local": "No matching signature found",
}, found
PY
# Output on 2026-11-29:
# signed at the same moment in UTC: verified
# signed at the same moment in Asia/Tehran: No matching signature found
# signed at the same moment in naive local: No matching signature found
