"""The package as the platform gets it: the same each time, complete, and loaded by the worker that will run it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
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
from devstack.package.apps import APPS, App
from devstack.package.build import PACKAGES, build, is_dead
from devstack.package.lock import linux
from foundation.version import RELEASE
from tests.deploy.conftest import COMMIT, HERE, Built, recipe_of, sources

TELL = "from foundation.version import version; print(version())"
NOT_NEEDED = {"docopt": "num2words' command line alone imports it, and it has no wheel"}
"""What a library requires and the app does without; the load of every module proves it."""
FUNCTIONS = {
    "receive_order http /webhook",
    "receive_woocommerce_order http /webhook/woocommerce",
    "list_orders http /orders",
    "own_order_status http /shop/orders/{order_id}",
    "order_status http /orders/{order_id}",
    "order_status_of_source http /orders/{source}/{order_id}",
    "healthz http /healthz",
    "metrics http /metrics",
    "ready http /ready",
    "console http /console/{*page}",
    "distribute queue distributions",
    "settlement queue settlements",
    "distribute_poisoned queue distributions-poison",
    "settlement_poisoned queue settlements-poison",
    "sweep timer 0 * * * * *",
    "call_backs timer 20 * * * * *",
    "back_up timer 40 0 * * * *",
    "warmup warmup",
}
PAYFLOW_FUNCTIONS = {
    "bounces http /bounces",
    "mail_events http /mail-events",
    "connect http /connect/{invitation}",
    "console http /console/{*page}",
    "oauth_callback http /oauth/callback",
    "healthz http /healthz",
    "ready http /ready",
    "metrics http /metrics",
    "wake_lanes timer 0 * * * * *",
    "back_up timer 40 0 * * * *",
    "lane queue payflow-lanes",
    "lane_poisoned queue payflow-lanes-poison",
    "office http /office/{company}/{*page}",
    "office_mail queue payflow-office",
    "office_mail_poisoned queue payflow-office-poison",
}


@pytest.fixture(params=APPS)
def either(request: pytest.FixtureRequest) -> Built:
    """The package of one app after the other."""
    found: Built = request.getfixturevalue({"distributor": "built", "payflow": "built_payflow"}[request.param])
    return found


@pytest.mark.usefixtures("loading")
def test_the_worker_finds_every_function_in_the_package(either: Built) -> None:
    """With no library but those in it; what the app imports only when needed is imported as well."""
    found = package_index.functions(either.package, either.recipe.interpreter or Path(), either.recipe.app)
    expected = {"distributor": FUNCTIONS, "payflow": PAYFLOW_FUNCTIONS}[either.recipe.app.name]

    assert {package_index.described(name, trigger) for name, trigger in found.items()} == expected


def test_the_same_sources_give_the_same_bytes(either: Built, tmp_path: Path) -> None:
    """Made again from another folder at another time: a reader of the sources can check what runs."""
    again = replace(either.recipe, root=sources(tmp_path / "elsewhere", either.recipe.app, either.recipe.root))
    build(Console(io.StringIO()), again, tmp_path / "app.zip")

    assert _sha256(tmp_path / "app.zip") == _sha256(either.package)


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
@pytest.mark.parametrize("python", [each for each in PYTHONS if each != HERE])
def test_a_package_can_be_made_for_every_python_offered(python: str, app: App, tmp_path: Path) -> None:
    """By whichever Python makes it; the default one among them, which is what most people type."""
    recipe = recipe_of(app, tmp_path / "sources", python)

    build(Console(io.StringIO()), recipe, tmp_path / "app.zip")

    assert package_check.problems(tmp_path / "app.zip", recipe.lock, python, app) == []


def test_the_package_is_ready_to_run(either: Built) -> None:
    """Its own check says so, and says of another Python what does not fit."""
    other = "3.13" if HERE != "3.13" else "3.12"
    recipe = either.recipe

    assert package_check.problems(either.package, recipe.lock, HERE, recipe.app) == []
    assert f"not for Python {other} on Linux, x86-64" in str(
        package_check.problems(either.package, recipe.lock, other, recipe.app)
    )


def test_a_package_is_not_taken_for_the_other_apps(built: Built, built_payflow: Built) -> None:
    """Uploaded to the other app it would answer 404 to everything."""
    payflow = built_payflow.recipe.app

    assert f"it is the package of distributor for Python {HERE}, not of payflow for Python {HERE}" in (
        package_check.problems(built.package, payflow.lock.read_text("utf-8"), HERE, payflow)
    )
    with ZipFile(built_payflow.package) as opened:
        names = opened.namelist()
    assert [name for name in names if "web3" in name or name.startswith("distributor/")] == []


@pytest.mark.usefixtures("loading")
def test_the_package_says_which_version_it_is(either: Built, tmp_path: Path) -> None:
    """Its own code, run from the package alone: the release, and the commit it was made of."""
    with ZipFile(either.package) as opened:
        opened.extractall(tmp_path, [name for name in opened.namelist() if name.startswith("foundation/")])
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {TELL}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == f"{RELEASE}+{COMMIT}"


def test_the_package_holds_no_librarys_own_tests_nor_sources_for_compilers(either: Built) -> None:
    """A tenth of its size, fetched and unpacked by each instance that starts."""
    with ZipFile(either.package) as opened:
        libraries = [name.removeprefix(f"{PACKAGES}/") for name in opened.namelist() if name.startswith(PACKAGES)]

    assert [name for name in libraries if is_dead(name)] == []


def test_every_source_in_the_package_has_its_bytecode(either: Built) -> None:
    """The package is mounted for reading only: what has none is compiled at every start."""
    with ZipFile(either.package) as opened:
        names = set(opened.namelist())
    sourced = {name for name in names if name.endswith(".py")}
    compiled = {_source_of(name) for name in names if name.endswith(".pyc")}

    assert sourced == compiled
    assert f"{PACKAGES}/pydantic/__init__.py" in sourced


def test_no_library_in_the_package_misses_another(either: Built, tmp_path: Path) -> None:
    """What each says it requires is there in an accepted version: the lock is closed."""
    with ZipFile(either.package) as opened:
        opened.extractall(tmp_path, [name for name in opened.namelist() if ".dist-info/" in name])
    there = {canonicalize_name(each.name): each for each in distributions(path=[str(tmp_path / PACKAGES)])}

    assert [problem for each in there.values() for problem in _missing(each, there)] == []
    assert {"azure-data-tables", "pydantic"} <= there.keys()


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
        needed = wanted.name not in NOT_NEEDED and (wanted.marker is None or wanted.marker.evaluate(environment))
        if needed:
            found = there.get(canonicalize_name(wanted.name))
            if found is None or not wanted.specifier.contains(found.version, prereleases=True):
                problems.append(f"{one.name} wants {text}, found {found and found.version}")
    return problems


def _source_of(bytecode: str) -> str:
    folder, _, file = bytecode.rpartition("__pycache__/")
    return f"{folder}{file.split('.cpython-')[0]}.py"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
