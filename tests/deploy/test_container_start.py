"""The container serves its functions: started as the image starts it, its worker as in the base image."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from devstack import paths, setup
from tests.deploy.conftest import Built
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
