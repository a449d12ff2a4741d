"""Every ``az`` command line the papers and workflows show, as the arguments the shell would pass."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree_sitter_bash
import yaml
from tree_sitter import Language, Node, Parser

from devstack import paths

PAPERS = ("README*.md", "docs/**/*.md", "infra/**/*.md", "wordpress/**/*.md")
WORKFLOWS = (".github/workflows/*.yml", ".github/actions/**/*.yml")
UNKNOWN = "1"
"""In the place of what only the reader's shell knows: a variable, the output of a command."""
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_SHELL = {"sh", "bash", "shell"}
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_BASH = Parser(Language(tree_sitter_bash.language()))


class NoShell(Exception):
    """The content of a shell block is not shell."""


@dataclass(frozen=True, slots=True)
class Line:
    """One command line, and its place."""

    paper: str
    arguments: tuple[str, ...]
    """Without ``az`` itself."""

    def __str__(self) -> str:
        return f"{self.paper}: az {' '.join(self.arguments)}"


def lines(root: Path = paths.ROOT) -> list[Line]:
    """Return every command line of the repository; raises NoShell where a block cannot be read."""
    return [
        Line(path.relative_to(root).as_posix(), arguments)
        for path, script in scripts(root)
        for arguments in az(script, path)
    ]


def scripts(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the shell blocks of the papers and the shell steps of the workflows."""
    for path in _files(root, PAPERS):
        for found in _FENCE.finditer(path.read_text("utf-8")):
            if found["language"] in _SHELL:
                yield path, textwrap.dedent(found["text"])
    for path in _files(root, WORKFLOWS):
        for script in _steps(yaml.safe_load(path.read_text("utf-8"))):
            yield path, _EXPRESSION.sub(UNKNOWN, script)


def shown_otherwise(root: Path = paths.ROOT) -> list[str]:
    """Return what looks like a command line of ``az`` in a block that is not read as shell."""
    return [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in _files(root, PAPERS)
        for found in _FENCE.finditer(path.read_text("utf-8"))
        if found["language"] not in _SHELL
        for line in found["text"].splitlines()
        if re.match(r"\s*(\$ )?az [a-z]", line)
    ]


def az(script: str, where: Path = Path()) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each ``az`` in *script*, at any place: in a pipe, a condition, a substitution."""
    tree = _BASH.parse(script.encode())
    if tree.root_node.has_error:
        raise NoShell(f"{where}: this is no shell:\n{script}")
    for node in _walk(tree.root_node):
        name = node.child_by_field_name("name") if node.type == "command" else None
        if name is not None and _text(name) == "az":
            yield tuple(_word(argument) for argument in node.children_by_field_name("argument"))


def _files(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(path for path in root.glob(pattern) if "node_modules" not in path.parts)


def _steps(document: Any) -> Iterator[str]:
    """Yield every script of a workflow: what a step runs itself, and what it hands to the Azure CLI action."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in {"run", "inlineScript"} and isinstance(value, str):
                yield value
            else:
                yield from _steps(value)
    elif isinstance(document, list):
        for value in document:
            yield from _steps(value)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _word(node: Node) -> str:
    """Return what the shell makes of an argument; what it alone knows is UNKNOWN."""
    match node.type:
        case "word" | "string_content" | "number":
            return re.sub(r"\\(.)", r"\1", _text(node), flags=re.DOTALL)
        case "raw_string":
            return _text(node)[1:-1]
        case "string":
            return _between(node)
        case "concatenation":
            return "".join(_word(child) for child in node.children)
        case _:
            return UNKNOWN


def _between(string: Node) -> str:
    """Return a double-quoted string: its text, with UNKNOWN for what is expanded."""
    return "".join(_word(child) for child in string.children if child.type != '"')


def _text(node: Node) -> str:
    return (node.text or b"").decode()
