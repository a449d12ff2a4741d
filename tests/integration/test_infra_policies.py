"""infra/ against checkov's policies: each is met, or the file says why it is not."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack import paths, tools

CHECKOV = ("checkov==3.3.30", "--no-deps pycep-parser==0.7.1")
"""checkov pins a parser of Bicep that is older than the language's lambdas and typed lists; the newer one serves it."""
SKIPPED = re.compile(r"// checkov:skip=(\w+)(: .{6,})?")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What checkov finds in infra/, without asking anybody."""
    checkov = tools.scripts_of("checkov", CHECKOV) / "checkov"
    command = [str(checkov), "--framework", "bicep", "--directory", str(paths.ROOT / "infra"), "--output", "json"]
    quiet = {**os.environ, "LOG_LEVEL": "ERROR", "CHECKOV_RUN_SECRETS_SCAN": "false"}
    ended = subprocess.run(
        [*command, "--skip-download", "--compact"], capture_output=True, text=True, check=False, env=quiet, timeout=300
    )
    assert ended.stdout, ended.stderr
    return dict(json.loads(ended.stdout))


def test_every_policy_is_met_or_argued(report: dict[str, Any]) -> None:
    """A file that cannot be parsed has met nothing."""
    failed = [f"{one['check_id']} {one['resource']}" for one in report["results"]["failed_checks"]]

    assert failed == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] >= 20


def test_no_exemption_outlives_its_policy(report: dict[str, Any]) -> None:
    """Every exemption has a reason and still exempts something."""
    files = (paths.ROOT / "infra").rglob("*.bicep")
    found = [(path.name, code, why) for path in files for code, why in SKIPPED.findall(path.read_text("utf-8"))]
    used = {(Path(one["file_path"]).name, one["check_id"]) for one in report["results"]["skipped_checks"]}

    assert [(file, code) for file, code, why in found if not why] == []
    assert {(file, code) for file, code, _ in found} == used
