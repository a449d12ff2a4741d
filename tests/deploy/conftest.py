"""The package of this app and the real ``az``, each made once for all tests that look at it or deploy with it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack import paths, setup
from devstack.console import Console, StepFailed
from devstack.package import index as package_index
from devstack.package.apps import DISTRIBUTOR, PAYFLOW, App
from devstack.package.build import Recipe, build
from tests.deploy.az import Az
from tests.deploy.cloud import configuration

_WAY_TO_THE_REGISTRY = {
    name: value
    for name, value in os.environ.items()
    if name.startswith("PIP_") or name.lower() in {"http_proxy", "https_proxy", "no_proxy", "ssl_cert_file"}
}
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The version of this Python: the only one that is sure to be there, to compile and to load a package with."""


COMMIT = "0123456789ab"
WHERE = "the package is loaded on Linux, x86-64"


@dataclass(frozen=True, kw_only=True)
class Built:
    """A package, and the sources it was made of."""

    recipe: Recipe
    package: Path


@pytest.fixture(autouse=True)
def _registry(_clean_environ: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip find its registry where this machine says it is, in a test as outside."""
    for name, value in _WAY_TO_THE_REGISTRY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The package for the version of this Python."""
    return _built(DISTRIBUTOR, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def built_payflow(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """PayFlow's package for the version of this Python."""
    return _built(PAYFLOW, tmp_path_factory.mktemp("payflow"))


def recipe_of(app: App, folder: Path, python: str = HERE, interpreter: Path | None = None) -> Recipe:
    """Return what the package of *app* is made of, its sources copied into *folder*."""
    return Recipe(
        app=app,
        root=sources(folder, app),
        lock=app.lock.read_text("utf-8"),
        commit=COMMIT,
        python=python,
        interpreter=interpreter,
    )


def _built(app: App, folder: Path) -> Built:
    recipe = recipe_of(app, folder / "sources", interpreter=Path(sys.executable))
    build(Console(), recipe, folder / app.out.name)
    return Built(recipe=recipe, package=folder / app.out.name)


@pytest.fixture
def loading() -> None:
    """The package is for Linux, x86-64: another desk may skip what loads it; the build may not."""
    if not package_index.loadable():
        pytest.fail(WHERE) if os.environ.get("CI") else pytest.skip(WHERE)


@pytest.fixture(scope="session")
def az(tmp_path_factory: pytest.TempPathFactory) -> Az:
    """The real command line, signed in nowhere; installed at the first use."""
    try:
        python = setup.prepare_azure_cli(Console())
    except StepFailed as failed:
        pytest.fail(str(failed)) if os.environ.get("CI") else pytest.skip(str(failed))
    return Az(python=python, environment=configuration(tmp_path_factory.mktemp("azure")))


def sources(folder: Path, app: App, root: Path = paths.ROOT) -> Path:
    """Copy the app into *folder*, as a fresh clone would have it: with the dates of today."""
    for path in reversed(app.sources(root).values()):
        copied = folder / path.relative_to(root)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    return folder
