"""The sandbox is a package of its own, and nothing of it is in the production wheel or image."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests.house.test_contracts import imports, python

ROOT = Path(__file__).resolve().parents[2]
SANDBOX = ROOT / "sandbox"


def build_wheel(project: Path, folder: Path) -> zipfile.ZipFile:
    """The wheel of a project, built the way pip builds it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel)


def read_metadata(wheel: zipfile.ZipFile, name: str) -> Message:
    (path,) = (each for each in wheel.namelist() if each.endswith(f".dist-info/{name}"))
    return message_from_bytes(wheel.read(path))


def run_without_the_sandbox(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in an environment that lacks the package kavenegar-sandbox."""
    absent = f"import sys; sys.path = [place for place in sys.path if place != {str(SANDBOX)!r}]\n"
    return subprocess.run(
        [sys.executable, "-c", absent + code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_production_wheel_holds_nothing_of_the_sandbox(tmp_path: Path) -> None:
    with build_wheel(ROOT, tmp_path) as wheel:
        names = wheel.namelist()
        needed = [each for each in read_metadata(wheel, "METADATA").get_all("Requires-Dist", []) if "extra" not in each]
    assert "worker/cli/sandbox.py" in names
    assert [each for each in names if "sandbox" in each and each != "worker/cli/sandbox.py"] == []
    assert [each for each in needed if each.startswith(("aiohttp", "kavenegar-sandbox"))] == []


def test_the_production_image_holds_nothing_of_the_sandbox() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    context = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {source for line in dockerfile if line.startswith("COPY ") for source in line.split()[1:-1]}
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "*" in context
    assert not {"sandbox", ".", "./"} & copied
    assert [line for line in context if line.startswith("!") and "sandbox" in line] == []
    assert "\naiohttp==" not in locked


def test_the_sandbox_is_a_wheel_of_its_own_with_two_dependencies_and_a_command(tmp_path: Path) -> None:
    with build_wheel(SANDBOX, tmp_path) as wheel:
        folders = {name.split("/")[0] for name in wheel.namelist()}
        needed = read_metadata(wheel, "METADATA").get_all("Requires-Dist", [])
        (path,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        commands = wheel.read(path).decode()
    assert {name for name in folders if not name.endswith(".dist-info")} == {"kavenegar_sandbox"}
    assert {each.split(">")[0] for each in needed} == {"aiohttp", "orjson"}
    assert "kavenegar-sandbox = kavenegar_sandbox.__main__:main" in commands


def test_the_sandbox_imports_the_standard_library_its_two_dependencies_and_itself() -> None:
    known = sys.stdlib_module_names | {"aiohttp", "orjson", "kavenegar_sandbox"}
    strange = {name for path in python("sandbox") for name in imports(path) if name.split(".")[0] not in known}
    assert strange == set()


def test_the_extra_embedded_names_the_version_of_the_folder() -> None:
    version = tomllib.loads((SANDBOX / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert f"kavenegar-sandbox=={version}" in ours["project"]["optional-dependencies"]["embedded"]


@pytest.mark.parametrize(
    "code",
    [
        "import worker.cli; sys.argv = ['campaigns', 'sandbox']; sys.exit(worker.cli.main())",
        "import pathlib, tempfile; from worker.embedded.gateway import Gateway\n"
        "with tempfile.TemporaryDirectory() as home:\n"
        "    gateway = Gateway(pathlib.Path(home))\n"
        "    try: gateway.ensure()\n"
        "    finally: gateway.stop()",
    ],
    ids=["the command", "the embedded gateway"],
)
def test_where_the_sandbox_is_not_installed_a_sentence_says_how_to_install_it(code: str) -> None:
    ended = run_without_the_sandbox(code)
    assert ended.returncode != 0
    assert "not installed" in ended.stderr
    assert "`pip install ./sandbox`" in ended.stderr
