"""Write the pages that come from the code: states, codes, methods, metrics, exit codes, settings; and the matrix, which
comes from docs/matrix.json. A test compares.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from kavenegar_campaigns.kavenegar.codes import RETURN_CODES, STATUSES
from kavenegar_campaigns.kavenegar.methods import COMMON_CODES, DAY_S, HOUR_S, METHODS, Method
from kavenegar_campaigns.rules import states
from kavenegar_campaigns.rules.suppression import BLOCK_REASONS, REASONS
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.metrics.families import DATABASE_METRICS, PACE_METRICS, UP
from kavenegar_worker.settings import ALIASES, load, rows

ROOT = Path(__file__).resolve().parents[1]


def pages() -> Iterator[tuple[Path, str]]:
    """Every page and the text it should have."""
    yield ROOT / "docs" / "states.md", states_page()
    yield ROOT / "docs" / "codes.md", codes_page()
    yield ROOT / "docs" / "methods.md", methods_page()
    yield ROOT / "docs" / "metrics.md", metrics_page()
    yield ROOT / "docs" / "exit-codes.md", exits_page()
    project = ROOT / "docs" / "in-your-project.md"
    yield project, within(project.read_text(encoding="utf-8"), "matrix", matrix_table())
    readme = ROOT / "README.md"
    yield readme, within(readme.read_text(encoding="utf-8"), "settings", settings_table())


def within(text: str, name: str, table: str) -> str:
    """`text` with `table` between the marks of `name`."""
    marks = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return marks.sub(lambda found: f"{found[1]}{table}{found[2]}", text)


def matrix_table() -> str:
    """What was measured, with which versions and when; an empty cell was not."""
    lines = ["| what | minimum | newest | tests |", "|---|---|---|---|"]
    for row in json.loads((ROOT / "docs" / "matrix.json").read_text(encoding="utf-8"))["rows"]:
        cells = [matrix_cell(row, row.get("measured", {}).get(end)) for end in ("lowest", "newest")]
        files = ", ".join(f"[{Path(file).stem}](../{file})" for file in row["tests"])
        lines.append(f"| {row['what']} | {cells[0]} | {cells[1]} | {files} |")
    return "\n".join(lines) + "\n"


def matrix_cell(row: Mapping[str, Any], measured: Mapping[str, Any] | None) -> str:
    """One cell. What other test files than the row's passed is not what the row says."""
    if measured is None or measured["tests"] != row["tests"]:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    return f"{versions}, Python {measured['python']}: {measured['passed']} passed, {measured['on']}"


def states_page() -> str:
    """The state machines, as diagrams and in words."""
    lines = ["# States\n", "Written by `scripts/docs` from `campaigns/rules/states.py`."]
    lines.append("The database allows the same moves:")
    lines.append("every UPDATE names the state that it moves from, and CHECK constraints refuse impossible states.\n")
    for title, kind, moves in (
        ("A campaign", states.CampaignState, states.CAMPAIGN_MOVES),
        ("A batch", states.BatchState, states.BATCH_MOVES),
        ("A message", states.MessageState, states.MESSAGE_MOVES),
        ("A one-time password", states.OtpState, states.OTP_MOVES),
    ):
        lines.append(f"## {title}\n\n{drawn(kind, moves)}\n\n{comments(kind)}\n")
    return "\n".join(lines)


def drawn(kind: type[StrEnum], moves: Mapping[StrEnum, frozenset[StrEnum]]) -> str:
    """One state machine as a diagram."""
    first = next(iter(kind))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    for state in kind:
        lines += [f"    {state} --> {target}" for target in kind if target in moves[state]]
        lines += [f"    {state} --> [*]"] if not moves[state] else []
    return "\n".join([*lines, "```"])


def comments(kind: type[StrEnum]) -> str:
    """What each state means: the comment beside it in the source."""
    source = Path(states.__file__).read_text(encoding="utf-8")
    lines = ["| state | meaning |", "|---|---|"]
    for state in kind:
        body = source.split(f"class {kind.__name__}(", 1)[1]
        found = re.search(rf'^    {state.name} = "{state}"(?:  # (.*))?$', body, re.MULTILINE)
        meaning = found[1] if found and found[1] else str(state)
        lines.append(f"| `{state}` | {meaning} |")
    return "\n".join(lines)


def codes_page() -> str:
    """Every code and status of the gateway, and what the worker does about it."""
    lines = ["# The gateway's codes\n", "Written by `scripts/docs` from `campaigns/kavenegar/codes.py`.\n"]
    lines += [
        "## Return codes\n",
        "| code | what the worker does | what an operator reads | source |",
        "|---|---|---|---|",
    ]
    for row in RETURN_CODES.values():
        verdict = row.verdict if isinstance(row.verdict, str) else row.verdict.__name__
        on_sends = f", on sends {row.on_sends.__name__}" if row.on_sends else ""
        on_unread = f", when unread messages are read {row.on_consuming.__name__}" if row.on_consuming else ""
        lines.append(f"| {row.code} | {verdict}{on_sends}{on_unread} | {row.advice} | {row.source} |")
    other = "GatewayDown, on sends OutcomeUnknown, when unread messages are read AnswerLost"
    lines.append(f"| any other 5xx | {other} | the gateway failed | ours |")
    lines.append("| any other | CampaignRefused | an undocumented code: sending stops until a person looks | ours |")
    lines += [
        "\n## Message statuses\n",
        "| status | our state | meaning | refunded | source |",
        "|---|---|---|---|---|",
    ]
    for status in STATUSES.values():
        refunded = "yes" if status.refunded else ""
        lines.append(f"| {status.status} | {status.state or ''} | {status.meaning} | {refunded} | {status.source} |")
    lines += ["\n## Why a number is on a line's block list\n", "| reason | meaning | removable |", "|---|---|---|"]
    for number, reason in BLOCK_REASONS.items():
        lines.append(f"| {number} | {REASONS[reason].text} | {'yes' if REASONS[reason].removable else ''} |")
    return "\n".join([*lines, ""])


