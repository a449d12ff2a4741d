"""Earlier versions of the whole code, as the repository's own history has them."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from devstack import paths

LEVEL_1 = "2af13b760bfd85b57dbad960ea7d3b0973f48a40"
"""Keeps rows that it does not know, and binds by the rules of level 1: one order in a transaction."""
LEVEL_2 = "896d835167aaf0386657ef368dc3ab994527e927"
"""Binds by the rules of level 2, as this version does on a ledger whose past is whole."""


def version(commit: str, folder: Path) -> Path:
    """Return the folder where the code of *commit* is now; the test is left out where there is no history."""
    packed = subprocess.run(["git", "archive", commit], cwd=paths.ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip("a copy without its history has no older version: git fetch --unshallow")
    code = folder / commit
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(code, filter="data")
    return code
