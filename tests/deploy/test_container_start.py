"""The container serves its functions: started as the image starts it, its worker as in the base image."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psutil
import pytest
import yaml

from devstack import paths, runs, setup, stack
from devstack.console import Console
from devstack.servers import child, wait_until_said
from foundation.version import RELEASE
from tests.deploy.conftest import COMMIT, Built
from tests.deploy.test_packaged_app import FUNCTIONS

HOME = "/home/site/wwwroot"
WORKER = """
import sys
from pathlib import Path
sys.path.insert(1, sys.argv[1])
from devstack.package.functions import main
main(*(Path(folder) for folder in sys.argv[2:]), "distributor", "foundation")
"""
"""
What the base image's worker does outside Azure: its own folder comes first, the app's folder is added, and no
.python_packages. Source: https://github.com/Azure/azure-functions-python-worker, workers/worker.py.
"""

HOST = ("-B", "-m", "devstack.host", "--port", "0", "--no-local-settings")
"""
In place of the base image's host. There the CMD starts the host with the ENV of the image, and the host the worker with
its own environment: the worker's folder comes first, then PYTHONPATH, then the app's. Sources:
https://github.com/Azure/azure-functions-docker, host/4/bookworm/python/python312/python312.Dockerfile;
https://github.com/Azure/azure-functions-python-worker, workers/python/prodV4/worker.py (not in Azure).
"""


def image_environment(app: Path) -> dict[str, str]:
    """Return what the Dockerfile sets, with the app in another place."""
    text = (paths.ROOT / "Dockerfile").read_text("utf-8")
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)", text, re.MULTILINE)
    pairs = (pair.partition("=") for pair in block.replace("\\\n", " ").split())
    return {name: value.replace(HOME, str(app)) for name, _, value in pairs}


@pytest.mark.usefixtures("loading")
def test_the_worker_in_the_container_finds_every_function(built: Built, tmp_path: Path) -> None:
    """With the libraries of the package and no others: without them it would list none, and the host stays up."""
    app, probe, nothing = tmp_path / "app", tmp_path / "probe", tmp_path / "nothing"
    with ZipFile(built.package) as opened:
        opened.extractall(app)
    shutil.copytree(paths.ROOT / "devstack" / "host", probe / "devstack" / "host")
    shutil.copytree(paths.ROOT / "devstack" / "package", probe / "devstack" / "package")
    (probe / "devstack" / "__init__.py").touch()
    python = [str(built.recipe.interpreter), "-S", "-B"]
    worker = [*python, "-c", WORKER, str(probe), str(app), str(nothing), str(setup.RUNTIME)]
    ended = subprocess.run(
        [*python, "-m", "distributor.cli.container", *worker],
        env={"BALLX_USE_KV": "0", **image_environment(app)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 0, ended.stderr
    assert len(json.loads(ended.stdout.splitlines()[-1])) == len(FUNCTIONS)


@pytest.mark.usefixtures("loading")
def test_an_order_is_paid_through_the_container(built: Built, tmp_path: Path) -> None:
    """By the last steps of the workflow, word for word, and with the libraries of the package."""
    app, probe = tmp_path / "app", tmp_path / "probe"
    with ZipFile(built.package) as opened:
        opened.extractall(app)
    for part in ("devstack", "foundation"):  # what our host itself is made of
        shutil.copytree(paths.ROOT / part, probe / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(stack.EXAMPLE, tmp_path / "local.settings.json")
    host = [sys.executable, *HOST, "--app", str(app), "--runtime", str(setup.RUNTIME)]
    with (
        runs.begin(tmp_path / "runs") as run,
        stack.services(Console(io.StringIO()), run, fixed_ports=False) as services,
    ):
        _at_these_ports(tmp_path / "local.settings.json", services.settings)
        environment = {"PATH": os.environ["PATH"], **services.settings, **image_environment(app)}
        started = ["env", "-C", str(probe), sys.executable, "-B", "-m", "distributor.cli.container", *host]
        with child("host", started, log=run.log("host"), environment=environment) as server:
            url = wait_until_said(server, r"Host started on (http://127\.0\.0\.1:\d+)", timeout_s=90)[1]
            ended = _pay(url, tmp_path)
            with urllib.request.urlopen(f"{url}/healthz") as answer:  # noqa: S310 -- loopback
                version = json.load(answer)["version"]
            (worker,) = psutil.Process(server.process.pid).children()
            native = {Path(each.path) for each in worker.memory_maps() if "site-packages" in each.path}

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "202 Accepted" in ended.stdout
    assert ended.stdout.endswith("Paid.\n")
    assert version == f"{RELEASE}+{COMMIT}"  # the package's own code, and not that of this folder
    assert native
    assert {path for path in native if not path.is_relative_to(app)} == set()


def _at_these_ports(example: Path, settings: Mapping[str, str]) -> None:
    """Write into *example* where storage and chain are this time."""
    document = json.loads(example.read_text("utf-8"))
    document["Values"] = {name: settings.get(name, value) for name, value in document["Values"].items()}
    example.write_text(json.dumps(document), "utf-8")


def _pay(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the step of the workflow in *folder*, which has the settings."""
    workflow: Any = yaml.safe_load((paths.ROOT / ".github" / "workflows" / "container.yml").read_text("utf-8"))
    (step,) = [each["run"] for each in workflow["jobs"]["build"]["steps"] if each.get("name", "").startswith("Pay an")]
    here = step.replace("http://127.0.0.1:8080", url).replace(".venv/bin/python", sys.executable)
    return subprocess.run(
        ["bash", "-e", "-c", here],  # as GitHub starts a step
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.ROOT), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
