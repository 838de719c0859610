"""Who PostgreSQL runs as. It refuses to be root, and root is who one is in most containers."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NOBODY = "nobody"
_OVERFLOW_ID = 65534  # what the kernel itself calls a user it has no name for


@dataclass(frozen=True, slots=True)
class Identity:
    """A command put before the server's own, or another user; neither for whoever we are."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """The supplementary groups: none for another user, our own otherwise."""
        return None if self.uid is None else []

    def run(self, command: Sequence[str | Path], *, holding: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a short command as this identity, in a session of its own; it inherits the file `holding`."""
        return subprocess.run(
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            env=BARE_ENVIRONMENT,
            user=self.uid,
            group=self.gid,
            extra_groups=self.groups,
            pass_fds=[] if holding is None else [holding],
            start_new_session=True,
            check=False,
        )

    def own(self, path: Path) -> None:
        """Hand a file, or a folder with all in it, to this identity where that is another user."""
        if self.uid is None or self.gid is None:
            return
        for each in [path, *path.rglob("*")]:
            os.chown(each, self.uid, self.gid, follow_symlinks=False)


BARE_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# As root, a namespace in which our own user has another number: files stay root's, and nothing needs to be reachable
# for anybody else, not even below a folder that only root may enter.
_RENUMBERED = Identity(("unshare", "--user", f"--map-user={_OVERFLOW_ID}", f"--map-group={_OVERFLOW_ID}", "--"))


def unprivileged(*folders: Path) -> Identity:
    """Somebody who is not root: the one who owns one of the folders, root under another number, or else `nobody`."""
    if os.geteuid() != 0:
        return Identity()
    for owner in (folder.stat() for folder in folders):
        if owner.st_uid != 0:
            return Identity(uid=owner.st_uid, gid=owner.st_gid)
    if shutil.which("unshare", path=os.defpath) and _RENUMBERED.run(["true"]).returncode == 0:
        return _RENUMBERED
    nobody = pwd.getpwnam(_NOBODY)
    return Identity(uid=nobody.pw_uid, gid=nobody.pw_gid)
