"""
``func start`` with ``local.settings.json.example``, as far as it goes without Core Tools.

The tool comes as a binary that no Python or npm package carries; the workflow ``func`` runs it. Here its
last step, word for word, pays an order through the app in our own host.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from devstack import paths, runs, stack
from devstack.console import Console
from devstack.host import KEY_SETTING
from distributor.settings import about

OF_THE_PLATFORM = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}
WORKFLOW = paths.ROOT / ".github" / "workflows" / "func.yml"


def test_the_example_sets_no_name_that_nobody_reads() -> None:
    """A misspelt name would be ignored without a word; that none is missing is tested with the settings."""
    example = json.loads(stack.EXAMPLE.read_text("utf-8"))

    assert set(example["Values"]) - OF_THE_PLATFORM <= about().keys()
    assert set(example["Values"]) >= OF_THE_PLATFORM
    assert example["IsEncrypted"] is False


def test_the_step_that_pays_an_order_in_the_workflow_pays_one(tmp_path: Path) -> None:
    """It signs with the example's secret, asks without a key, and ends only when the order is paid."""
    shutil.copyfile(stack.EXAMPLE, tmp_path / "local.settings.json")
    console = Console(io.StringIO())
    with runs.begin(tmp_path / "runs") as run, stack.services(console, run, fixed_ports=False) as services:
        settings = {name: value for name, value in services.settings.items() if name != KEY_SETTING}
        with stack.functions_host(run, settings, "devstack") as host:
            step = _paying_step().replace("http://127.0.0.1:7071", host.url)
            ended = subprocess.run(
                ["bash", "-e", "-c", step],  # as GitHub starts a step that names no shell
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "202 Accepted" in ended.stdout
    assert ended.stdout.endswith("Paid.\n")


def _paying_step() -> str:
    workflow: Any = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    (step,) = [step for step in workflow["jobs"]["func"]["steps"] if step.get("name", "").startswith("Pay an order")]
    return str(step["run"])
