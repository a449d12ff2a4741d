"""The package in the order the platform starts it: placeholder, specialisation, index, load, invoke."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devstack import paths, setup
from devstack.command import DEPLOYED
from devstack.console import Console
from devstack.package.apps import DISTRIBUTOR
from devstack.package.build import PACKAGES, build
from devstack.package.run import interpreter_of
from foundation.version import RELEASE
from tests.deploy.conftest import COMMIT, HERE, Built, recipe_of
from tests.deploy.test_packaged_app import FUNCTIONS, PAYFLOW_FUNCTIONS

MODULES = ("__init__.py", "host/__init__.py", "host/config.py", "host/values.py", "host/worker.py")
ALIVE = {"status": "alive", "version": f"{RELEASE}+{COMMIT}"}


def started(built: Built, interpreter: Path, folder: Path) -> dict[str, Any]:
    """Start the package as an instance in Azure does; return what it says of itself."""
    probe, worker, root = folder / "probe", folder / "worker", folder / "wwwroot"
    for module in (*MODULES, "package/__init__.py", "package/start_order.py"):
        (probe / "devstack" / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths.ROOT / "devstack" / module, probe / "devstack" / module)
    for library in ("azure.functions", "werkzeug", "markupsafe"):
        spec = importlib.util.find_spec(library)
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, worker / library.replace(".", "/"))
    root.mkdir()
    command = [str(interpreter), "-S", "-B", "-m", "devstack.package.start_order"]
    ended = subprocess.run(
        [*command, str(built.package), str(root), str(worker), str(setup.RUNTIME), PACKAGES],
        cwd=probe,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert said["azure.functions"].startswith(str(worker)), said  # imported before there was an app, as in Azure
    return said


@pytest.mark.usefixtures("loading")
@pytest.mark.parametrize(
    ("fixture", "functions"),
    [("built", FUNCTIONS), ("built_payflow", PAYFLOW_FUNCTIONS)],
    ids=["distributor", "payflow"],
)
def test_a_placeholder_becomes_the_app(
    fixture: str, functions: set[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Every function is there, and one answers, although the worker had imported its own libraries before."""
    said = started(request.getfixturevalue(fixture), Path(sys.executable), tmp_path)

    assert said["functions"] == sorted(each.split()[0] for each in functions)
    assert said["healthz"] == ALIVE


if HERE != DEPLOYED and interpreter_of(DEPLOYED):  # Where the tests run on another Python, and this machine has both.

    @pytest.mark.usefixtures("loading")
    def test_the_deployed_python_runs_its_package(tmp_path: Path) -> None:
        """With its wheels and its bytecode."""
        interpreter = interpreter_of(DEPLOYED)
        assert interpreter is not None
        recipe = recipe_of(DISTRIBUTOR, tmp_path / "sources", DEPLOYED, interpreter)
        build(Console(), recipe, tmp_path / "app.zip")

        said = started(Built(recipe=recipe, package=tmp_path / "app.zip"), interpreter, tmp_path)

        assert said["functions"] == sorted(each.split()[0] for each in FUNCTIONS)
        assert said["healthz"] == ALIVE
