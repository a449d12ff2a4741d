"""
Checks resources of infra/ against an extract of Microsoft's own type definitions: names, words, what is required.

The compiler does that too, and cannot be had where the tests run. The extract (bicep_types.json) has of every object
that infra/ writes all property names, and goes deeper only where infra/ does; so a new property of an old object is
known, and a new object is not until the extract is made again:

    python -m tests.bicep_types FOLDER DATE    # a clone of github.com/Azure/bicep-types-az, and the date of its commit
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests import bicep

EXTRACT = Path(__file__).with_name("bicep_types.json")
REQUIRED, READ_ONLY = 1, 2
"""Flags of a property: github.com/Azure/bicep-types, ObjectTypePropertyFlags."""
_PLAIN = {"StringType": "text", "BooleanType": "bool", "IntegerType": "number"}
_OURS = {"parent", "scope", "dependsOn"}
"""What Bicep itself knows of every resource."""
Node = Mapping[str, Any]


def wrong(kind: str, body: Any, known: set[str], types: Mapping[str, Node] | None = None) -> list[str]:
    """
    Return what is wrong with a resource.

    Args:
        kind: Type and version, as in ``Microsoft.Web/sites@2025-03-01``.
        body: The resource as pycep gives it.
        known: Names of parameters, variables and resources: such a text is an expression and not judged.
        types: The extract; None: the one of this repository.
    """
    types = extract() if types is None else types
    return list(_wrong(body, types[kind], known, kind)) if kind in types else [f"{kind}: no such type in the extract"]


@cache
def extract() -> Mapping[str, Node]:
    """Return the types by name and version."""
    return dict(json.loads(EXTRACT.read_text("utf-8"))["types"])


def _wrong(value: Any, node: Node, known: set[str], where: str) -> Iterator[str]:
    if isinstance(value, Mapping) and not _is_expression(value):
        yield from _object(value, _chosen(node, value), known, where)
    elif isinstance(value, list) and "item" in node:
        for each in value:
            yield from _wrong(each, node["item"], known, where)
    elif isinstance(value, str) and value not in known and "${" not in value and not re.match(r"\w+\.\w", value):
        if "words" in node and value not in node["words"]:
            yield f"{where}: {value} is none of {', '.join(node['words'])}"
        elif not {"words", "text", "any"} & set(node):
            yield f"{where}: a text where there is none"
    elif isinstance(value, bool | int) and not {"any", "bool" if isinstance(value, bool) else "number"} & set(node):
        yield f"{where}: {value} is of another type"


def _is_expression(value: Mapping[str, Any]) -> bool:
    """Say whether the parser read a call or an operation here; a property of such a name holds a text."""
    return any(isinstance(value.get(name), Mapping) for name in ("function", "operator"))


def _chosen(node: Node, value: Mapping[str, Any]) -> Node:
    """Return of a type with forms the one that the object names."""
    return node["forms"].get(value.get(node["by"]), {}) if "by" in node else node


def _object(value: Mapping[str, Any], node: Node, known: set[str], where: str) -> Iterator[str]:
    properties: Mapping[str, Sequence[Any]] = node.get("object", {})
    for name, inner in value.items():
        if name in properties:
            flags, deeper = properties[name]
            if _read_only(flags):
                yield f"{where}.{name}: read only"
            yield from _wrong(inner, deeper or {"any": True}, known, f"{where}.{name}")
        elif not {"more", "any"} & set(node) and name not in _OURS:
            yield f"{where}.{name}: no such property"
    yield from (f"{where}.{name}: required" for name in _required(properties) if name not in value)


def _read_only(flags: int) -> bool:
    return bool(flags & READ_ONLY)


def _required(properties: Mapping[str, Sequence[Any]]) -> list[str]:
    return [name for name, (flags, _) in properties.items() if flags & REQUIRED and not _read_only(flags)]


# Making the extract -------------------------------------------------------------------------------


class Definitions:
    """The generated types of a clone."""

    def __init__(self, folder: Path) -> None:
        versions = {kind.partition("@")[2] for kind, _ in bicep.versioned()}
        paths = [path for path in (folder / "generated").rglob("types.json") if path.parent.name in versions]
        self._files: dict[str, list[Any]] = {str(path): json.loads(path.read_text("utf-8")) for path in paths}
        self._resources = {
            one["name"].lower(): (file, one["body"]["$ref"])
            for file, types in self._files.items()
            for one in types
            if one["$type"] == "ResourceType"
        }

    def of(self, kind: str, body: Any) -> Node:
        """Return the extract of one type, as deep as *body* goes."""
        return self._node(*self._resources[kind.lower()], body)

    def _type(self, file: str, at: int) -> Any:
        return self._files[file][at]

    def _node(self, file: str, reference: str, value: Any) -> dict[str, Any]:
        found = self._type(file, int(reference.removeprefix("#/")))
        match found["$type"]:
            case "ObjectType":
                node = {"object": self._properties(file, found["properties"], value)}
                return {**node, "more": True} if "additionalProperties" in found else node
            case "DiscriminatedObjectType":
                return self._forms(file, found, value)
            case "ArrayType":
                items = value if isinstance(value, list) and value else [None]
                return {"item": self._node(file, found["itemType"]["$ref"], items[0])}
            case "UnionType":
                parts = [self._type(file, int(each["$ref"].removeprefix("#/"))) for each in found["elements"]]
                return {"words": [part["value"] for part in parts if "value" in part]}
            case "StringLiteralType":
                return {"words": [found["value"]]}
            case plain:
                return {_PLAIN.get(plain, "any"): True}

    def _forms(self, file: str, found: Any, value: Any) -> dict[str, Any]:
        name = value[found["discriminator"]]
        inner = self._node(file, found["elements"][name]["$ref"], value)
        inner["object"] |= self._properties(file, found["baseProperties"], value)
        return {"by": found["discriminator"], "forms": {name: inner}}

    def _properties(self, file: str, properties: Mapping[str, Any], value: Any) -> dict[str, Any]:
        given = value if isinstance(value, Mapping) else {}
        return {
            name: [one["flags"], self._node(file, one["type"]["$ref"], given[name]) if name in given else None]
            for name, one in properties.items()
        }


def merged(one: Any, other: Any) -> Any:
    """Return what is known of a type that two resources use, each going deeper elsewhere."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {name: merged(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list) and len(one) == 2 and isinstance(one[0], int):
        return [one[0], merged(one[1], other[1])]
    return other if one is None else one


def main() -> None:
    """Make the extract again."""
    folder, date = Path(sys.argv[1]), sys.argv[2]
    definitions = Definitions(folder)
    types: dict[str, Node] = {}
    for kind, body in bicep.versioned():
        types[kind] = merged(types.get(kind), definitions.of(kind, body))
    written = {"source": "github.com/Azure/bicep-types-az, generated/", "date": date, "types": types}
    EXTRACT.write_text(json.dumps(written, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
