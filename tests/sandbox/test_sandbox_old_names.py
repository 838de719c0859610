"""Names that changed: the old ones are still accepted, and still in the answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson

from tests.sandbox.client import Client, numbers

OLD_COLUMNS = {"outcomes": "fates", "options": "manners"}


def test_a_knob_goes_by_its_old_name_too(sandbox: Client) -> None:
    sandbox.turn(fates={"failed": 1})
    knobs = sandbox.admin("GET", "knobs").json()
    assert knobs["outcomes"] == knobs["fates"] == {"failed": 1}
    assert sandbox.admin("POST", "knobs", knobs).status_code == 200
    assert sandbox.admin("POST", "knobs", {"outcomes": {"delivered": 1}}).json()["fates"] == {"delivered": 1}


def test_a_knob_given_by_both_names_with_two_values_is_refused_and_nothing_changes(sandbox: Client) -> None:
    before = sandbox.admin("GET", "knobs").json()
    answer = sandbox.admin("POST", "knobs", {"fates": {"failed": 1}, "outcomes": {"delivered": 1}, "seed": 7})
    assert (answer.status_code, "given twice with two values" in answer.json()["error"]) == (400, True)
    assert sandbox.admin("GET", "knobs").json() == before


def test_answers_of_the_admin_api_hold_the_old_names_beside_the_new_ones(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"failed": 1}, dedupe=False)
    sandbox.arm("code", count=1)
    sandbox.code("account/info")
    row, _ = (sandbox.send(*numbers(1), localid=[1])[0] for _ in range(2))
    (shown,) = sandbox.shown(row["messageid"])
    (fault,) = sandbox.admin("GET", "faults").json()["faults"]
    summary, callbacks = sandbox.summary(), sandbox.admin("GET", "callbacks").json()
    assert shown["outcome"] == shown["fate"] == "failed"
    assert fault["triggered"] == fault["struck"] == 1
    assert summary["faults_triggered"] == summary["faults_played"] == {"code": 1}
    assert callbacks["status"]["events"] == callbacks["status"]["news"] == 0
    duplicates, doubles = (sandbox.admin("GET", f"ledger/{name}").json() for name in ("duplicates", "doubles"))
    assert duplicates == doubles
    assert len(duplicates["localids"]) == len(duplicates["receptor_texts"]) == 1


def test_a_journal_with_the_old_names_of_columns_is_read(start: Callable[..., Client], tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    sandbox = start({"journal": journal}, outcomes={"failed": 1}, tags=["spring"], delivery_s=[60, 60])
    ids = [row["messageid"] for row in sandbox.send(*numbers(3), tag="spring", localid=[1, 2, 3])]
    events = [orjson.loads(line) for line in journal.read_bytes().splitlines()]
    events = [{OLD_COLUMNS.get(name, name): value for name, value in event.items()} for event in events]
    assert {"fates", "manners"} <= set(events[-1])
    journal.write_bytes(b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events))
    again = start({"journal": journal}, outcomes={"delivered": 1}, delivery_s=[60, 60])
    assert again.shown(*ids) == sandbox.shown(*ids)
    assert {shown["outcome"] for shown in again.shown(*ids)} == {"failed"}
