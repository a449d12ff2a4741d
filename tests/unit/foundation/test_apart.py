"""The foundation and PayFlow load nothing of the distributor, and no chain library."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    importlib.import_module(module.name)
print(*sorted(sys.modules), sep="\\n")
"""
STRANGERS = ("distributor", "web3", "eth_account", "eth_abi", "coincurve")


@pytest.mark.parametrize(("package", "others"), [("foundation", ("payflow",)), ("payflow", ())])
def test_a_package_loads_nothing_it_may_not_know(package: str, others: tuple[str, ...]) -> None:
    """Whatever of it is imported, in a fresh process."""
    done = subprocess.run([sys.executable, "-c", CODE, package], capture_output=True, text=True, check=True)
    modules = done.stdout.split()

    assert f"{package}.errors" in modules
    assert [name for name in modules if name.startswith((*STRANGERS, *others))] == []
