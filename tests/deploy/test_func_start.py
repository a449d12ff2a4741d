"""
``func start`` with ``local.settings.json.example``, as far as it goes without Core Tools.

The tool comes as a binary that no Python or npm package carries; the workflow ``func`` runs it. Here its
last step, word for word, pays an order in our own host: through the package, with the libraries in it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psutil
import pytest
import yaml

from devstack import paths, runs, setup, stack
from devstack.console import Console
from devstack.host.keys import FUNCTION_SETTING, HOST_SETTING, MASTER_SETTING
from devstack.package.build import PACKAGES
from devstack.servers import Child, child, wait_until_said
from distributor.settings import about
from distributor.settings.operations import BackupSettings
from tests.deploy.conftest import Built

OF_THE_PLATFORM = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}
WORKFLOW = paths.ROOT / ".github" / "workflows" / "func.yml"


def test_the_example_sets_no_name_that_nobody_reads() -> None:
    """A misspelt name would be ignored without a word; that none is missing is tested with the settings."""
    example = json.loads(stack.EXAMPLE.read_text("utf-8"))

    connection = BackupSettings.model_fields["backup_connection"].default  # a setting that the setting names
    assert set(example["Values"]) - OF_THE_PLATFORM - {connection} <= about().keys()
    assert set(example["Values"]) >= OF_THE_PLATFORM
    assert example["IsEncrypted"] is False


@pytest.mark.usefixtures("loading")
def test_the_package_pays_an_order_by_the_last_step_of_the_workflow(built: Built, tmp_path: Path) -> None:
    """The step signs with the example's secret, asks without a key, and ends only when the order is paid."""
    with ZipFile(built.package) as opened:
        opened.extractall(tmp_path / "app")
    shutil.copyfile(stack.EXAMPLE, tmp_path / "local.settings.json")
    with (
        runs.begin(tmp_path / "runs") as run,
        stack.services(Console(io.StringIO()), run, fixed_ports=False) as services,
        _host(tmp_path / "app", services.settings, run.log("host")) as (server, url),
    ):
        ended = subprocess.run(
            ["bash", "-e", "-c", _paying_step().replace("http://127.0.0.1:7071", url)],  # as GitHub starts a step
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        (worker,) = psutil.Process(server.process.pid).children()
        native = {Path(each.path) for each in worker.memory_maps() if ".so" in each.path}

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "202 Accepted" in ended.stdout
    assert ended.stdout.endswith("Paid.\n")
    libraries = {path for path in native if "site-packages" in path.parts}
    assert libraries
    assert {path for path in libraries if not path.is_relative_to(tmp_path)} == set()


KEYS = {FUNCTION_SETTING, HOST_SETTING, MASTER_SETTING}


@contextmanager
def _host(app: Path, settings: Mapping[str, str], log: Path) -> Iterator[tuple[Child, str]]:
    """Run *app* in our host: no key is asked for, as under ``func start``, and its own libraries come first."""
    command = [sys.executable, "-B", "-m", "devstack.host", "--app", str(app), "--port", "0", "--no-local-settings"]
    environment = {name: value for name, value in {**os.environ, **settings}.items() if name not in KEYS}
    environment["PYTHONPATH"] = os.pathsep.join([str(app / PACKAGES), str(paths.ROOT)])
    with child("host", [*command, "--runtime", str(setup.RUNTIME)], log=log, environment=environment) as server:
        yield server, wait_until_said(server, r"Host started on (http://127\.0\.0\.1:\d+)", timeout_s=90)[1]


def _paying_step() -> str:
    workflow: Any = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    (step,) = [step for step in workflow["jobs"]["func"]["steps"] if step.get("name", "").startswith("Pay an order")]
    return str(step["run"])
