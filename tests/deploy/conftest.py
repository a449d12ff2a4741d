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
from devstack.package.build import Recipe, build, ours
from devstack.package.lock import LOCK
from tests.deploy.az import Az
from tests.deploy.cloud import configuration

_WAY_TO_THE_REGISTRY = {
    name: value
    for name, value in os.environ.items()
    if name.startswith("PIP_") or name.lower() in {"http_proxy", "https_proxy", "no_proxy", "ssl_cert_file"}
}
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The version of this Python: the only one that is sure to be there, to compile and to load a package with."""


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
    folder = tmp_path_factory.mktemp("package")
    recipe = Recipe(
        root=sources(folder / "sources"), lock=LOCK.read_text("utf-8"), python=HERE, interpreter=Path(sys.executable)
    )
    build(Console(), recipe, folder / "app.zip")
    return Built(recipe=recipe, package=folder / "app.zip")


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


def sources(folder: Path, root: Path = paths.ROOT) -> Path:
    """Copy the app into *folder*, as a fresh clone would have it: with the dates of today."""
    for path in reversed(ours(root)):
        copied = folder / path.relative_to(root)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    return folder