METHODS_ARE_FOR = f"""\
Written by `scripts/docs` from `campaigns/kavenegar/methods.py`.

All {len(METHODS)} methods are functions of `kavenegar_campaigns.kavenegar.client.Client` and of `PacedClient`,
which keeps the pace and tries again when a call may be repeated. The limits are checked before a call leaves. `L147` is
the line of kavenegar-rest at which a method's section begins; [codes.md](codes.md) says what each code means.
"""


def methods_page() -> str:
    """Every method of the gateway, with its limits, and where the worker uses it."""
    lines = ["# The gateway's methods\n", METHODS_ARE_FOR]
    lines += ["| method | purpose | limits | its own codes | where the worker uses it | section |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in METHODS:
        codes = " ".join(map(str, sorted(row.codes)))
        lines.append(
            f"| `{row.path}` | {row.purpose} | {'; '.join(limits(row))} | {codes} | {row.used_by} | {row.section} |"
        )
    lines.append(f"\nEvery method can answer {', '.join(map(str, COMMON_CODES))} as well.")
    return "\n".join([*lines, ""])


def limits(row: Method) -> Iterator[str]:
    """The limits of a method, in words."""
    if row.verbs != "GET or POST":
        yield f"{row.verbs} only"
    if row.max_rows:
        yield f"{row.max_rows} a request" if row.max_rows > 1 else "one number a request"
    if row.max_answer_rows > 1:
        yield f"{row.max_answer_rows} rows an answer"
    if row.max_span_s:
        yield f"a span of {length(row.max_span_s)}"
    if row.max_age_s:
        yield f"begun at most {length(row.max_age_s)} ago"
    if row.known_for_s:
        yield f"known for {row.known_for_s // HOUR_S} hours"
    if row.sends:
        yield "unknown without an answer"
    if row.consumes:
        yield "unread messages become read"


def length(seconds: int) -> str:
    """3 days (less a minute), 1 day."""
    days = -(-seconds // DAY_S)
    return f"{days} day{'s' if days > 1 else ''}{' (less a minute)' if seconds % DAY_S else ''}"


METRICS_ARE_FOR = """\
Written by `scripts/docs` from `worker/metrics/families.py`.

The process `metrics` of the Procfile serves them at `http://METRICS_ADDRESS:METRICS_PORT/metrics` to clients that send
the name and the password of `METRICS_BASIC_AUTH`; `/healthz` needs no password. Each scrape reads them from Redis and
PostgreSQL, for all hosts together, so one such process is enough. A scrape reads no messages, and only open batches.
All metrics are gauges.

If `METRICS_BASIC_AUTH` is set for the process `web` as well, `web` serves them at `http://WEB_ADDRESS:WEB_PORT/metrics`,
and the process `metrics` is not needed. A proxy in front of `web` should forward only `/callbacks/`.

```yaml
scrape_configs:
  - job_name: kavenegar
    basic_auth: {username: prometheus, password_file: /etc/prometheus/kavenegar-password}
    static_configs: [{targets: ["127.0.0.1:9540"]}]
```

Alert on `kavenegar_up == 0`, `kavenegar_tick_age_seconds > 60`, `kavenegar_account_on_hold == 1`,
`kavenegar_account_debug_mode == 1`,
`kavenegar_batches_overdue_seconds > 600`, and an increase of `kavenegar_messages_uncertain`.
"""


def metrics_page() -> str:
    """Every metric, in tables."""
    lines = ["# Metrics\n", METRICS_ARE_FOR]
    for title, families in (
        ("The process", (UP,)),
        ("The pace, from Redis", PACE_METRICS),
        ("The installation, from PostgreSQL", DATABASE_METRICS),
    ):
        lines += [f"## {title}\n", "| metric | label | meaning |", "|---|---|---|"]
        for family in families:
            label = f"`{family.label}`" if family.label else ""
            lines.append(f"| `{family.name}` | {label} | {family.meaning} |")
        lines.append("")
    return "\n".join(lines)


EXITS_ARE_FOR = """\
Written by `scripts/docs` from `worker/cli/exits.py`. They are stable: scripts may rely on them.

`campaigns verify ID` ends with 0 if every check that applies to the campaign was made and found nothing wrong, with 1
if something is not true, and with 4 if nothing was found wrong and a check could not be made: the gateway did not
answer, it no longer answers for messages of this age, it did not say a price, or a message is uncertain. A check that
does not apply (calls in the count of the outbox, prices if `SELECT_ALLOWED` is off) is shown as not made and does not
change the exit code. In the JSON, `true` says whether nothing was found wrong, `checked` whether every check was made,
and `missed` that a check should have been made and was not.
"""


def exits_page() -> str:
    """Every exit code of the command."""
    lines = ["# Exit codes of `campaigns`\n", EXITS_ARE_FOR, "| code | meaning |", "|---|---|"]
    lines += [f"| {code.value} | {code.meaning} |" for code in Exit]
    return "\n".join([*lines, ""])


def settings_table() -> str:
    """Every setting with its default."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for row in rows(load({}), {}):
        default = f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {default} | {row.meaning} |")
    renamed = ", ".join(f"`{old}` (now `{new}`)" for old, new in ALIASES.items())
    lines += ["", f"Old names are accepted in this release, with a warning, and not in the next: {renamed}."]
    return "\n".join([*lines, ""])


def main() -> None:
    """Write every page that is not as it should be."""
    for path, text in pages():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
