"""Which errors a function of `campaigns` raises, as far as its text shows, and which of them its docstring names.

A function raises what stands in its body, what the private functions beside it raise, and what the public functions
that it calls name in their `Raises:`; less what it catches. Calls are followed by name: of the same file, imported,
`self.method(…)`, `database(function, …)`, and `gateway.method(…)`.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.contracts.test_contracts import ROOT, python, tree_of

Error = str
_WRONG_BIND: Final = "`campaigns` says once, for all its functions, what their first argument has to be"
# Errors that stand in a function and that its callers need not know of, and why.
IGNORED: Final[dict[tuple[str, Error], str]] = {
    ("kavenegar_campaigns.api.connection_of", "BadInput"): _WRONG_BIND,
    ("kavenegar_campaigns.api.writing_connection", "BadInput"): _WRONG_BIND,
    ("kavenegar_campaigns.store.writing._one_user", "BadInput"): _WRONG_BIND,
    (
        "kavenegar_campaigns.kavenegar.transport._read_body",
        "AnswerTooLarge",
    ): "it is one of LIBRARY_ERRORS, which are caught",
    ("kavenegar_campaigns.stages.otp.send.send_at_once", "NotFound"): "it reads the row that it has just written",
    ("kavenegar_campaigns.stages.sent_at_gateway._with_owners", "BadInput"): "it normalises mobile numbers only",
    ("kavenegar_campaigns.stages.suppression._entry", "BadInput"): "it gets mobile numbers only",
    ("kavenegar_campaigns.store.backlog.paused_campaigns", "NotFound"): "it reads the campaigns that it has just found",
    (
        "kavenegar_campaigns.store.otps.create",
        "NotFound",
    ): "it reads the row that has the key, and no row is ever deleted",
}
_BUILTIN = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)}
# A built-in error is a defect of the caller; `Unreadable` may come of every `read` of a record, as `Call` says.
NOT_FOLLOWED = {*_BUILTIN, "Unreadable"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a module, or a method of a class at the top of one."""

    module: str
    owner: str | None
    node: ast.FunctionDef

    @property
    def public(self) -> bool:
        """Whether neither its name nor one above it begins with an underscore."""
        return not any(part.startswith("_") for part in self.name.split("."))

    @property
    def name(self) -> str:
        """Its full name."""
        return ".".join(filter(None, (self.module, self.owner, self.node.name)))

    @property
    def named(self) -> set[Error]:
        """The errors that its docstring names after `Raises:`."""
        after = (ast.get_docstring(self.node) or "").partition("Raises:")[2]
        return set(re.findall(r"\w+", after)) & errors().keys()

    def __str__(self) -> str:
        return f"{self.name} in line {self.node.lineno}"


def module_name(path: Path) -> str:
    """The name that a file of `campaigns/` is imported by."""
    return ".".join(("kavenegar_campaigns", *path.with_suffix("").parts[1:])).removesuffix(".__init__")


@cache
def modules() -> dict[str, ast.Module]:
    """The modules of `campaigns` by their names, without the revisions of the database."""
    paths = [path.relative_to(ROOT) for path in python("campaigns") if "migrations" not in path.parts]
    return {module_name(path): tree_of(ROOT / path) for path in paths}


@cache
def errors() -> dict[Error, set[Error]]:
    """Every error of ours and of Python, each with those above it, itself among them."""
    classes = [node for tree in modules().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    above = {name: {name} for name in _BUILTIN}
    for _ in classes:
        for node in classes:
            bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in above]
            if bases:
                above[node.name] = {node.name}.union(*(above[base] for base in bases))
    return above


