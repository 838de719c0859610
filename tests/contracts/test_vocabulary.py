"""Retired words do not come back: identifiers use the words that docs/glossary.md defines.

Each retired word is a test of its own. `.venv/bin/python -m tests.contracts.test_vocabulary` lists all places by word.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.contracts.retired_words import EVERYWHERE, EXEMPT, RETIRED, SENTENCES, Retired
from tests.contracts.test_contracts import ROOT, python, tree_of

# Words that a newcomer meets; docs/glossary.md has to define each.
WORDS = {
    "account", "acknowledge", "attempt", "batch", "callback", "campaign", "chores", "claim", "closed", "collision",
    "crash point", "delivery report", "dispatcher", "doctor", "draft", "due", "epoch", "evidence", "fact", "fence",
    "gateway", "gateway id", "halve", "hold", "inbound message", "intake", "key", "lane", "lease", "ledger", "line",
    "localid", "lookup", "message", "one-time password", "opt-out", "outcome", "pace", "part", "plan", "poll",
    "quarantine", "reconcile", "reject", "resolve", "restore", "sandbox", "slot", "status", "suppression",
    "throttle", "tick", "uncertain", "unknown", "verdict", "watchdog", "window",
}  # fmt: skip
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Named:
    """An identifier where it is given: what kind of thing it names, and in which line of which file."""

    kind: str
    name: str
    path: str
    line: int
    owner: str | None = None  # the class of a field

    @property
    def words(self) -> str:
        """The identifier as words in small letters: `LeaseLost` is "lease lost"."""
        return " ".join(_WORDS.findall(self.name)).lower()

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind} {self.name}"


class Names(ast.NodeVisitor):
    """Collects the identifiers that a file gives. Names that it only uses are given elsewhere, here or in a library."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[Named] = []
        self._inside = ["module"]
        self._class: str | None = None

    def add(self, kind: str, name: str, line: int) -> None:
        self.found.append(Named(kind, name, self.path, line, self._class if kind == "field" else None))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.add("class", node.name, node.lineno)
        outer, self._class = self._class, node.name
        self._enter("class", node)
        self._class = outer

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if not node.name.startswith("test_"):  # the name of a test is a sentence
            self.add("function", node.name, node.lineno)
        self._enter("function", node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._enter("function", node)

    def _enter(self, kind: str, node: ast.AST) -> None:
        self._inside.append(kind)
        self.generic_visit(node)
        self._inside.pop()

    def visit_arg(self, node: ast.arg) -> None:
        self.add("parameter", node.arg, node.lineno)
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        if node.asname:
            self.add("local", node.asname, node.lineno)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if self._inside[-1] == "class" and isinstance(node.target, ast.Name):
            self.add("field", node.target.id, node.lineno)
            self.visit(node.annotation)
            if node.value:
                self.visit(node.value)
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.add("local" if self._inside[-1] == "function" else "attribute", node.id, node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Store):
            self.add("attribute", node.attr, node.lineno)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str):
            return
        if "store/tables/" in self.path and re.fullmatch(r"[a-z][a-z0-9_]*", node.value):
            self.add("column", node.value, node.lineno)
        elif re.fullmatch(r"kavenegar_[a-z0-9_]+", node.value):
            self.add("metric", node.value, node.lineno)


def names_of(path: str, tree: ast.Module) -> list[Named]:
    """The identifiers that one file gives, its own name and those of its folders included."""
    names = Names(path)
    names.visit(tree)
    places = [Path(path), *Path(path).parents[:-2]]  # not the folder at the top, which is the package
    return [Named("module", place.stem.removeprefix("test_"), place.as_posix(), 1) for place in places] + names.found


@cache
def identifiers() -> tuple[Named, ...]:
    """Every identifier of the project. Revisions of the database keep the words of their time."""
    paths = [path for path in python(*EVERYWHERE) if "versions" not in path.parts]
    found = (names_of(path.relative_to(ROOT).as_posix(), tree_of(path)) for path in paths)
    return tuple(dict.fromkeys(named for names in found for named in names))  # a folder once


def counts(named: Named, word: Retired) -> bool:
    """Whether this identifier uses the retired word."""
    if named.kind not in word.kinds or not named.path.startswith(word.folders):
        return False
    if word.owner and named.owner != word.owner:
        return False
    if word.spelled:
        return named.name == word.word
    return f" {word.word} " in f" {named.words} " if word.part else named.words == word.word


def used(word: Retired, names: tuple[Named, ...]) -> list[Named]:
    """Where the retired word is used, but for the exemptions."""
    return [each for each in names if counts(each, word) and not EXEMPT.keys() & exemptions(each)]


