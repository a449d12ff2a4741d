"""The package as the platform gets it: the same each time, complete, and loaded by the worker that will run it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import Distribution, distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from devstack.command import PYTHONS
from devstack.console import Console, StepFailed
from devstack.package import check as package_check
from devstack.package import index as package_index
from devstack.package import run as package
from devstack.package.build import PACKAGES, Recipe, build
from devstack.package.lock import LOCK, linux
from tests.deploy.conftest import HERE, Built, sources

FUNCTIONS = {
    "receive_order http /webhook",
    "receive_woocommerce_order http /webhook/woocommerce",
    "order_status http /orders/{order_id}",
    "order_status_of_source http /orders/{source}/{order_id}",
    "healthz http /healthz",
    "metrics http /metrics",
    "ready http /ready",
    "distribute queue distributions",
    "settlement queue settlements",
    "distribute_poisoned queue distributions-poison",
    "settlement_poisoned queue settlements-poison",
    "sweep timer 0 * * * * *",
    "warmup warmup",
}


@pytest.mark.usefixtures("loading")
def test_the_worker_finds_every_function_in_the_package(built: Built) -> None:
    """With no library but those in it; what the app imports only when needed is imported as well."""
    found = package_index.functions(built.package, built.recipe.interpreter or Path())

    assert {package_index.described(name, trigger) for name, trigger in found.items()} == FUNCTIONS


def test_the_same_sources_give_the_same_bytes(built: Built, tmp_path: Path) -> None:
    """Made again from another folder at another time: whoever reads the sources can check what runs."""
    again = replace(built.recipe, root=sources(tmp_path / "elsewhere", built.recipe.root))
    build(Console(io.StringIO()), again, tmp_path / "app.zip")

    assert _sha256(tmp_path / "app.zip") == _sha256(built.package)


@pytest.mark.parametrize("python", [each for each in PYTHONS if each != HERE])
def test_a_package_can_be_made_for_every_python_offered(python: str, tmp_path: Path) -> None:
    """By whichever Python makes it; the default one among them, which is what most people type."""
    recipe = Recipe(root=sources(tmp_path / "sources"), lock=LOCK.read_text("utf-8"), python=python, interpreter=None)

    build(Console(io.StringIO()), recipe, tmp_path / "app.zip")

    assert package_check.problems(tmp_path / "app.zip", recipe.lock, python) == []


def test_the_package_is_ready_to_run(built: Built) -> None:
    """Its own check says so, and says of another Python what does not fit."""
    other = "3.13" if HERE != "3.13" else "3.12"

    assert package_check.problems(built.package, built.recipe.lock, HERE) == []
    assert f"not for Python {other} on Linux, x86-64" in str(
        package_check.problems(built.package, built.recipe.lock, other)
    )


def test_every_source_in_the_package_has_its_bytecode(built: Built) -> None:
    """The package is mounted for reading only: what has none is compiled at every start."""
    with ZipFile(built.package) as opened:
        names = set(opened.namelist())
    sourced = {name for name in names if name.endswith(".py")}
    compiled = {_source_of(name) for name in names if name.endswith(".pyc")}

    assert sourced == compiled
    assert f"{PACKAGES}/web3/__init__.py" in sourced


def test_no_library_in_the_package_misses_another(built: Built, tmp_path: Path) -> None:
    """What each says it requires is there in an accepted version: the lock is closed."""
    with ZipFile(built.package) as opened:
        opened.extractall(tmp_path, [name for name in opened.namelist() if ".dist-info/" in name])
    there = {canonicalize_name(each.name): each for each in distributions(path=[str(tmp_path / PACKAGES)])}

    assert [problem for each in there.values() for problem in _missing(each, there)] == []
    assert {"web3", "azure-data-tables", "pydantic"} <= there.keys()


def test_a_source_only_zip_is_not_let_through(built: Built, tmp_path: Path) -> None:
    """Azure would accept it and show an empty list of functions."""
    bare = tmp_path / "bare.zip"
    with ZipFile(built.package) as whole, ZipFile(bare, "w") as made:
        for name in whole.namelist():
            if not name.startswith(".python_packages/"):
                made.writestr(name, whole.read(name))

    with pytest.raises(StepFailed, match=r"site-packages is empty: nothing is built after the upload"):
        package.run(Console(io.StringIO()), python=HERE, check=bare)
    assert bare.exists()


@pytest.mark.usefixtures("loading")
def test_an_app_that_does_not_load_is_not_let_through(built: Built, tmp_path: Path) -> None:
    """A name that is not there: Azure would accept it, too, and answer 404 to every order."""
    broken = tmp_path / "broken.zip"
    with ZipFile(built.package) as whole, ZipFile(broken, "w") as made:
        for name in whole.namelist():
            if not name.startswith("__pycache__/function_app."):
                more = b"\nfrom distributor import of_this_name_there_is_none\n" if name == "function_app.py" else b""
                made.writestr(name, whole.read(name) + more)

    with pytest.raises(StepFailed, match="of_this_name_there_is_none"):
        package.run(Console(io.StringIO()), python=HERE, check=broken)


def test_a_wheel_with_another_hash_ends_the_build(built: Built, tmp_path: Path) -> None:
    """Nothing is left where the package would be."""
    tampered = replace(built.recipe, lock=_with_another_hash(built.recipe.lock, "idna"))
    out = tmp_path / "app.zip"
    out.write_bytes(b"of yesterday")

    with pytest.raises(StepFailed) as failed:
        build(Console(io.StringIO()), tampered, out)
    assert failed.value.log is not None
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in failed.value.log.read_text("utf-8")
    assert not out.exists()


def _with_another_hash(lock: str, name: str) -> str:
    """Return *lock* with *name* alone, and a hash no file has."""
    (line,) = [line for line in lock.splitlines() if line.startswith(f"{name}==")]
    return f"{line}\n    --hash=sha256:{'0' * 64}\n"


def _missing(one: Distribution, there: Mapping[NormalizedName, Distribution]) -> list[str]:
    environment = {**linux(HERE), "extra": ""}
    problems = []
    for text in one.requires or ():
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate(environment):
            found = there.get(canonicalize_name(wanted.name))
            if found is None or not wanted.specifier.contains(found.version, prereleases=True):
                problems.append(f"{one.name} wants {text}, found {found and found.version}")
    return problems


def _source_of(bytecode: str) -> str:
    folder, _, file = bytecode.rpartition("__pycache__/")
    return f"{folder}{file.split('.cpython-')[0]}.py"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
