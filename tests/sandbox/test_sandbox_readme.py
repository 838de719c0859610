"""The commands of sandbox/README.md work as they are written."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kavenegar_sandbox import Knobs, Options, background

README = Path(__file__).parents[2] / "sandbox" / "README.md"
ADDRESS = "http://127.0.0.1:8585"
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine")


def blocks(language: str) -> list[str]:
    """The code blocks of one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(line: str, base_url: str) -> subprocess.CompletedProcess[str]:
    """Run one curl command of the page against the sandbox at `base_url`."""
    command, *arguments = shlex.split(line.replace(ADDRESS, base_url), comments=True)
    assert command == "curl"
    return subprocess.run(
        ["curl", "--silent", "--noproxy", "*", "--max-time", "60", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def verdict(answer: Any) -> int:
    """The return code of the service; 200 for an answer of the admin API that is no error."""
    return int(answer["return"]["status"]) if "return" in answer else 400 if "error" in answer else 200


@needs_curl
def test_every_curl_command_of_the_page_answers_as_the_page_says() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 20
    with background(Options()) as base_url:
        for line in lines:
            ended, (_, _, comment) = run(line, base_url), line.partition("   # ")
            if "connection breaks" in comment:
                assert ended.returncode != 0, line
                continue
            expected = int(comment) if comment.strip().isdigit() else 200
            assert (ended.returncode, verdict(json.loads(ended.stdout))) == (0, expected), (line, ended.stdout)


@needs_curl
def test_the_message_whose_answer_was_lost_was_accepted() -> None:
    with background(Options()) as base_url:
        arm, send, ask, *_ = next(block for block in blocks("sh") if "accept_then_drop" in block).splitlines()
        run(arm, base_url)
        run(send, base_url)
        (row,) = json.loads(run(ask, base_url).stdout)["entries"]
    assert row["localid"] == "2"
    assert row["messageid"] > 0


@needs_node
def test_the_example_for_node_sends_a_message() -> None:
    (script,) = blocks("js")
    with background(Options(knobs=Knobs())) as base_url:
        ended = subprocess.run(
            ["node", "--input-type=module", "--eval", script.replace(ADDRESS, base_url)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.stdout.strip() == "200", ended.stderr
