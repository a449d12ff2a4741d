"""``python -m distributor`` and ``python -m payflow`` with a Python that has none of their libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from devstack import paths


@pytest.mark.parametrize("app", ["distributor", "payflow"])
def test_a_python_without_the_libraries_says_which_one_has_them(app: str) -> None:
    """No traceback at night: the sentence names what to type instead."""
    run = f"import sys, runpy; sys.path.insert(0, {str(paths.ROOT)!r}); runpy.run_module({app!r}, run_name='__main__')"
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", run], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("The library ")
    assert f".venv/bin/python -m {app}" in ended.stderr
    assert "Traceback" not in ended.stderr
