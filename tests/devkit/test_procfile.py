"""The Procfile names what may be run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from campaigns_devkit import supervisor
from kavenegar_campaigns.errors import BadInput


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "Procfile"
    file.write_text("# two processes\n\nweb-1: exec serve --port ${PORT:-80}\nbeat: : && tick\n")
    return file


def test_a_name_has_the_rest_of_its_line_as_command(path: Path) -> None:
    assert supervisor.read_procfile(path) == {"web-1": "exec serve --port ${PORT:-80}", "beat": ": && tick"}


def test_a_command_is_run_by_a_shell(path: Path) -> None:
    assert supervisor.procfile_commands(["beat"], path) == {"beat": ["/bin/sh", "-c", ": && tick"]}


def test_a_stranger_is_refused_with_the_names_there_are(path: Path) -> None:
    with pytest.raises(BadInput, match="Procfile has no flower; it has web-1, beat"):
        supervisor.procfile_commands(["beat", "flower"], path)


def test_a_line_that_is_no_process_is_refused_with_its_number(path: Path) -> None:
    path.write_text("web: serve\nbeat tick\n")
    with pytest.raises(BadInput, match="row 2: Procfile says `beat tick`"):
        supervisor.read_procfile(path)


@pytest.mark.parametrize(("environment", "level"), [({"LOG_LEVEL": "ERROR"}, "ERROR"), ({"LOG_LEVEL": ""}, None)])
def test_every_celery_process_takes_its_level_from_the_setting(
    environment: dict[str, str], level: str | None, tmp_path: Path
) -> None:
    usual = {"worker-send": "INFO", "worker-poll": "INFO", "beat": "WARNING", "flower": "INFO"}
    for name, command in supervisor.read_procfile().items():
        if name in usual:
            shown = command.replace("exec celery", "echo")
            option = "--logging=" if name == "flower" else "--loglevel "
            said = subprocess.run(
                ["/bin/sh", "-c", shown],
                env={"PATH": "/usr/bin:/bin", "FLOWER_BASIC_AUTH": "a:b", **environment},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            assert f"{option}{level or usual[name]}" in said.stdout
