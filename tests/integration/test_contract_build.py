"""The contracts as they are committed: built from their sources, and right for whatever fuzzing finds."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstack import paths

CONTRACTS = paths.ROOT / "contracts"


@pytest.fixture
def forge(tmp_path: Path) -> list[str]:
    """The forge of npm, with the one compiler in place of a native one."""
    compiler = [str(paths.node().binary), str(CONTRACTS / "compiler.mjs")]
    if sys.platform == "win32":
        launcher = tmp_path / "solc.cmd"
        launcher.write_text(f"@{subprocess.list2cmdline(compiler)} %*\n")
    else:
        launcher = tmp_path / "solc"
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(compiler)} "$@"\n')
        launcher.chmod(0o755)
    binary = paths.installed(paths.foundry("forge"))
    folders = ["--root", str(CONTRACTS), "--out", str(tmp_path / "out"), "--cache-path", str(tmp_path / "cache")]
    return [str(binary), "test", "--offline", "--use", str(launcher), *folders]


def test_the_committed_artifacts_are_what_the_sources_give() -> None:
    """Nobody can commit bytecode that its source does not give."""
    check = subprocess.run(
        [paths.node().binary, CONTRACTS / "build.mjs", "--check"], capture_output=True, text=True, check=False
    )

    assert check.returncode == 0, check.stdout + check.stderr
    assert check.stdout == "7 artifacts are what the sources give\n"


def test_a_changed_byte_and_an_artifact_without_a_source_are_noticed(tmp_path: Path) -> None:
    """The check can fail."""
    # Given a copy of the contracts in which one artifact was touched and one came from nowhere
    copy = tmp_path / "contracts"
    for source in [*CONTRACTS.glob("*.*"), *CONTRACTS.glob("test/*.sol"), *CONTRACTS.glob("artifacts/**/*.json")]:
        (copy / source.relative_to(CONTRACTS)).parent.mkdir(parents=True, exist_ok=True)
        (copy / source.relative_to(CONTRACTS)).write_bytes(source.read_bytes())
    (tmp_path / "node_modules").symlink_to(paths.NODE_MODULES)
    touched = copy / "artifacts" / "Authority.json"
    touched.write_text(touched.read_text().replace("0x60", "0x61", 1))
    (copy / "artifacts" / "test" / "Gone.json").write_text("{}")

    check = subprocess.run(
        [paths.node().binary, copy / "build.mjs", "--check"], capture_output=True, text=True, check=False
    )

    assert check.returncode == 1, check.stderr
    assert [Path(line).name for line in check.stdout.splitlines()[1:]] == ["Authority.json", "Gone.json"]


def test_the_foundry_tests_pass(
    forge: list[str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every property of the contracts holds for whatever forge's fuzzing finds."""
    run = subprocess.run([*forge, "--json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    suites: dict[str, Any] = json.loads(run.stdout)
    results = {name: each for suite in suites.values() for name, each in suite["test_results"].items()}
    failed = {name: each["reason"] for name, each in results.items() if each["status"] != "Success"}

    record_property("forge_passed", len(results) - len(failed))  # `python3 -m devstack test` counts them
    assert failed == {}
    assert run.returncode == 0, run.stderr
    assert len(results) >= 46
    assert sum("Fuzz" in each["kind"] for each in results.values()) >= 18
    assert sum("Invariant" in each["kind"] for each in results.values()) >= 3


def test_the_abi_is_the_one_the_deployed_authority_has() -> None:
    """The call the distributor signs has the selector of the deployed contract's ABI."""
    abi = json.loads((paths.ARTIFACTS / "Authority.json").read_text(encoding="utf-8"))["abi"]
    functions = {entry["name"]: entry for entry in abi if entry["type"] == "function"}

    assert [each["type"] for each in functions["distribute"]["inputs"]] == ["address", "uint256", "bytes32", "string"]
    assert functions["distribute"]["outputs"] == []
    assert functions["reserve"]["outputs"][0]["type"] == "address"
