"""
The second way: a package straight to the deployment endpoint of a Flex Consumption app.

Used where ``az functionapp deploy`` does not end well. That command sends ``application/octet-stream``
and follows the deployment as it does for every plan; the clients that know this plan send
``application/zip`` and know all its statuses.

Sources: azure-cli 2.91, appservice/custom.py, ``enable_zip_deploy_flex`` and ``_check_zip_deployment_status_flex``;
https://github.com/hashicorp/terraform-provider-azurerm/pull/31937;
https://github.com/Azure/azure-dev/issues/3658 (answers and statuses).
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from devstack.console import StepFailed

MEDIA_TYPE = "application/zip"
PUBLISH = "/api/publish?RemoteBuild=false&Deployer=devstack"
"""Built here, never there: a build on the server takes other libraries than those that were tested."""
_DEPLOYMENTS = "/api/deployments/"
_ID = re.compile(r'"?(?P<id>[\w-]+)"?')
_SUCCEEDED = 4
_ENDED_BADLY = {-1: "was cancelled", 3: "failed", 5: "met another deployment", 6: "succeeded in part only"}
_UNKNOWN_AT_FIRST = 3
"""So often a deployment may be unknown by its id, before it is looked for as the latest."""
_TIMEOUT_S = 600.0
_NEW_ROLE = "The app may not write its package yet: its role on the storage is new, and takes up to half an hour"
_LATER = (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)


class NotYet(Exception):
    """The same question may have another answer in some minutes; the message says why."""


class _UploadAgain(Exception):
    """The deployment failed by something that passes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often is looked, and for how long."""

    every_s: float = 10.0
    at_most_s: float = 1800.0
    """A new role takes up to half an hour to be known everywhere."""

    def until(self, attempt: Callable[[], None], say: Callable[[str], None]) -> None:
        """Run *attempt*, again while it raises NotYet. Raises StepFailed when the time is over."""
        ends, told = monotonic() + self.at_most_s, ""
        while True:
            try:
                attempt()
            except NotYet as why:
                if monotonic() > ends:
                    raise StepFailed(f"{why}. Gave up after {self.at_most_s:.0f} s.") from why
                if str(why) != told:
                    told = str(why)
                    say(told)
            else:
                return
            sleep(self.every_s)


class _Bearer(httpx.Auth):
    """Signs in with a token, and once more with a new one where the first is refused: it ends after an hour or so."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch, self._token = fetch, fetch()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._token = self._fetch()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request


def publish(url: str, token: Callable[[], str], package: Path, patience: Patience, say: Callable[[str], None]) -> None:
    """
    Upload *package* to the deployment host at *url*, and follow that very deployment to its end.

    Args:
        url: Of the deployment host.
        token: Fetches a token for it.
        package: The zip.
        patience: For a role that is new, and for the deployment itself.
        say: Called with why it waits.

    Raises:
        StepFailed: It was refused, it failed, or it has not ended in time.
    """
    options: dict[str, Any] = {"timeout": _TIMEOUT_S, "verify": trust(), "headers": {"Cache-Control": "no-cache"}}
    with httpx.Client(base_url=url, auth=_Bearer(token), **options) as endpoint:
        patience.until(lambda: _deploy_once(endpoint, package, patience, say), say)


def _deploy_once(endpoint: httpx.Client, package: Path, patience: Patience, say: Callable[[str], None]) -> None:
    answer = endpoint.post(PUBLISH, content=package.read_bytes(), headers={"Content-Type": MEDIA_TYPE})
    _accepted(answer)
    deployment = _Deployment(endpoint, _id(answer))
    try:
        patience.until(deployment.ended, say)
    except _UploadAgain as why:
        raise NotYet(str(why)) from why


