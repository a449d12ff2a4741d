"""
The settings of a deployed app, read with the Azure CLI of the person who is signed in to it.

References to a vault stay references: they are resolved by this process, with that person's own access.
The app's storage is reached with that person's identity where the app uses its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping

from distributor.cli.language import _
from foundation.errors import ConfigurationError

TIMEOUT_S = 60
_LEFT_OUT = frozenset({"WEBSITE_RUN_FROM_PACKAGE", "PYTHONPATH", "PATH"})
"""What belongs to the app's machine and not to the service."""
_IDENTITY = ("__credential", "__clientId")
"""How the app signs in to its storage: as itself. A person signs in as a person."""


def deployed_settings(app: str) -> Mapping[str, str]:
    """
    Return the settings of ``GROUP/NAME``, on top of this environment, which knows who is signed in.

    Raises:
        ConfigurationError: There is no Azure CLI, nobody is signed in to it, or there is no such app.
    """
    group, slash, name = app.partition("/")
    if not (group and slash and name):
        raise ConfigurationError(_("--app is GROUP/NAME: the resource group, and the function app in it."))
    program = shutil.which("az")
    if program is None:
        raise ConfigurationError(_("There is no Azure CLI here (`az`): the top of the runbook says how to connect."))
    command = [program, "functionapp", "config", "appsettings", "list", "-g", group, "-n", name, "-o", "json"]
    found = _asked(command)
    kept = {key: value for key, value in found.items() if key not in _LEFT_OUT and not key.endswith(_IDENTITY)}
    return {**os.environ, **kept}


def _asked(command: list[str]) -> Mapping[str, str]:
    try:
        answer = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)  # noqa: S603 -- az, by its path
        return {str(each["name"]): str(each["value"]) for each in json.loads(answer.stdout)}
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise ConfigurationError(_("az: {error}").format(error=said[-1] if said else error.returncode)) from None
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(_("az: {error}").format(error=type(error).__name__)) from None
