"""The package, deployed to a stand-in of Azure: by the real ``az``, and by the way that stands behind it."""

from __future__ import annotations

import io
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import command, paths
from devstack.console import Console, StepFailed
from devstack.deploy import run as deploy
from devstack.deploy import upload
from devstack.deploy.azure import FunctionApp
from devstack.deploy.upload import Patience
from devstack.package import index as package_index
from tests.deploy import cloud as azure
from tests.deploy.az import Az
from tests.deploy.cloud import Answer, Cloud
from tests.deploy.conftest import Built
from tests.deploy.test_packaged_app import FUNCTIONS

SIGN_IN = ("--service-principal", "--username", azure.CLIENT, "--password", azure.SECRET, "--tenant", azure.TENANT)
NAMES = [each.split()[0] for each in sorted(FUNCTIONS)]
QUICK = Patience(every_s=0.01, at_most_s=60)
BRIEF = Patience(every_s=0.01, at_most_s=0)
DIRECT = ("RemoteBuild=false&Deployer=devstack", "application/zip")
BY_AZ = ("type=zip", "application/octet-stream")
NEW_ROLE = "BlobUploadFailedException: Response status code does not indicate success: 403"


@pytest.fixture
def cloud(tmp_path: Path, built: Built) -> Iterator[Cloud]:
    """An empty app in Azure."""

    def functions(package: Path) -> package_index.Functions:
        return package_index.functions(package, built.recipe.interpreter or Path())

    with azure.cloud(tmp_path, functions) as standing:
        yield standing


