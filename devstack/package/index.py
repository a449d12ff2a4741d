"""Indexes a package: unpacks it and lists its functions as the worker of the platform does."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from devstack import paths, setup
from devstack.console import StepFailed
from devstack.package.apps import DISTRIBUTOR, App
from devstack.package.build import PACKAGES

_PROBE = (
    *("__init__.py", "host/__init__.py", "host/config.py", "host/values.py", "host/worker.py"),
    *("package/__init__.py", "package/functions.py"),
)
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
_TIMEOUT_S = 120

Functions = Mapping[str, Mapping[str, Any]]
"""The trigger binding of each function, by the function's name."""


def loadable() -> bool:
    """Tell whether this machine runs what is built for the platform."""
    return (sys.platform, platform.machine()) == ("linux", "x86_64")


def functions(package: Path, interpreter: Path, app: App = DISTRIBUTOR) -> Functions:
    """
    Return what *package* offers when *interpreter* runs it, with no library but those in it.

    Raises:
        StepFailed: It does not load, or has no function: what Azure would show as an empty list.
    """
    with TemporaryDirectory(prefix="package-") as folder:
        unpacked, probe = Path(folder) / "app", Path(folder) / "probe"
        with ZipFile(package) as opened:
            opened.extractall(unpacked)
        for module in _PROBE:
            (probe / "devstack" / module).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(paths.ROOT / "devstack" / module, probe / "devstack" / module)
        command = [str(interpreter), "-S", "-B", "-m", "devstack.package.functions"]
        return _ask([*command, str(unpacked), str(unpacked / PACKAGES), str(setup.RUNTIME), *app.folders], probe)


def described(name: str, trigger: Mapping[str, Any]) -> str:
    """Return one line on a function: its name, and what calls it."""
    kind = str(trigger["type"]).removesuffix("Trigger")
    methods = ",".join(str(method) for method in trigger.get("methods", ()))
    route = f"/{trigger['route']}" if "route" in trigger else ""
    where = route or trigger.get("queueName") or trigger.get("schedule")
    return " ".join(part for part in (name, kind, methods, where) if part)


def _ask(command: Sequence[str], folder: Path) -> Functions:
    environment = {name: value for name, value in os.environ.items() if name in _KEPT}
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as why:
        raise StepFailed(f"The package did not load within {_TIMEOUT_S} s.") from why
    if ended.returncode:
        raise StepFailed("The package does not load:\n" + ended.stderr[-2000:])
    found: Functions = json.loads(ended.stdout.splitlines()[-1])
    return found
