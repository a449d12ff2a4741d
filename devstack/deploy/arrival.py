"""
Does the app answer with the version that was sent?

Lists of functions do not tell: an update has the same names. That a deployment ends well, and the app goes on with the
old package, is known of this plan (https://github.com/microsoft/azure-pipelines-tasks/issues/22316).
"""

from __future__ import annotations

from http import HTTPStatus

import httpx

from devstack.deploy.upload import NotYet, trust

HEADER = "X-Version"
PATH = "/healthz"
_TIMEOUT_S = 60.0
"""A first instance takes its time."""


def arrived(url: str, version: str) -> None:
    """
    Return when the app at *url* answers with *version*, which every one of its answers names.

    Raises:
        NotYet: It answers with another, or not at all.
    """
    try:
        answer = httpx.get(f"{url}{PATH}", timeout=_TIMEOUT_S, verify=trust())
    except httpx.TransportError as why:
        raise NotYet(f"{url}{PATH} does not answer: {why}") from why
    there = answer.headers.get(HEADER, "")
    if there == version:
        return
    if there:
        raise NotYet(f"{url} still answers with version {there}; the package that was sent is {version}")
    raise NotYet(f"{url}{PATH} answers {answer.status_code} and names no version{_perhaps(answer.status_code)}")


def _perhaps(status: int) -> str:
    """An app behind a gateway of its own may take nothing from elsewhere."""
    return (
        ". Is it closed to this machine? Say --url HTTPS://WHERE-IT-ANSWERS" if status == HTTPStatus.FORBIDDEN else ""
    )
