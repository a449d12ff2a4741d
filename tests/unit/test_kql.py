"""Every Kusto query of this repository, judged by Microsoft's own language service against the tables' columns."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache

import pytest

from devstack import paths
from tests.unit.test_infra_alerts import rules

CHECKER = paths.ROOT / "tests" / "kql.mjs"
LIBRARY = paths.NODE_MODULES / "@kusto" / "language-service-next" / "bridge.js"
TABLES = {
    "AppTraces": (
        "TimeGenerated: datetime, Message: string, SeverityLevel: int, Properties: dynamic, Measurements: dynamic, "
        "OperationName: string, OperationId: string, ParentId: string, AppRoleName: string, AppRoleInstance: string, "
        "ItemCount: int, ResourceGUID: string, SDKVersion: string, Type: string, _ResourceId: string"
    ),
    "AppRequests": (
        "TimeGenerated: datetime, Id: string, Source: string, Name: string, Url: string, Success: bool, "
        "ResultCode: string, DurationMs: real, PerformanceBucket: string, Properties: dynamic, Measurements: dynamic, "
        "OperationName: string, OperationId: string, ParentId: string, AppRoleName: string, AppRoleInstance: string, "
        "ItemCount: int, ResourceGUID: string, SDKVersion: string, Type: string, _ResourceId: string"
    ),
}
"""
What the queries may name, of learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces and …/apprequests
(read in November 2026).
"""
_FENCED = re.compile(r"^```(?:kusto|kql)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def judged(queries: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return what the language service finds wrong with each query."""
    try:
        node = paths.node().binary
    except paths.NotInstalled as missing:
        _without(str(missing))
    if not LIBRARY.exists():
        _without("@kusto/language-service-next is not installed: npm ci")
    done = subprocess.run(
        [node, CHECKER, paths.ROOT / "package.json"],
        input=json.dumps({"tables": TABLES, "queries": queries}),
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    found: Mapping[str, Sequence[str]] = json.loads(done.stdout)
    return found


def _without(missing: str) -> None:
    pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


def documented() -> dict[str, str]:
    """The queries in documents, by file and place."""
    files = [paths.ROOT / "README.md", paths.ROOT / "README.pt-BR.md", *sorted((paths.ROOT / "docs").rglob("*.md"))]
    return {
        f"{file.name} {number}": query
        for file in files
        for number, query in enumerate(_FENCED.findall(file.read_text("utf-8")))
    }


@cache
def verdicts() -> Mapping[str, Sequence[str]]:
    """All of them in one run: the library takes seconds to load."""
    broken = {
        "a reserved word": "AppRequests | summarize last = max(TimeGenerated) | where isnull(last)",
        "an unknown column": "AppRequests | where Nam == 'sweep'",
        "a wrong type": "AppRequests | where Name > 3",
        "an unknown table": "AppRequest | take 1",
    }
    return judged({**rules(), **documented(), **broken})


@pytest.mark.parametrize("name", [*rules(), *documented()])
def test_the_platforms_own_parser_accepts_the_query(name: str) -> None:
    """The rules skip the platform's validation at deployment, because a new workspace has no table yet."""
    assert verdicts()[name] == []


@pytest.mark.parametrize("name", ["a reserved word", "an unknown column", "a wrong type", "an unknown table"])
def test_a_query_that_is_wrong_is_found(name: str) -> None:
    """So that the test above can fail."""
    assert any(found.startswith("Error: ") for found in verdicts()[name])
