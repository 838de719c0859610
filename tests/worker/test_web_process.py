"""What a web process may call of us never starts a server beside it: it names the settings that are missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.own_process import answer_of
from tests.waiting import PATIENCE_S

CALLS = {
    "one-time password": """from kavenegar_worker import otp
otp.send(number="09121234567", template="login", token="481516", key="k")""",
    "a task": "from kavenegar_worker.tasks import check_account\ncheck_account.apply_async()",
    "our app": "from kavenegar_worker import celery\ncelery.send_task('campaigns.tick')",
    "creation": """from kavenegar_worker import create_task
create_task.create_campaign(recipients="a", text_file="b", key="k", sender="1", name=None, number_column=None,
                            start=True)""",
    "resumption": "from kavenegar_worker import create_task\ncreate_task.resume_campaign(1, sender=None)",
    **{
        name: f"from kavenegar_worker import wiring\nwiring.{name}()"
        for name in (
            "endpoints", "engine", "database", "broker", "pace", "paced_client", "context", "recognised_context",
            "api_key_label", "seed_inbox_lines",
        )
    },
    "queue lengths": "from kavenegar_worker import queues, wiring\nqueues.lengths(wiring.broker())",
}  # fmt: skip

ALL = {"DATABASE_URL", "CAMPAIGNS_BROKER_URL", "KAVENEGAR_API_KEY"}

SENTENCE = (
    "not set: DATABASE_URL, CAMPAIGNS_BROKER_URL, KAVENEGAR_API_KEY; a process that calls this library needs the "
    "settings of the workers"
)

SCRIPT = """
import json, os, sys
from kavenegar_campaigns.errors import BadInput
said = {}
for name, call in json.loads(sys.argv[1]).items():
    try:
        exec(call)
    except BadInput as why:
        said[name] = str(why)
    else:
        said[name] = "nothing was said"
children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
json.dump([said, children, os.listdir(os.environ["CAMPAIGNS_HOME"])], sys.stdout)
"""


def said_of(calls: dict[str, str], folder: Path, **environment: str) -> dict[str, str]:
    """The sentence of BadInput for each call, after which no process and no file was made."""
    said, children, files = answer_of("-c", SCRIPT, json.dumps(calls), **{"CAMPAIGNS_HOME": str(folder), **environment})
    assert (children, files) == ([], [])
    assert isinstance(said, dict)
    return said


def test_without_settings_every_call_names_them_all_and_starts_nothing(tmp_path: Path) -> None:
    assert said_of(CALLS, tmp_path) == dict.fromkeys(CALLS, SENTENCE)


@pytest.mark.parametrize("missing", sorted(ALL))
def test_with_one_setting_missing_a_one_time_password_names_it(missing: str, tmp_path: Path) -> None:
    its = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "CAMPAIGNS_BROKER_URL": "redis://127.0.0.1:1/0",
        "KAVENEGAR_API_KEY": "4A6B7C8D9E0F",
    }
    del its[missing]
    [said] = said_of({"otp": CALLS["one-time password"]}, tmp_path, **its).values()
    assert [name for name in ALL if name in said] == [missing]
    assert "embedded" not in said


def test_a_command_of_ours_still_starts_the_embedded_servers(tmp_path: Path) -> None:
    script = "from kavenegar_worker.cli.main import main\nmain(['list', '--json'])"
    assert answer_of("-c", script, CAMPAIGNS_HOME=str(tmp_path)) == []


def test_celerys_command_for_our_app_still_starts_the_embedded_servers(tmp_path: Path) -> None:
    """Nobody answers the ping; only its broker is there."""
    asked = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "kavenegar_worker", "inspect", "--timeout", "0.1", "ping"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "CAMPAIGNS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "No nodes replied" in asked.stdout + asked.stderr
    assert (tmp_path / "valkey").is_dir()
