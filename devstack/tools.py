"""
Tools that bring a hundred packages of their own: each in an environment under ``.devstack``, apart from the app's.

An environment is made at its first use and kept: its folder carries the hash of what was asked for.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from devstack import paths
from devstack.console import StepFailed

_MADE = "made"
"""A file in an environment that was finished; without it, it is made again."""


def scripts_of(tool: str, requirements: Sequence[str]) -> Path:
    """
    Return the folder of the commands of *tool*, installed as *requirements* say.

    Args:
        tool: Its name, for the folder.
        requirements: Arguments for pip, one call after the other; a later one may replace what an earlier one pinned.

    Raises:
        StepFailed: pip could not install it; its words are in the log.
    """
    wish = hashlib.sha256("\0".join(requirements).encode()).hexdigest()[:12]
    folder = paths.STATE / "tools" / f"{tool}-{wish}"
    if not (folder / _MADE).exists():
        venv.create(folder, clear=True)  # this Python's own pip serves it, which saves seconds
        for requirement in requirements:
            _install(folder, requirement)
        (folder / _MADE).touch()
    return paths.venv_python(folder, system=sys.platform).parent


def _install(folder: Path, requirement: str) -> None:
    log = folder / "install.log"
    there = ["--python", str(paths.venv_python(folder))]
    pip = [sys.executable, "-m", "pip", *there, "--disable-pip-version-check", "--no-input", "install"]
    with log.open("ab") as out:
        ended = subprocess.run([*pip, *requirement.split()], stdout=out, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        raise StepFailed(f"`pip install {requirement}` ended with code {ended.returncode}.", log)
