"""doctor: is everything there, and does it move?"""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.text import Text

from worker.cli import checkup, options, words
from worker.cli.checkup import Finding, Level
from worker.cli.exits import Exit

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "bold red"}


@click.command()
@options.as_json
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look for what is wrong, and say what to do.

    Ends with 1 where anything is bad.
    """
    found = []
    for finding in checkup.examine():
        found.append(finding)
        if not as_json:
            _say_finding(finding)
    healthy = all(finding.level is not Level.BAD for finding in found)
    if as_json:
        words.tell({"healthy": healthy, "findings": [asdict(finding) for finding in found]})
    if not healthy:
        context.exit(Exit.NO)


def _say_finding(finding: Finding) -> None:
    says = words.printable(f"{finding.name}: {finding.says}")
    line = Text.assemble((f"{finding.level:<5}", _STYLES[finding.level]), says)
    paper = words.Paper()
    paper.print(line, soft_wrap=True)
    if finding.do:
        paper.print(f"     → {words.printable(finding.do)}", soft_wrap=True)
