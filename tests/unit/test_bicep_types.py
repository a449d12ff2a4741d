"""Each resource of infra/ against Microsoft's own type definitions, of which tests/bicep_types.json is an extract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests import bicep
from tests.bicep_types import wrong

FILES = sorted(path.relative_to(bicep.INFRA).as_posix() for path in bicep.INFRA.rglob("*.bicep"))
PLAN = "Microsoft.Web/serverfarms@2025-03-01"
SITE = "Microsoft.Web/sites@2025-03-01"
RULE = "Microsoft.Insights/scheduledQueryRules@2026-03-01"
POLICY = "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01"


def known(file: str) -> set[str]:
    """What a file declares, and the items of its loops."""
    declared = bicep.module(file)
    kinds = ("parameters", "variables", "resources", "modules")
    return {name for kind in kinds for name in declared.get(kind, {})} | {"each", "role"}


@pytest.mark.parametrize("file", FILES)
def test_every_resource_is_of_its_type(file: str) -> None:
    """Names of properties, words, kinds of values, and what is required."""
    assert [found for kind, body in bicep.versioned(file) for found in wrong(kind, body, known(file))] == []


def test_the_extract_has_every_type_and_no_more() -> None:
    """What is no longer deployed is no longer in it."""
    from tests.bicep_types import extract

    assert set(extract()) == {kind for kind, _ in bicep.versioned()}


def _with_condition(condition: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a rule with one condition."""
    return {"name": "r", "location": "x", "properties": {"criteria": {"allOf": [condition]}}}


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        (PLAN, {"name": "p", "location": "x", "propertys": {}}, "propertys: no such property"),
        (PLAN, {"name": "p"}, "location: required"),
        (
            PLAN,
            {"name": "p", "location": "x", "properties": {"reserved": "yes"}},
            "reserved: a text where there is none",
        ),
        (PLAN, {"name": "p", "location": "x", "sku": True}, "sku: True is of another type"),
        (RULE, {"name": "r", "location": "x", "kind": "LogAlarm", "properties": {}}, "kind: LogAlarm is none of"),
        (RULE, {"name": "r", "location": "x", "properties": {"severity": "high"}}, "severity: a text where"),
        (RULE, _with_condition({"operator": "GreaterThen"}), "operator: GreaterThen is none of"),
        (RULE, _with_condition({"operator": "GreaterThan", "querry": "x"}), "querry: no such property"),
        (SITE, {"name": "s", "location": "x", "identity": {"type": "Mine"}}, "type: Mine is none of"),
        (SITE, {"name": "s", "location": "x", "properties": {"state": "Running"}}, "state: read only"),
        (POLICY, {"name": "ssh", "properties": {"allow": False}}, "properties: no such property"),
        ("Microsoft.Web/sites@2020-01-01", {}, "no such type in the extract"),
    ],
)
def test_a_resource_that_is_wrong_is_found(kind: str, body: Mapping[str, Any], found: str) -> None:
    """So that the test above can fail: misspelt, none of the words, missing, not ours to set."""
    assert any(found in each for each in wrong(kind, body, set())), wrong(kind, body, set())
