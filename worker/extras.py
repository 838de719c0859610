"""The two packages that production does not need: the devkit (embedded servers, the demo) and the sandbox gateway.

Only this file of `campaigns` and `worker` imports them, and only when they are used. Where one of them is not
installed, an error names the package to install.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from kavenegar_campaigns.errors import BadInput, NotReady

if TYPE_CHECKING:
    from campaigns_devkit import Attached

_INSTALL_DEVKIT: Final = "`pip install ./sandbox ./devkit` in the project's folder installs it"
_INSTALL_SANDBOX: Final = "`pip install ./sandbox` in the project's folder installs it"


def attach_embedded_servers(home: Path, *, sandbox: bool) -> Attached:
    """Start the embedded PostgreSQL and Valkey in the folder `home`, with `sandbox` the sandbox gateway as well.

    They run until this process and every other user of `home` has ended. Returns their addresses.
    Raises: NotReady when the devkit is not installed, or a server cannot be started here.
    """
    try:
        import campaigns_devkit  # noqa: PLC0415 - production has no devkit
    except ModuleNotFoundError as why:
        raise NotReady(
            "without DATABASE_URL and CAMPAIGNS_BROKER_URL embedded servers are needed, and they are not installed "
            f"here (no module {why.name}): {_INSTALL_DEVKIT}, or set both to servers of your own"
        ) from why
    return campaigns_devkit.attach(home, sandbox=sandbox)


def demo_command() -> click.Command:
    """Return the command `campaigns demo`. Raises: BadInput when the devkit is not installed."""
    try:
        from campaigns_devkit.demo.command import demo  # noqa: PLC0415 - production has no devkit
    except ModuleNotFoundError as why:
        raise BadInput(f"the demo is not installed here (no module {why.name}): {_INSTALL_DEVKIT}") from why
    return demo


def run_sandbox(arguments: Sequence[str]) -> int:
    """Run the sandbox gateway until Ctrl-C, with the options of `kavenegar-sandbox`. Returns its exit code.

    Raises: BadInput when the sandbox is not installed.
    """
    try:
        from kavenegar_sandbox import __main__ as gateway  # noqa: PLC0415 - production has no sandbox
    except ModuleNotFoundError as why:
        raise BadInput(f"the sandbox gateway is not installed here (no module {why.name}): {_INSTALL_SANDBOX}") from why
    return gateway.main(list(arguments))
