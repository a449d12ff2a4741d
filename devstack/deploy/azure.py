"""What a deployment asks the Azure command line: the app's deployment host, a token for it, the functions it lists."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack.console import StepFailed

_AZ_TIMEOUT_S = 1200
"""The command itself looks 450 times, every two seconds (azure-cli 2.91, ``_check_zip_deployment_status``)."""

_HOST = "properties.hostNameSslStates[?hostType=='Repository'].name | [0]"
_APP = "properties.defaultHostName"
"""Of a Flex Consumption app ``az functionapp show`` prints the site as it is, with its properties apart."""
_AUDIENCE = "endpoints.appServiceResourceId"
"""
Whose tokens the deployment host takes: ``https://appservice.azure.com``, and another name in other clouds.

Those of Resource Manager are taken no longer, or not for long: github.com/microsoft/vscode-azuretools/pull/2258.
``az`` itself asks for these (azure-cli 2.91, ``get_bearer_token``).
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionApp:
    """An app on the Flex Consumption plan, as the signed-in ``az`` sees it."""

    az: Sequence[str]
    """How ``az`` is started."""
    group: str
    name: str

    def deploy(self, package: Path) -> str:
        """Upload *package* by ``az functionapp deploy``; return what went wrong, nothing when it ended well."""
        ended = self._run(["deploy"], "--src-path", str(package), "--type", "zip")
        return "" if ended.returncode == 0 else _complaint(ended) or f"ended with code {ended.returncode}"

    def deployment_url(self) -> str:
        """Return the URL of the app's deployment host. Raises StepFailed."""
        host = self._told(["show"], "--query", _HOST, "--output", "tsv")
        if not host:
            raise StepFailed(f"Azure names no deployment host of {self.name}.")
        return f"https://{host}"

    def app_url(self) -> str:
        """Return where the app answers by its own name, without a slash at the end. Raises StepFailed."""
        host = self._told(["show"], "--query", _APP, "--output", "tsv")
        if not host:
            raise StepFailed(f"Azure names no host of {self.name}.")
        return f"https://{host}"

    def token(self) -> str:
        """Return a token for the deployment host, good for an hour or so. Raises StepFailed."""
        audience = _said(
            _started([*self.az, "cloud", "show", "--query", _AUDIENCE, "--output", "tsv"]), "az cloud show"
        )
        asked = ["account", "get-access-token", "--resource", audience, "--query", "accessToken", "--output", "tsv"]
        return _said(_started([*self.az, *asked]), "az account get-access-token")

    def functions(self) -> frozenset[str]:
        """Return the names of the functions Azure lists; none for a minute after an upload. Raises StepFailed."""
        listed = self._told(["function", "list"], "--query", "[].name", "--output", "tsv")
        return frozenset(name.rpartition("/")[2] for name in listed.split())

    def _told(self, command: Sequence[str], *options: str) -> str:
        return _said(self._run(command, *options), f"az functionapp {' '.join(command)}")

    def _run(self, command: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
        place = ["--resource-group", self.group, "--name", self.name]
        return _started([*self.az, "functionapp", *command, *place, *options])


def installed() -> list[str]:
    """Return how ``az`` is started on this machine. Raises StepFailed when it is not there."""
    found = shutil.which("az")
    if found is None:
        raise StepFailed("There is no `az`: https://learn.microsoft.com/cli/azure/install-azure-cli, then `az login`.")
    return [found]


def _started(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_AZ_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"did not end within {_AZ_TIMEOUT_S} s")


def _said(ended: subprocess.CompletedProcess[str], command: str) -> str:
    if ended.returncode:
        raise StepFailed(f"`{command}` ended with code {ended.returncode}: {_complaint(ended)}")
    return ended.stdout.strip()


def _complaint(ended: subprocess.CompletedProcess[str]) -> str:
    """Return what went wrong: advice may stand below it."""
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or [""])[-1]