@pytest.fixture
def signed_in(az: Az, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FunctionApp:
    """``az`` after ``az login``, for this process and what it starts."""
    for name, value in {**azure.configuration(tmp_path / "azure", cloud), "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    there = Az(python=az.python, environment={})
    ended = there.run("login", *SIGN_IN)
    assert ended.returncode == 0, ended.stderr
    return FunctionApp(az=[str(az.python), "-m", "azure.cli"], group=azure.GROUP, name=azure.APP)


@pytest.mark.usefixtures("loading")
def test_az_uploads_the_package_as_it_is_and_lists_its_functions(
    signed_in: FunctionApp, cloud: Cloud, built: Built
) -> None:
    """Byte for byte; the functions of the app are there by name, after the list was empty for a while."""
    cloud.lists = [[], []]
    said = io.StringIO()

    assert deploy.run(Console(said), signed_in, built.package, following=QUICK, listing=QUICK) == 0
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()
    assert cloud.publications == [BY_AZ]
    assert "Azure lists no function yet" in said.getvalue()
    assert f"has its {len(FUNCTIONS)} functions: {', '.join(NAMES)}" in said.getvalue()
    assert cloud.unknown == []


@pytest.mark.usefixtures("loading")
def test_where_az_does_not_end_well_the_package_goes_up_directly(
    signed_in: FunctionApp, cloud: Cloud, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command line the README shows: refused as az sends it, taken as the plan's own clients do."""
    cloud.octet_streams = False
    monkeypatch.setenv("PATH", f"{_az_on_path(signed_in, tmp_path)}:/usr/bin:/bin")

    assert command.main(_as_in_the_readme(built.package)) == 0
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()
    assert cloud.publications == [BY_AZ, DIRECT]
    assert cloud.unknown == []


@pytest.mark.parametrize("media_type", ["application/octet-stream", "application/x-www-form-urlencoded"])
def test_another_media_type_is_refused(
    signed_in: FunctionApp, cloud: Cloud, built: Built, monkeypatch: pytest.MonkeyPatch, media_type: str
) -> None:
    """What az sends, and what curl sends when nobody says another: the deployment fails and names it."""
    cloud.octet_streams = False
    monkeypatch.setattr(upload, "MEDIA_TYPE", media_type)

    with pytest.raises(StepFailed, match=f"refused: .*415.*{media_type}"):
        _directly(signed_in, built)
    assert not cloud.uploaded.exists()


@pytest.mark.usefixtures("loading")
def test_a_role_that_is_new_is_waited_for(signed_in: FunctionApp, cloud: Cloud, built: Built) -> None:
    """Yours at the deployment host, the app's at its storage: at the upload, and in a deployment that failed by it."""
    cloud.refusals = [Answer(403, "no"), Answer(409, "another one"), Answer(400, NEW_ROLE)]
    cloud.course = [(azure.FAILED, NEW_ROLE), (azure.BUILDING, ""), (azure.SUCCEEDED, "")]

    said = _directly(signed_in, built)

    assert cloud.publications == [DIRECT] * 5
    assert "Your role is not known there yet (the deployment host answers 403" in said
    assert "It is busy (the deployment host answers 409" in said
    assert said.count("The app may not write its package yet") == 1
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()


@pytest.mark.parametrize(
    ("status", "told"), [(-1, "was cancelled"), (3, "failed: why"), (5, "met another"), (6, "in part only")]
)
def test_a_deployment_that_ends_badly_says_how(
    signed_in: FunctionApp, cloud: Cloud, built: Built, status: int, told: str
) -> None:
    """HTTP says 200 all the time."""
    cloud.course = [(azure.BUILDING, ""), (status, "why")]

    with pytest.raises(StepFailed, match=told):
        _directly(signed_in, built)


def test_a_deployment_that_never_ends_is_given_up(signed_in: FunctionApp, cloud: Cloud, built: Built) -> None:
    """With the last thing that was seen."""
    cloud.course = [(azure.BUILDING, "")]

    with pytest.raises(StepFailed, match=r"The deployment goes on\. Gave up"):
        upload.publish(signed_in.deployment_url(), signed_in.token(), built.package, BRIEF, print)


def test_the_platforms_placeholder_is_no_function_of_the_app(
    signed_in: FunctionApp, cloud: Cloud, built: Built
) -> None:
    """A number above nought is not enough: what is missing and what is strange is named."""
    cloud.lists = [["WarmUp"]] * 1000

    with pytest.raises(StepFailed, match=r"Missing: distribute, .*; not of it: WarmUp\. Gave up"):
        deploy.run(Console(io.StringIO()), signed_in, built.package, listing=BRIEF)


@pytest.mark.usefixtures("loading")
def test_the_names_read_from_the_sources_are_those_the_worker_finds(built: Built) -> None:
    """So a Mac and a Windows can count them as well."""
    found = package_index.functions(built.package, built.recipe.interpreter or Path())

    assert deploy.functions(built.package) == found.keys()


def test_what_is_no_package_of_ours_is_not_uploaded(tmp_path: Path) -> None:
    """Before anything is asked of Azure."""
    app = FunctionApp(az=[], group="a", name="b")
    (tmp_path / "empty.zip").write_bytes(b"PK\x05\x06" + b"\0" * 18)

    with pytest.raises(StepFailed, match=r"absent\.zip cannot be read"):
        deploy.run(Console(io.StringIO()), app, tmp_path / "absent.zip")
    with pytest.raises(StepFailed, match="has no functions"):
        deploy.run(Console(io.StringIO()), app, tmp_path / "empty.zip")


@pytest.mark.parametrize("paper", ["docs/deploy.md", "docs/pt-BR/deploy.md"])
def test_by_hand_the_guides_second_way_goes_up_as_a_zip(
    signed_in: FunctionApp, cloud: Cloud, built: Built, tmp_path: Path, paper: str
) -> None:
    """As the page has it, but for the command before it."""
    cloud.octet_streams = False
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "app.zip").write_bytes(built.package.read_bytes())
    path = f"{_az_on_path(signed_in, tmp_path)}:/usr/bin:/bin"
    text = (paths.ROOT / paper).read_text("utf-8")
    (block,) = [
        found
        for found in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if "curl" in found and "/api/publish" in found
    ]
    _, _, second = block.partition("--type zip\n")
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", second],
        env={
            **os.environ,
            "PATH": path,
            "GROUP": azure.GROUP,
            "APP": azure.APP,
            "CURL_CA_BUNDLE": str(cloud.authority),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert cloud.publications == [("RemoteBuild=false", "application/zip")]
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()


def test_the_workflow_and_the_guides_deploy_this_way() -> None:
    """Nobody relies on the one command alone."""
    for paper in (
        "docs/deploy.md",
        "docs/pt-BR/deploy.md",
        "README.md",
        "README.pt-BR.md",
        ".github/workflows/deploy.yml",
    ):
        text = (paths.ROOT / paper).read_text("utf-8")
        assert re.search(r"python3 -m devstack deploy --resource-group \S+ --name \S+", text), paper


def _az_on_path(app: FunctionApp, folder: Path) -> Path:
    """Make an ``az`` that a shell finds, and return its folder."""
    shim = folder / "bin" / "az"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {" ".join(app.az)} "$@"\n')
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    return shim.parent


def _directly(app: FunctionApp, built: Built) -> str:
    said: list[str] = []
    upload.publish(app.deployment_url(), app.token(), built.package, QUICK, said.append)
    return "\n".join(said)


def _as_in_the_readme(package: Path) -> list[str]:
    """Return the README's command line, with what the reader puts in."""
    text = (paths.ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"^python3 -m devstack (deploy .*)$", text, re.MULTILINE)
    places = {"GROUP": azure.GROUP, "APP": azure.APP}
    return [*(places.get(word, word) for word in shown.split()), "--package", str(package)]
