"""The image: what is in it, who runs it, and on which base. It is built in the workflow, not here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from devstack.command import DEPLOYED
from devstack.package.build import PACKAGES
from foundation.console.entra import IMAGE
from tests import bicep

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no hadolint for Windows is on PyPI")
def test_hadolint_has_nothing_to_say() -> None:
    """The linter of Dockerfiles, with the shell inside them."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint
    ended = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)

    assert ended.stdout == ""
    assert ended.returncode == 0


def test_the_image_runs_the_python_the_package_is_built_for() -> None:
    """Wheels and bytecode of another version would not load."""
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert set(bases) == {f"mcr.microsoft.com/azure-functions/python:4-python{DEPLOYED}"}
    assert len(bases) == 2
    assert bicep.module("main.bicep")["parameters"]["pythonVersion"]["default"] == DEPLOYED


def test_the_image_is_not_run_as_root() -> None:
    """And so on a port that others than root may open."""
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)

    assert users == ["10001:10001"]
    assert "ASPNETCORE_URLS=http://+:8080" in DOCKERFILE
    assert "EXPOSE 8080" in DOCKERFILE


def test_the_host_is_started_as_the_base_image_starts_it() -> None:
    """
    By its own program, after the settings were fetched; and it finds the app where the package was put.

    Source: https://github.com/Azure/azure-functions-docker, host/4/bookworm/python (CMD, AzureWebJobsScriptRoot).
    """
    (entry,), (command,) = (
        re.findall(rf"^{word} (\[.*\])$", DOCKERFILE, re.MULTILINE) for word in ("ENTRYPOINT", "CMD")
    )
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)", DOCKERFILE, re.MULTILINE)
    settings = dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split())
    (folder,) = set(re.findall(r"^(?:WORKDIR |COPY --from=package /app )(\S+)$", DOCKERFILE, re.MULTILINE))

    assert json.loads(entry) == ["python3", "-m", "distributor.cli.container"]
    assert find_spec("distributor.cli.container")
    assert json.loads(command) == ["/azure-functions-host/Microsoft.Azure.WebJobs.Script.WebHost"]
    assert settings == {
        "AzureWebJobsScriptRoot": folder,
        "AzureFunctionsJobHost__Logging__Console__IsEnabled": "true",
        "ASPNETCORE_URLS": "http://+:8080",
        IMAGE: "1",
        "PYTHONPATH": f"{folder}:{folder}/{PACKAGES}",
    }


def test_its_health_is_asked_at_its_own_port() -> None:
    """Of a route that touches nothing, within the time that Docker gives it."""
    ((limit, command),) = re.findall(r"^HEALTHCHECK .*--timeout=(\d+)s .*\\\n +CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    python, _, code = json.loads(command)

    assert python == "python3"
    assert (
        code
        == f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout={int(limit) - 1})"
    )


def test_the_user_may_write_where_the_host_writes_and_nowhere_else() -> None:
    """Logs, data, its own keys and temporary files, and the metrics of the workers; the app's folder stays root's."""
    ((made, owned),) = re.findall(r"^RUN mkdir -p (.*) \\\n +&& chown -R 10001:10001 (.*)$", DOCKERFILE, re.MULTILINE)

    assert made == "/home/LogFiles /home/data /home/ASP.NET /local/sitepackages /tmp/metrics"
    assert owned == made.replace("/local/sitepackages", "/local")


def test_nothing_but_the_package_reaches_the_builder() -> None:
    """A key in a forgotten file would be in a layer permanently."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()

    assert [line for line in lines if not line.startswith("#")] == ["*", "!dist/app.zip"]
    assert re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE) == ["dist/app.zip"]


def test_the_image_sets_no_setting_of_the_service() -> None:
    """What differs between systems is not in the image."""
    assert (
        re.findall(r"\b(CHAIN_ID|RPC_URL|OPERATOR_\w+|WEBHOOK_\w+|\w+_ADDRESS|AzureWebJobsStorage)\b", DOCKERFILE) == []
    )
