"""
The start of a container: fetch the settings from the vault, then become the Functions host.

``python3 -m distributor.cli.container COMMAND…`` needs KEYVAULT_URI, and an identity that may read that vault.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from distributor.adapters.vault_settings import load_from_vault
from distributor.cli.context import NOT_CONFIGURED
from foundation.clock import system_clock
from foundation.errors import ConfigurationError
from foundation.secrets.key_vault import KeyVaultSecrets
from foundation.secrets.sign_in import azure_credential

_PATH = "PYTHONPATH"
_LIBRARIES = ".python_packages/lib/site-packages"
"""
The package's libraries. The worker looks for them only where CONTAINER_NAME or WEBSITE_INSTANCE_ID is set: in Azure,
and not in a plain container. Source: https://github.com/Azure/azure-functions-python-worker, workers/worker.py.
"""


def main(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Become *command* with the settings of the vault; return only when they cannot be had."""
    try:
        settings = asyncio.run(_settings(environ))
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the container's log is all there is to look at
        return NOT_CONFIGURED
    sys.stdout.flush()
    return os.execvpe(command[0], list(command), settings)  # noqa: S606 -- the image names the host; no shell wanted


async def _settings(environ: Mapping[str, str]) -> dict[str, str]:
    secrets = KeyVaultSecrets(environ, sign_in=azure_credential, clock=system_clock)
    try:
        settings = await load_from_vault(environ, secrets)
    finally:
        await secrets.aclose()
    return _with_path(settings)


def _with_path(settings: Mapping[str, str]) -> dict[str, str]:
    """Leave the libraries alone on the path: the host's worker finds the app by itself, and must not find it twice."""
    kept = [folder for folder in settings.get(_PATH, "").split(os.pathsep) if folder.endswith(_LIBRARIES)]
    others = {name: value for name, value in settings.items() if name != _PATH}
    return {**others, _PATH: os.pathsep.join(kept)} if kept else others


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
