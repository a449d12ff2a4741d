"""
Reads Bicep without Bicep: whether a file is well formed, what is declared in it, and what a value comes to.

Two parsers, because neither does both: tree-sitter's is strict about syntax, pycep gives the meaning.
No type is checked and nothing is compiled here; `az bicep build` does that in the workflow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from pycep import BicepParser
from tree_sitter import Language, Node, Parser


class Refused(Exception):
    """A `fail()` was reached: nothing is deployed, and the words are shown."""


INFRA = Path(__file__).parents[1] / "infra"

RESOURCE = "resource "
"""Before a name in what *value* is given: its resource or module. The parser tells no name from a literal text."""

_INTERPOLATION = re.compile(r"\$\{([^{}]+)\}")
_CALL = re.compile(r"(\w+)\((\w+), '([^']*)', '([^']*)'\)")
_ASSIGNMENT = re.compile(r"^param (\w+) =", re.MULTILINE)
_BRACKETS = {"{": 1, "[": 1, "(": 1, "${": 1, "}": -1, "]": -1, ")": -1}
_CLOSING = re.compile(r"[\]})]*")
_USING = re.compile(r"^using .*$", re.MULTILINE)


def sources() -> list[Path]:
    """Return every file of infra/, of both apps."""
    return sorted(path for path in INFRA.rglob("*") if path.suffix in (".bicep", ".bicepparam"))


def read(path: Path) -> str:
    """Return the text of *path*; a parameter file is written as the variables it sets, which both parsers know."""
    text = path.read_text("utf-8")
    return _ASSIGNMENT.sub(r"var \1 =", _USING.sub("", text)) if path.suffix == ".bicepparam" else text


def malformed(text: str) -> list[str]:
    """Return where *text* is not Bicep."""
    tree = Parser(Language(tree_sitter_bicep.language())).parse(text.encode())
    return [f"line {node.start_point.row + 1}" for node in _nodes(tree.root_node) if node.is_error or node.is_missing]


def untidy(text: str) -> list[str]:
    """Return the lines that the formatter would write otherwise: by their indentation, blanks and ends alone."""
    changes, inside = _bracketed(text)
    depth, found = 0, []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        closed = len(_CLOSING.match(line.lstrip(" "))[0])  # type: ignore[index]  # it matches the empty text, too
        indented = len(line) - len(line.lstrip(" "))
        if (
            (line and number not in inside and indented != 2 * (depth - closed))
            or line.rstrip() != line
            or "\t" in line
        ):
            found.append(f"line {number + 1}")
        depth += changes.get(number, 0)
    blank = [f"line {number}" for number, pair in enumerate(pairwise(lines), 1) if pair == ("", "")]
    return [*found, *blank, *([] if text.endswith("\n") else ["the end"])]


def _bracketed(text: str) -> tuple[dict[int, int], set[int]]:
    """Return by line how many brackets it opens more than it closes; and the lines inside a longer text or comment."""
    changes, inside = dict[int, int](), set[int]()
    for node in _nodes(Parser(Language(tree_sitter_bicep.language())).parse(text.encode()).root_node):
        first, last = node.start_point.row, node.end_point.row
        if node.type in _BRACKETS:
            changes[first] = changes.get(first, 0) + _BRACKETS[node.type]
        if node.type in ("comment", "multiline_string"):
            inside.update(range(first + 1, last + 1))
    return changes, inside


@cache
def module(name: str) -> Mapping[str, Any]:
    """Return what infra/*name*, a path, declares: parameters, variables, resources, modules, outputs."""
    return dict(BicepParser().parse(text=read(INFRA / name)))


def resources() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield type and body of every resource of the distributor; of a loop, the body of its turns."""
    for path in INFRA.glob("*.bicep"):
        for resource in module(path.name)["resources"].values():
            body = resource["config"]
            yield resource["type"], body["config"] if "loop_type" in body else body


def versioned(pattern: str = "**/*.bicep") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield type with version, and body, of every resource."""
    for path in sorted(INFRA.glob(pattern)):
        for resource in module(path.relative_to(INFRA).as_posix()).get("resources", {}).values():
            body = resource["config"]
            inside = "loop_type" in body or set(body) == {"condition", "config"}
            yield f"{resource['type']}@{resource['api_version']}", body["config"] if inside else body


def of_type(kind: str) -> Mapping[str, Any]:
    """Return the body of the only resource of a type."""
    (found,) = (body for name, body in resources() if name == kind)
    return found


def value(expression: Any, names: Mapping[str, Any]) -> Any:
    """
    Return what *expression* comes to, for what infra/ uses of the language.

    Args:
        expression: As pycep gives it: a name and a literal text look alike, so a name must be in *names*.
        names: Parameters and variables; a variable may be an expression itself.
    """
    if isinstance(expression, list):
        return [value(each, names) for each in expression]
    if isinstance(expression, str):
        return value(names[expression], names) if expression in names else _text(expression, names)
    if not isinstance(expression, dict):
        return expression
    if isinstance(expression.get("function"), dict):
        return _FUNCTIONS[expression["function"]["type"]](list(expression["function"]["parameters"].values()), names)
    if isinstance(expression.get("operator"), dict):
        return _OPERATORS[expression["operator"]["type"]](expression["operator"]["operands"], names)
    return {key: value(each, names) for key, each in expression.items()}


