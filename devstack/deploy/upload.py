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
import ssl
from collections.abc import Callable
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
LATEST = "/api/deployments/latest"
_SUCCEEDED = 4
_ENDED_BADLY = {-1: "was cancelled", 3: "failed", 5: "met another deployment", 6: "succeeded in part only"}
_TIMEOUT_S = 600.0
_NEW_ROLE = "The app may not write its package yet: its role on the storage is new, and takes up to half an hour"
_NO_RIGHTS_YET = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
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


def publish(url: str, token: str, package: Path, patience: Patience, say: Callable[[str], None]) -> None:
    """
    Upload *package* to the deployment host at *url*, and follow it to its end.

    Raises:
        StepFailed: It was refused, it failed, or it has not ended in time.
    """
    headers = {"Authorization": f"Bearer {token}", "Cache-Control": "no-cache"}
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, verify=_trust()) as endpoint:
        patience.until(lambda: _deploy_once(endpoint, package, patience, say), say)


def _deploy_once(endpoint: httpx.Client, package: Path, patience: Patience, say: Callable[[str], None]) -> None:
    with package.open("rb") as content:
        answer = endpoint.post(PUBLISH, content=content.read(), headers={"Content-Type": MEDIA_TYPE})
    _accepted(answer)
    try:
        patience.until(lambda: _ended(endpoint), say)
    except _UploadAgain as why:
        raise NotYet(str(why)) from why


def _accepted(answer: httpx.Response) -> None:
    """Raise NotYet for what passes by itself, StepFailed for a refusal."""
    said = f"the deployment host answers {answer.status_code}: {answer.text[:300]}"
    if answer.status_code in _NO_RIGHTS_YET:
        raise NotYet(f"Your role is not known there yet ({said})")
    if answer.status_code in _LATER:
        raise NotYet(f"It is busy ({said})")
    if _storage_refuses(answer.text):
        raise NotYet(_NEW_ROLE)
    if not answer.is_success:
        raise StepFailed(f"The upload was refused: {said}")


def _ended(endpoint: httpx.Client) -> None:
    """Return when the deployment succeeded. The HTTP status is 200 while it runs, and also when it failed."""
    answer = endpoint.get(LATEST)
    found: Any = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    status = found.get("status") if isinstance(found, dict) else None
    if status in _ENDED_BADLY:
        told = str(found.get("status_text") or found.get("message") or "")
        if _storage_refuses(told):
            raise _UploadAgain(_NEW_ROLE)
        raise StepFailed(f"The deployment {_ENDED_BADLY[status]}: {told or 'the deployment log has the reason'}")
    if status != _SUCCEEDED:
        raise NotYet("The deployment goes on")


def _storage_refuses(text: str) -> bool:
    """
    Tell whether the app's own identity was refused by its storage account.

    Sources: https://github.com/Azure/azure-functions-core-tools/issues/4346 (the words);
    PowerShell Gallery, ZeroFailed.Deploy.Azure 1.8.4 (BlobUploadFailedException with 403, while a role is new).
    """
    return "403" in text and ("BlobUploadFailed" in text or "Failed to upload blob package" in text)


def _trust() -> ssl.SSLContext:
    """Trust what ``az`` trusts: a company's proxy has an authority of its own."""
    return ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
