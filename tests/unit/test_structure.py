"""The structure of the code, measured: short functions, short modules, one meaning for each name."""

from __future__ import annotations

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from devstack import paths

APPS: Final = ("distributor", "foundation", "payflow")
PACKAGES: Final = (*APPS, "devstack", "bench")
LINES_MAX: Final = 300
TABLES: Final = {"distributor/payout/catalogue.py"}
"""It may be longer: a table with an entry for each alarm is looked up and not read."""
FUNCTION_MEDIAN_MAX: Final = 5
FUNCTION_P90_MAX: Final = 14

TWINS: Final = frozenset(
    {
        # The same thing in each app, which import nothing of one another.
        *("AlarmSettings", "Alarms", "Console", "Container", "Identity", "Purging", "Resources", "RetentionSettings"),
        *("Schema", "StorageSettings", "Views", "backup_is_due", "decide", "emptied", "messages", "outdated"),
        "to_problem",
        # Functions: the name under which each app is deployed. `call_backs` is also what its command does.
        *("back_up", "call_backs", "console", "healthz", "metrics", "ready"),
        # A convention: what starts a program, and what adds a group of commands to the parser.
        *("main", "add_to"),
        # A filter is named for what a page shows; `amount` is also the kind of column.
        *("amount", "when"),
        # A chain's receipt and a payment's: in each app the field has no other word.
        "Receipt",
    }
)
"""Names that may stand in several modules, each with its reason."""


@cache
def trees(package: str) -> dict[Path, ast.Module]:
    """Return every module of a package, as it is parsed."""
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted((paths.ROOT / package).rglob("*.py"))}


def functions(package: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a package."""
    for tree in trees(package).values():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function's body has, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def defined_twice() -> dict[str, list[str]]:
    """Return the public classes and functions of the apps that several modules define."""
    found: dict[str, list[str]] = defaultdict(list)
    for package in APPS:
        for path, tree in trees(package).items():
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
                    found[node.name].append(str(path.relative_to(paths.ROOT)))
    return {name: where for name, where in found.items() if len(where) > 1}


def test_a_public_name_has_one_meaning() -> None:
    """A name in two modules is read as the same thing; what is argued above and stands once is taken off the list."""
    twice = defined_twice()

    assert {name: where for name, where in twice.items() if name not in TWINS} == {}
    assert TWINS - set(twice) == set()


def test_a_module_is_read_in_one_go() -> None:
    """A longer one has two subjects."""
    long = {
        str(path.relative_to(paths.ROOT)): count
        for package in PACKAGES
        for path in trees(package)
        if (count := len(path.read_text("utf-8").splitlines())) > LINES_MAX
        and str(path.relative_to(paths.ROOT)) not in TABLES
    }

    assert long == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short(package: str) -> None:
    """Most do one thing; the few that are longer tell one story from top to bottom."""
    lengths = [lines(function) for function in functions(package)]

    assert statistics.median(lengths) <= FUNCTION_MEDIAN_MAX
    assert statistics.quantiles(lengths, n=10)[-1] <= FUNCTION_P90_MAX