def exemptions(named: Named) -> set[str]:
    """The keys under which an identifier may be exempt."""
    return {named.name, f"{named.path}: {named.name}"}


def listed(word: Retired, places: list[Named]) -> str:
    """The retired word, the word to use, and each place in a line."""
    return "\n".join([f"{word.word!r}: use {word.instead}", *(f"  {place}" for place in places)])


@pytest.mark.parametrize("word", RETIRED, ids=lambda word: word.word.replace(" ", "_"))
def test_a_retired_word_names_nothing(word: Retired) -> None:
    if places := used(word, identifiers()):
        pytest.fail(listed(word, places), pytrace=False)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_retired_log_event_is_written_by_nobody(sentence: str) -> None:
    places = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python("campaigns", "worker", "sandbox", "devkit")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and sentence in node.value
    ]

    assert not places, f"{sentence!r}: write {SENTENCES[sentence]!r}\n" + "\n".join(places)


def test_each_kind_of_name_is_looked_at() -> None:
    tree = ast.parse(
        "import this as heed\n"
        "HEED_AFTER = 1\n"
        "class HeedLater:\n"
        "    heed: int\n"
        "    def heed_it(self, heeder, *, heed_me):\n"
        "        self._heed = heed = heed_me\n"
        "        return 'kavenegar_heed_total', lambda heed: heed\n"
        "def test_a_worker_heed_callbacks(): ...\n"
    )
    word = Retired("heed", "", part=True)

    found = used(word, tuple(names_of("worker/heed/test_heed.py", tree)))

    assert [f"{each.kind} {each.name}" for each in found] == [
        "module heed",
        "module heed",
        "attribute HEED_AFTER",
        "class HeedLater",
        "field heed",
        "function heed_it",
        "parameter heed_me",
        "attribute _heed",
        "metric kavenegar_heed_total",
        "parameter heed",
    ]


def test_each_kind_of_name_is_found_in_the_project() -> None:
    found = {named.kind for named in identifiers()}

    assert found == {"module", "class", "function", "parameter", "attribute", "field", "local", "column", "metric"}


def test_a_word_that_is_retired_as_a_whole_may_be_a_part() -> None:
    names = tuple(names_of("campaigns/x.py", ast.parse("def look(): ...\ndef look_up(): ...\nclass Outlook: ...\n")))

    assert [each.name for each in used(Retired("look", ""), names)] == ["look"]
    assert [each.name for each in used(Retired("look", "", part=True), names)] == ["look", "look_up"]
    assert used(Retired("look", "", folders=("worker",)), names) == []


def test_a_field_counts_in_the_class_that_is_meant() -> None:
    source = "class Policy:\n    probe: int\nclass Pace:\n    probe: int\n"
    names = tuple(names_of("campaigns/x.py", ast.parse(source)))

    assert [each.owner for each in used(Retired("probe", "", owner="Policy"), names)] == ["Policy"]


def test_the_glossary_defines_each_word_once_and_in_order() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    defined = re.findall(r"^\*\*(.+?)\*\*", page, re.MULTILINE)

    assert defined == sorted(set(defined), key=str.casefold)
    assert not WORDS - set(defined)


def test_an_exemption_is_needed_and_says_why() -> None:
    retired = [exemptions(each) for each in identifiers() for word in RETIRED if counts(each, word)]

    assert not EXEMPT.keys() - set().union(*retired)
    assert all(EXEMPT.values())


def test_no_function_of_a_package_has_the_name_of_a_module_in_it() -> None:
    """Otherwise `package.name` is the one or the other, depending on who imported what before."""
    paths = [path for path in python("campaigns", "worker", "devkit") if path.name == "__init__.py"]
    both = [
        f"{path.parent.relative_to(ROOT)}: {name}"
        for path in paths
        for name in _functions(tree_of(path))
        if (path.parent / name).is_dir() or (path.parent / f"{name}.py").is_file()
    ]

    assert both == []


def _functions(tree: ast.Module) -> Iterator[str]:
    """The names that a package defines or takes out of modules; modules themselves are not among them."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            source = ROOT / "src" / node.module.replace(".", "/")
            names = (alias.name for alias in node.names)
            yield from (name for name in names if not (source / name).is_dir() and not (source / f"{name}.py").exists())
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name


if __name__ == "__main__":
    for retired in RETIRED:
        if found := used(retired, identifiers()):
            sys.stdout.write(listed(retired, found) + "\n")