def _signed_in(answer: httpx.Response) -> str:
    """
    Return what the host said, unless it does not know who asks (401): no time mends that. Raises StepFailed.

    Source: azure-cli 2.91, appservice/custom.py, which takes 401 of this host for "authentication failed" and fetches
    new credentials once, and 403 for "access was denied": who asks is known, and the role may be on its way.
    """
    said = f"the deployment host answers {answer.status_code}: {answer.text[:300]}"
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise StepFailed(f"Your sign-in is not taken ({said}). Sign in again: az login")
    return said


def _accepted(answer: httpx.Response) -> None:
    """Raise NotYet for what passes by itself, StepFailed for a refusal."""
    said = _signed_in(answer)
    if answer.status_code == HTTPStatus.FORBIDDEN:
        raise NotYet(f"Your role is not known there yet ({said})")
    if answer.status_code in _LATER:
        raise NotYet(f"It is busy ({said})")
    if _storage_refuses(answer.text):
        raise NotYet(_NEW_ROLE)
    if not answer.is_success:
        raise StepFailed(f"The upload was refused: {said}")


def _id(answer: httpx.Response) -> str:
    """Return the id of the deployment: the body is nothing else, in quotes. Raises StepFailed if it is not one."""
    found = _ID.fullmatch(answer.text.strip())
    if found is None:
        raise StepFailed(f"The deployment host took the upload and named no deployment: {answer.text[:300]}")
    return found["id"]


class _Deployment:
    """
    One deployment, asked for by its id: the latest may be somebody else's.

    Source: https://github.com/Azure/azure-dev, pkg/azsdk/funcapp_host_client.go: by its id it is unknown for some
    seconds, and again when the worker that did it was replaced. One that storage refused may never be known by its id,
    but is the latest (https://github.com/Azure/azure-dev/issues/4439).
    """

    def __init__(self, endpoint: httpx.Client, name: str) -> None:
        self._endpoint, self._id = endpoint, name
        self._seen, self._missed = False, 0

    def ended(self) -> None:
        """
        Return when it ended well, or was forgotten after it had begun: which version answers is asked afterwards.

        Raises:
            NotYet: It goes on.
            _UploadAgain: It failed by something that passes.
            StepFailed: It failed.
        """
        answer = self._endpoint.get(f"{_DEPLOYMENTS}{self._id}")
        _signed_in(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            if not self._seen:
                self._look_at_the_latest()
            return
        self._seen = True
        _judge(_document(answer))

    def _look_at_the_latest(self) -> None:
        self._missed += 1
        if self._missed > _UNKNOWN_AT_FIRST:
            latest = _document(self._endpoint.get(f"{_DEPLOYMENTS}latest"))
            if latest.get("id") == self._id:
                return _judge(latest)
        raise NotYet("The deployment host does not know the deployment yet")


def _judge(found: Mapping[str, Any]) -> None:
    """Return when a deployment succeeded. The HTTP status is 200 while it runs, and also when it failed."""
    status = found.get("status")
    if status in _ENDED_BADLY:
        told = str(found.get("status_text") or found.get("message") or "")
        if _storage_refuses(told):
            raise _UploadAgain(_NEW_ROLE)
        raise StepFailed(f"The deployment {_ENDED_BADLY[status]}: {told or 'the deployment log has the reason'}")
    if status != _SUCCEEDED:
        raise NotYet("The deployment goes on")


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the body, where it is an object of JSON; else nothing is known of it."""
    found: Any = answer.json() if "json" in answer.headers.get("content-type", "") else None
    return found if isinstance(found, dict) else {}


def _storage_refuses(text: str) -> bool:
    """
    Tell whether the app's own identity was refused by its storage account.

    Sources: https://github.com/Azure/azure-functions-core-tools/issues/4346 (the words);
    PowerShell Gallery, ZeroFailed.Deploy.Azure 1.8.4 (BlobUploadFailedException with 403, while a role is new).
    """
    return "403" in text and ("BlobUploadFailed" in text or "Failed to upload blob package" in text)


def trust() -> ssl.SSLContext:
    """Trust what ``az`` trusts: a company's proxy has an authority of its own."""
    return ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
