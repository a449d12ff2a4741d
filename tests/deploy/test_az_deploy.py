"""The package, deployed by the real ``az`` to a stand-in of Azure, with the command line the README shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.package import index as package_index
from tests.deploy import cloud as azure
from tests.deploy import papers
from tests.deploy.az import Az
from tests.deploy.cloud import Cloud
from tests.deploy.conftest import Built
from tests.deploy.test_packaged_app import FUNCTIONS

SIGN_IN = ("--service-principal", "--username", azure.CLIENT, "--password", azure.SECRET, "--tenant", azure.TENANT)


@pytest.fixture
def cloud(tmp_path: Path, built: Built) -> Iterator[Cloud]:
    """An empty app in Azure."""

    def functions(package: Path) -> package_index.Functions:
        return package_index.functions(package, built.recipe.interpreter or Path())

    with azure.cloud(tmp_path, functions) as standing:
        yield standing


@pytest.fixture
def signed_in(az: Az, cloud: Cloud, tmp_path: Path) -> Az:
    """``az`` after ``az login``."""
    there = Az(python=az.python, environment=azure.configuration(tmp_path / "azure", cloud))
    ended = there.run("login", *SIGN_IN)
    assert ended.returncode == 0, ended.stderr
    return there


@pytest.mark.usefixtures("loading")
def test_az_uploads_the_package_as_it_is_and_lists_its_functions(signed_in: Az, cloud: Cloud, built: Built) -> None:
    """Byte for byte; what is there afterwards are the functions of the app."""
    deployed = signed_in.run(*_as_in_the_readme(built.package))
    listed = signed_in.run(
        "functionapp", "function", "list", "-g", azure.GROUP, "-n", azure.APP, "--query", "length(@)", "-o", "tsv"
    )

    assert deployed.returncode == 0, deployed.stderr
    assert "Deployment has completed successfully" in deployed.stderr
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()
    assert [asked for asked in cloud.asked if "/api/publish" in asked] == ["POST /api/publish?type=zip"]
    assert (listed.returncode, listed.stdout.strip()) == (0, str(len(FUNCTIONS))), listed.stderr
    assert cloud.unknown == []


def _as_in_the_readme(package: Path) -> list[str]:
    """Return the README's command line, with what the reader puts in."""
    (shown,) = [
        line for line in papers.lines() if line.paper == "README.md" and line.arguments[:2] == ("functionapp", "deploy")
    ]
    places = {"GROUP": azure.GROUP, "APP": azure.APP, "dist/app.zip": str(package)}
    return [places.get(argument, argument) for argument in shown.arguments]