def _chosen(parts: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    return value(parts["true_value" if value(parts["condition"], names) else "false_value"], names)


def _equal(parts: Mapping[str, Any], names: Mapping[str, Any]) -> bool:
    return bool(value(parts["operand_1"], names) == value(parts["operand_2"], names))


def _more(parts: Mapping[str, Any], names: Mapping[str, Any]) -> bool:
    return bool(value(parts["operand_1"], names) > value(parts["operand_2"], names))


def _property(parts: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """Return a property of what is known, or its path where only Azure knows it: ``account.id``."""
    first, *path = _path(parts)
    return _walked(first, path, names)


def _path(parts: Any) -> list[Any]:
    if isinstance(parts, dict) and isinstance(parts.get("operator"), dict):
        parts = parts["operator"]["operands"]
    return [parts["operand_1"], *_path(parts["operand_2"])] if isinstance(parts, dict) else [parts]


def _walked(first: Any, path: list[str], names: Mapping[str, Any]) -> Any:
    found = names[f"{RESOURCE}{first}"] if f"{RESOURCE}{first}" in names else value(first, names)
    for step in path:
        found = found[step] if isinstance(found, Mapping) else f"{found}.{step}"
    return found


_OPERATORS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Any]] = {
    "conditional": _chosen,
    "equals": _equal,
    "greater_than": _more,
    "property_accessor": _property,
    "not": lambda parts, names: not value(parts["bool_value"], names),
}


def _text(text: str, names: Mapping[str, Any]) -> str:
    return _INTERPOLATION.sub(lambda found: str(_inner(found[1], names)), text)


def _inner(inside: str, names: Mapping[str, Any]) -> Any:
    """Return the text between braces: a name, or ``replace(name, 'a', 'b')``."""
    if call := _CALL.fullmatch(inside):
        return str(names[call[2]]).replace(call[3], call[4])
    if inside in names:
        return value(names[inside], names)
    first, *path = inside.split(".")
    return _walked(first, path, names)


def _union(parts: list[Any], names: Mapping[str, Any]) -> Any:
    """Join lists, each item once, or objects, of which the later wins."""
    values = [value(part, names) for part in parts]
    if isinstance(values[0], list):
        return list(dict.fromkeys(item for each in values for item in each))
    return {key: item for each in values for key, item in each.items()}


def _slice(text: str, start: int, length: int) -> str:
    return text[start : start + length]


def _applied(function: Mapping[str, Any], item: Any, names: Mapping[str, Any]) -> Any:
    """Return what a lambda of one argument makes of *item*."""
    return value(function["detail"]["expression"], {**names, function["detail"]["var_1"]: item})


def _fail(parts: list[Any], names: Mapping[str, Any]) -> Any:
    """Stop, as the compiler's snapshot and the deployment do."""
    raise Refused(value(parts[0], names))


def _unique(parts: list[Any], names: Mapping[str, Any]) -> str:
    """Return thirteen signs, others for other texts; not those of Azure."""
    return sha256(" ".join(str(value(part, names)) for part in parts).encode()).hexdigest()[:13]


def _always(known: Any) -> Callable[[list[Any], Mapping[str, Any]], Any]:
    """Return a function of the language that answers with what a test takes for Azure's answer."""
    return lambda _parts, _names: known


def _read_variable(parts: list[Any], names: Mapping[str, Any]) -> Any:
    """Return a variable of the shell, which is in *names* as ``environment NAME``; its default otherwise."""
    name, *default = parts
    return names[f"environment {name}"] if not default or f"environment {name}" in names else default[0]


def _to_object(parts: list[Any], names: Mapping[str, Any]) -> dict[str, Any]:
    items, keyed, valued = value(parts[0], names), parts[1]["detail"], parts[2]["detail"]
    return {
        value(keyed["expression"], {**names, keyed["var_1"]: item}): value(
            valued["expression"], {**names, valued["var_1"]: item}
        )
        for item in items
    }


_FUNCTIONS: Mapping[str, Callable[[list[Any], Mapping[str, Any]], Any]] = {
    "union": _union,
    "toObject": _to_object,
    "empty": lambda parts, names: not value(parts[0], names),
    "string": lambda parts, names: str(value(parts[0], names)),
    "length": lambda parts, names: len(value(parts[0], names)),
    "range": lambda parts, names: list(range(parts[0], parts[0] + value(parts[1], names))),
    "substring": lambda parts, names: _slice(value(parts[0], names), value(parts[1], names), parts[2]),
    "to_lower": lambda parts, names: value(parts[0], names).lower(),
    "split": lambda parts, names: value(parts[0], names).split(parts[1]),
    "contains": lambda parts, names: value(parts[1], names) in value(parts[0], names),
    "map": lambda parts, names: [_applied(parts[1], each, names) for each in value(parts[0], names)],
    "filter": lambda parts, names: [each for each in value(parts[0], names) if _applied(parts[1], each, names)],
    "concat": lambda parts, names: [each for part in parts for each in value(part, names)],
    "fail": _fail,
    "take": lambda parts, names: value(parts[0], names)[: parts[1]],
    "unique_string": _unique,
    "resource_group": _always({"id": "/the/group", "location": "brazilsouth"}),
    "subscription": _always({"tenantId": "the tenant"}),
    "guid": lambda parts, names: f"guid({', '.join(str(value(part, names)) for part in parts)})",
    "subscription_resource_id": lambda parts, names: f"{parts[0]}/{value(parts[1], names)}",
    "readEnvironmentVariable": _read_variable,
}


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)
