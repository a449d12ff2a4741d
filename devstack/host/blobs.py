"""
The little that the host keeps in blobs: a lease that makes it the only one to run timers, and when they ran.

The Blob service's own protocol, signed with the account's key; a client library would be one more
package for six calls. Source: learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from devstack.host.config import BadHostConfig
from foundation.shared_key import shared_key

_VERSION = "2021-12-02"
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Blobs:
    """One container of a storage account."""

    def __init__(self, connection: str, container: str) -> None:
        parts = dict(re.findall(r"([^=;]+)=([^;]*)", connection))
        if not {"AccountName", "AccountKey"} <= parts.keys():
            raise BadHostConfig("the storage connection string has no account name or key")
        self._account, self._key = parts["AccountName"], parts["AccountKey"]
        suffix = parts.get("EndpointSuffix", "core.windows.net")
        self._url = parts.get("BlobEndpoint", f"https://{self._account}.blob.{suffix}").rstrip("/")
        self._container = container
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ensure(self) -> None:
        """Make the container if it is not there; the first thing this host asks of its storage."""
        await self._ask("PUT", "", "restype=container", good={HTTPStatus.CREATED, HTTPStatus.CONFLICT})

    async def read(self, name: str) -> bytes | None:
        """Return a blob's bytes; None if there is no such blob."""
        status, body, _ = await self._ask("GET", name, good={HTTPStatus.OK, HTTPStatus.NOT_FOUND})
        return body if status == HTTPStatus.OK else None

    async def write(self, name: str, body: bytes) -> None:
        await self._ask("PUT", name, headers={"x-ms-blob-type": "BlockBlob"}, body=body, good={HTTPStatus.CREATED})

    async def make(self, name: str) -> None:
        """Make an empty blob unless it is there, leased or not."""
        headers = {"x-ms-blob-type": "BlockBlob", "If-None-Match": "*"}
        good = {HTTPStatus.CREATED, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}
        await self._ask("PUT", name, headers=headers, good=good)

    async def lease(self, name: str, seconds: int) -> str | None:
        """Take the lease of a blob; None if another host has it."""
        headers = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": str(seconds)}
        good = {HTTPStatus.CREATED, HTTPStatus.CONFLICT}
        status, _, answered = await self._ask("PUT", name, "comp=lease", headers=headers, good=good)
        return answered["x-ms-lease-id"] if status == HTTPStatus.CREATED else None

    async def renew(self, name: str, lease: str) -> None:
        headers = {"x-ms-lease-action": "renew", "x-ms-lease-id": lease}
        await self._ask("PUT", name, "comp=lease", headers=headers, good={HTTPStatus.OK})

    async def release(self, name: str, lease: str) -> None:
        headers = {"x-ms-lease-action": "release", "x-ms-lease-id": lease}
        await self._ask("PUT", name, "comp=lease", headers=headers, good={HTTPStatus.OK, HTTPStatus.CONFLICT})

    async def _ask(
        self,
        method: str,
        name: str,
        query: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        good: set[HTTPStatus],
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Send one signed request. Raises HttpResponseError for another status, ServiceRequestError for no answer."""
        url = "/".join(filter(None, (self._url, self._container, quote(name))))
        sent = {**(headers or {}), "x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION}
        asked = f"{url}?{query}" if query else url
        sent["Authorization"] = shared_key(self._account, self._key, method, asked, sent, length=len(body))
        try:
            async with self._session.request(
                method, asked, headers=sent, data=body, skip_auto_headers={"Content-Type"}
            ) as answer:
                got = answer.status, await answer.read(), answer.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as why:
            raise ServiceRequestError(f"blob storage does not answer: {why}") from why
        if got[0] not in good:
            error = HttpResponseError(f"blob storage answered {got[0]}: {got[1][:200]!r}")
            error.status_code = got[0]
            raise error
        return got
