"""The package, deployed to a stand-in of Azure: by the real ``az``, and by the way behind it."""

from __future__ import annotations

import io
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from devstack import command, paths
from devstack.console import Console, StepFailed
from devstack.deploy import run as deploy
from devstack.deploy import upload
from devstack.deploy.arrival import arrived
from devstack.deploy.azure import FunctionApp
from devstack.deploy.upload import NotYet, Patience
from devstack.package import index as package_index
from foundation.version import RELEASE
from tests.deploy import cloud as azure
from tests.deploy.az import Az
from tests.deploy.cloud import Answer, Cloud
from tests.deploy.conftest import COMMIT, Built
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


@pytest.fixture
def trusted(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The same, reached without ``az``: its authority is trusted, and one token is there."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.authority))
    cloud.tokens["good"] = azure.APP_SERVICE
    return cloud


@pytest.mark.usefixtures("loading")
def test_az_uploads_the_package_as_it_is_and_lists_its_functions(
    signed_in: FunctionApp, cloud: Cloud, built: Built
) -> None:
    """Byte for byte; its functions are there by name, after the list was empty, its version after another one was."""
    cloud.lists, cloud.before = [[]], ["0.0.9+0a0a0a0a0a0a"] * 2
    said = io.StringIO()

    assert deploy.run(Console(said), signed_in, built.package, following=QUICK, listing=QUICK) == 0
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()
    assert cloud.publications == [BY_AZ]
    assert "Azure lists no function yet" in said.getvalue()
    assert f"has its {len(FUNCTIONS)} functions: {', '.join(NAMES)}" in said.getvalue()
    assert f"still answers with version 0.0.9+0a0a0a0a0a0a; the package that was sent is {RELEASE}+" in said.getvalue()
    assert f"{azure.APP} answers with version {RELEASE}+{COMMIT}\n" in said.getvalue()
    assert cloud.unknown == []


def test_an_update_that_did_not_arrive_is_no_deployment(trusted: Cloud, built: Built) -> None:
    """Its functions have the same names, and the upload ended well: only the version tells."""
    trusted.before = ["0.0.9+0a0a0a0a0a0a", "..."]
    _directly(trusted, built)

    with pytest.raises(StepFailed, match=rf"answers with version 0\.0\.9\+0a.* sent is {RELEASE}\+{COMMIT}\. Gave up"):
        BRIEF.until(lambda: arrived(trusted.url, deploy.version(built.package)), print)
    trusted.before.clear()
    BRIEF.until(lambda: arrived(trusted.url, deploy.version(built.package)), print)


@pytest.mark.parametrize(
    ("port", "closed", "told"),
    [
        (0, True, r"answers 403 and names no version\. Is it closed to this machine\? Say --url"),
        (0, False, r"/healthz answers 404 and names no version$"),
        (1, False, r"https://127\.0\.0\.1:1/healthz does not answer: "),
    ],
)
def test_an_app_that_names_no_version_is_waited_for(trusted: Cloud, *, port: int, closed: bool, told: str) -> None:
    """Closed to this machine, empty, or away; what to do is in the words."""
    trusted.closed = closed

    with pytest.raises(NotYet, match=told):
        arrived(f"https://127.0.0.1:{port or trusted.port}", "0.1.0+0a0a0a0a0a0a")


def test_a_package_that_says_no_version_is_not_uploaded(tmp_path: Path) -> None:
    """Nobody could tell whether it arrived."""
    handler = "distributor/functions/health.py"
    with ZipFile(tmp_path / "old.zip", "w") as package:
        package.writestr(handler, '@blueprint.function_name("healthz")\n')

    with pytest.raises(StepFailed, match=r"old\.zip says no version"):
        deploy.run(Console(io.StringIO()), FunctionApp(az=[], group="a", name="b"), tmp_path / "old.zip")


@pytest.mark.usefixtures("loading")
def test_where_az_does_not_end_well_the_package_goes_up_directly(
    signed_in: FunctionApp, cloud: Cloud, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the README's command line: refused as az sends it, taken as the plan's clients do; asked at its gateway."""
    cloud.octet_streams, cloud.closed = False, True
    monkeypatch.setenv("PATH", f"{_az_on_path(signed_in, tmp_path)}:/usr/bin:/bin")

    gateway = f"https://localhost:{cloud.port}/"

    assert command.main([*_as_in_the_readme(built.package), "--url", gateway]) == 0
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()
    assert cloud.publications == [BY_AZ, DIRECT]
    assert cloud.unknown == []


@pytest.mark.parametrize("media_type", ["application/octet-stream", "application/x-www-form-urlencoded"])
def test_another_media_type_is_refused(
    trusted: Cloud, built: Built, monkeypatch: pytest.MonkeyPatch, media_type: str
) -> None:
    """What az sends, and what curl sends when nobody says another: the deployment fails and names it."""
    trusted.octet_streams = False
    monkeypatch.setattr(upload, "MEDIA_TYPE", media_type)

    with pytest.raises(StepFailed, match=f"refused: .*415.*{media_type}"):
        _directly(trusted, built)
    assert not trusted.uploaded.exists()


@pytest.mark.usefixtures("loading")
def test_a_role_that_is_new_is_waited_for(trusted: Cloud, built: Built) -> None:
    """Yours at the deployment host, the app's at its storage: at the upload, and in a deployment that failed by it."""
    trusted.refusals = [Answer(403, "no"), Answer(409, "another one"), Answer(400, NEW_ROLE)]
    trusted.course = [(azure.FAILED, NEW_ROLE), (azure.BUILDING, ""), (azure.SUCCEEDED, "")]

    said = _directly(trusted, built)

    assert trusted.publications == [DIRECT] * 5
    assert "Your role is not known there yet (the deployment host answers 403" in said
    assert "It is busy (the deployment host answers 409" in said
    assert said.count("The app may not write its package yet") == 1
    assert trusted.uploaded.read_bytes() == built.package.read_bytes()


def test_a_sign_in_that_is_not_taken_is_not_waited_for(trusted: Cloud, built: Built) -> None:
    """A token that ended is fetched anew, once; 401 to a new one too is no new role, which would be 403."""
    tokens = ["of yesterday", "good"]
    upload.publish(trusted.url, lambda: tokens.pop(0), built.package, QUICK, print)
    assert trusted.uploaded.read_bytes() == built.package.read_bytes()
    assert tokens == []

    trusted.uploaded.unlink()
    with pytest.raises(StepFailed, match=r"Your sign-in is not taken \(the deployment host answers 401: .*az login"):
        upload.publish(trusted.url, lambda: "of yesterday", built.package, QUICK, print)
    assert not trusted.uploaded.exists()


def test_a_token_of_another_audience_is_not_taken(trusted: Cloud, built: Built) -> None:
    """Those of Resource Manager are deprecated at the deployment host."""
    trusted.tokens["of the manager"] = trusted.url

    with pytest.raises(StepFailed, match="Your sign-in is not taken"):
        upload.publish(trusted.url, lambda: "of the manager", built.package, QUICK, print)


def test_somebody_elses_deployment_is_not_taken_for_ours(trusted: Cloud, built: Built) -> None:
    """The latest succeeded and ours failed; or ours is never known, and then nothing is taken for it."""
    trusted.overtaken, trusted.course = True, [(azure.BUILDING, ""), (azure.FAILED, "why")]
    with pytest.raises(StepFailed, match="The deployment failed: why"):
        _directly(trusted, built)

    trusted.unknown_for, a_while = 1000, Patience(every_s=0.01, at_most_s=2)
    with pytest.raises(StepFailed, match=r"does not know the deployment yet\. Gave up"):
        upload.publish(trusted.url, lambda: "good", built.package, a_while, print)


def test_a_deployment_that_is_known_as_the_latest_alone_is_followed_there(trusted: Cloud, built: Built) -> None:
    """As one is that storage refused: it is uploaded again once the role is known."""
    trusted.unknown_for = 1000
    trusted.course = [(azure.FAILED, NEW_ROLE), (azure.BUILDING, ""), (azure.SUCCEEDED, "")]

    assert "The app may not write its package yet" in _directly(trusted, built)
    assert trusted.publications == [DIRECT] * 2


def test_a_deployment_that_is_forgotten_after_it_began_is_judged_by_the_version(trusted: Cloud, built: Built) -> None:
    """The worker that did it was replaced, as a deployment does."""
    trusted.known_for, trusted.course = 1, [(azure.BUILDING, "")]

    _directly(trusted, built)

    assert trusted.uploaded.read_bytes() == built.package.read_bytes()


def test_an_upload_that_names_no_deployment_is_not_followed(trusted: Cloud, built: Built) -> None:
    """There would be nothing to ask for."""
    trusted.refusals = [Answer(202, {"accepted": True})]

    with pytest.raises(StepFailed, match=r"took the upload and named no deployment: .*accepted"):
        _directly(trusted, built)


@pytest.mark.parametrize(
    ("status", "told"), [(-1, "was cancelled"), (3, "failed: why"), (5, "met another"), (6, "in part only")]
)
def test_a_deployment_that_ends_badly_says_how(trusted: Cloud, built: Built, status: int, told: str) -> None:
    """HTTP says 200 all the time."""
    trusted.course = [(azure.BUILDING, ""), (status, "why")]

    with pytest.raises(StepFailed, match=told):
        _directly(trusted, built)


def test_a_deployment_that_never_ends_is_given_up(trusted: Cloud, built: Built) -> None:
    """With the last thing that was seen."""
    trusted.unknown_for, trusted.course = 0, [(azure.BUILDING, "")]

    with pytest.raises(StepFailed, match=r"The deployment goes on\. Gave up"):
        upload.publish(trusted.url, lambda: "good", built.package, BRIEF, print)


def test_the_platforms_placeholder_is_no_function_of_the_app(
    signed_in: FunctionApp, cloud: Cloud, built: Built
) -> None:
    """A number above nought is not enough: what is missing and what is strange is named."""
    cloud.lists = [["WarmUp"]] * 1000

    with pytest.raises(StepFailed, match=r"Missing: back_up, call_backs, console, .*; not of it: WarmUp\. Gave up"):
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


def test_by_hand_the_guides_second_way_goes_up_as_a_zip(
    signed_in: FunctionApp, cloud: Cloud, built: Built, tmp_path: Path
) -> None:
    """As the page has it (in both languages), but for the command before it; and what a domain of one's own needs."""
    cloud.octet_streams = False
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "app.zip").write_bytes(built.package.read_bytes())
    text = (paths.ROOT / "docs" / "deploy.md").read_text("utf-8")
    (block,) = [found for found in _shell(text) if "curl" in found and "/api/publish" in found]
    (domain,) = re.findall(r"^az functionapp show .*customDomainVerificationId.*$", text, re.MULTILINE)
    typed = {"GROUP": azure.GROUP, "APP": azure.APP, "WEBHOOK_URL": f"{cloud.url}/webhook"}
    path = f"{_az_on_path(signed_in, tmp_path)}:/usr/bin:/bin"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.partition("--type zip\n")[2] + domain],
        env={**os.environ, **typed, "PATH": path, "CURL_CA_BUNDLE": str(cloud.authority)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert cloud.publications == [("RemoteBuild=false", "application/zip")]
    assert cloud.uploaded.read_bytes() == built.package.read_bytes()
    assert f"X-Version: {RELEASE}+{COMMIT}" in ended.stdout
    assert ended.stdout.split()[-2:] == [f"127.0.0.1:{cloud.port}", "0A1B"]


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


def _shell(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _az_on_path(app: FunctionApp, folder: Path) -> Path:
    """Make an ``az`` that a shell finds, and return its folder."""
    shim = folder / "bin" / "az"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {" ".join(app.az)} "$@"\n')
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    return shim.parent


def _directly(there: Cloud, built: Built) -> str:
    said: list[str] = []
    upload.publish(there.url, lambda: "good", built.package, QUICK, said.append)
    return "\n".join(said)


def _as_in_the_readme(package: Path) -> list[str]:
    """Return the README's command line, with what the reader puts in."""
    text = (paths.ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"^python3 -m devstack (deploy .*)$", text, re.MULTILINE)
    places = {"GROUP": azure.GROUP, "APP": azure.APP}
    return [*(places.get(word, word) for word in shown.split()), "--package", str(package)]