@cache
def imported() -> dict[str, dict[str, str]]:
    """For each module the names that it imports, and what each of them is."""
    return {
        module: {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        for module, tree in modules().items()
    }


@cache
def functions() -> dict[str, Function]:
    """Every function and method by its full name."""
    return {each.name: each for each in _functions()}


def _functions() -> Iterator[Function]:
    for module, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                yield Function(module, None, node)
            elif isinstance(node, ast.ClassDef):
                methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
                yield from (Function(module, node.name, each) for each in methods)


@cache
def bases() -> dict[str, list[str]]:
    """For each class the full names of the classes it inherits from."""
    return {
        f"{module}.{node.name}": [
            imported()[module].get(base.id, f"{module}.{base.id}") for base in node.bases if isinstance(base, ast.Name)
        ]
        for module, tree in modules().items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def _found(name: str) -> Function | None:
    """The function of this full name, also where a class inherits it or a package has it from one of its modules."""
    if name in functions():
        return functions()[name]
    above, _, last = name.rpartition(".")
    elsewhere = [imported().get(above, {}).get(last), *(f"{base}.{last}" for base in bases().get(above, []))]
    return next((found for each in elsewhere if each and each != name and (found := _found(each))), None)


def _called(caller: Function, name: str) -> Function | None:
    """The function that a call in `caller` means by this name."""
    first, _, rest = name.partition(".")
    if first == "self" and caller.owner:
        return _found(f"{caller.module}.{caller.owner}.{rest}")
    if ".gateway." in f".{name}" and name.count("gateway.") == 1:
        return _found(f"kavenegar_campaigns.kavenegar.paced_client.PacedClient.{name.rpartition('.')[2]}")
    known = imported()[caller.module].get(first, f"{caller.module}.{first}")
    return _found(f"{known}.{rest}" if rest else known)


class _Body(ast.NodeVisitor):
    """Collects the errors and the calls of a function, each with the errors that are caught around it."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.errors: list[tuple[Error, set[Error]]] = []
        self.calls: list[tuple[Function, set[Error]]] = []
        self._caught: list[set[Error]] = []
        for statement in function.node.body:
            self.visit(statement)

    def caught(self) -> set[Error]:
        return set().union(*self._caught)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """What a function in a function raises comes later, or never."""

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """The same."""

    def visit_Try(self, node: ast.Try) -> None:
        self._caught.append(
            {name for handler in node.handlers if not _passes_on(handler) for name in _names(handler.type)}
        )
        self._visit(node.body)
        self._caught.pop()
        self._visit([statement for handler in node.handlers for statement in handler.body])
        self._visit(node.orelse + node.finalbody)

    def visit_With(self, node: ast.With) -> None:
        calls = [each.context_expr for each in node.items if isinstance(each.context_expr, ast.Call)]
        self._visit(calls)
        ignored = [name for call in calls if ast.unparse(call.func).endswith("suppress") for name in call.args]
        self._caught.append({last for each in ignored for last in _names(each)})
        self._visit(node.body)
        self._caught.pop()

    def visit_Raise(self, node: ast.Raise) -> None:
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        self.errors += [(name, self.caught()) for name in _names(error) & errors().keys()]
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        if name.endswith("database") and node.args:
            name = ast.unparse(node.args[0])
        called = _called(self.function, name)
        if called and (called.public or called.module == self.function.module):
            self.calls.append((called, self.caught()))
        self.generic_visit(node)

    def _visit(self, nodes: list[ast.stmt] | list[ast.Call]) -> None:
        for node in nodes:
            self.visit(node)


def _names(kinds: ast.expr | None) -> set[Error]:
    """The errors of an `except`, or of a `raise`."""
    each = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds] if kinds else []
    return {ast.unparse(kind).rpartition(".")[2] for kind in each}


def _passes_on(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))


@cache
def _found_in_bodies() -> dict[str, set[Error]]:
    """For each function the errors that stand in it or come of its calls, and are not caught there."""
    bodies = {name: _Body(function) for name, function in functions().items()}
    found = {
        name: {each for each, caught in body.errors if not errors()[each] & caught} for name, body in bodies.items()
    }
    grown = True
    while grown:
        grown = False
        for name, body in bodies.items():
            passed_on = {
                each
                for called, caught in body.calls
                for each in (called.named - NOT_FOLLOWED if called.public else found[called.name])
                if (called.name, each) not in IGNORED and not errors()[each] & caught
            }
            grown = grown or not passed_on <= found[name]
            found[name] |= passed_on
    return found


def in_body(function: Function) -> set[Error]:
    """The errors that stand in a function or come of its calls, and are not caught there."""
    return _found_in_bodies()[function.name]


def raised(function: Function) -> set[Error]:
    """The errors that a function raises, without those that its callers need not know of."""
    return {error for error in in_body(function) if (function.name, error) not in IGNORED}


def unnamed(function: Function) -> set[Error]:
    """The errors that a function raises and does not name.

    One above it in the tree names it, too, and one below it is a promise that none of the others comes.
    """
    named = function.named
    return {
        each
        for each in raised(function)
        if not errors()[each] & named and not any(each in errors()[one] for one in named)
    }
