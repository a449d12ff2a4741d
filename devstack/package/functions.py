"""
Lists the functions of an unpacked package as the worker indexes them, as JSON.

Runs where nothing is installed but the package's own libraries, and beside a copy of these few
modules, so that nothing of the repository can stand in for something the package lacks.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import sys
from pathlib import Path


def main(app: Path, packages: Path, runtime: Path, *folders: str) -> None:
    """
    Print the trigger of each function of *app*, by the function's name; raises what keeps the app from loading.

    What the app imports only when it is needed (the chain, the vault) is imported as well: every module of *folders*.
    """
    sys.path.insert(0, str(packages))
    from devstack.host.worker import start

    worker = asyncio.run(start(app, runtime))
    for package in folders:
        for module in pkgutil.walk_packages([str(app / package)], f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    print(json.dumps({function.name: dict(function.trigger) for function in worker.functions}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
