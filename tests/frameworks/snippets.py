"""The Python snippets of README.md and docs/in-your-project.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = ROOT / "README.md"
PAGE: Final = ROOT / "docs" / "in-your-project.md"
_FENCED: Final = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CSV: Final = "mobile,name\n09701234567,سارا\n09701234568,علی\n"


def every_snippet(page: Path = README) -> list[str]:
    """All Python blocks, in the page's order."""
    return _FENCED.findall(page.read_text(encoding="utf-8"))


def snippet(heading: str, page: Path = PAGE) -> str:
    """The Python block below the paragraph that begins with `**heading**`."""
    _, found, below = page.read_text(encoding="utf-8").partition(f"\n**{heading}**")
    assert found, f"{page.name} has no paragraph **{heading}**"
    return _FENCED.findall(below)[0]


def run(source: str, names: dict[str, Any]) -> dict[str, Any]:
    """The names after `source` was run with `names` around it."""
    names.setdefault("__name__", "shop")
    exec(compile(source, str(README), "exec"), names)  # noqa: S102 - what users paste is what is tested
    return names


def uploads(folder: Path) -> list[Path]:
    """The same two recipients as CSV and as XLSX."""
    folder.mkdir(parents=True, exist_ok=True)
    csv, xlsx = folder / "customers.csv", folder / "customers.xlsx"
    csv.write_text(_CSV, encoding="utf-8")
    book = Workbook()
    for line in _CSV.splitlines():
        book.active.append(line.split(","))
    book.save(xlsx)
    return [csv, xlsx]
