"""
A container of blobs: what is kept for long, written once and read from its beginning to its end.

The service's own protocol over the HTTP client that the tables use already, as for the queues. A blob is written in
blocks and appears whole, with the last call, or not at all: a writer that is interrupted leaves the previous blob.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import unescape

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError

from foundation.clock import Sleep
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.secrets.sign_in import azure_credential
from foundation.settings.storage import Storage
from foundation.storage_account import ServiceAccount, account_of

CALL_S_MAX: Final = 60
"""Of one call: four megabytes over a slow line."""
TRIES: Final = 4
PAUSES_S: Final = (1.0, 4.0, 15.0)
"""Between the tries of one call: no shop waits for a backup."""
BLOCK_BYTES: Final = 4 * 2**20
"""What is in memory of a blob, once."""
_LISTED_MAX: Final = 1_000
_NAME: Final = re.compile(r"<Name>([^<]*)</Name>")
_MARKER: Final = re.compile(r"<NextMarker>([^<]+)</NextMarker>")
_BUSY: Final = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.TOO_MANY_REQUESTS})
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    status: int
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Blobs:
    """
    The blobs of one container; the container is made at the first write. Names are letters, digits and ``._-/``.

    Each call raises StoreUnavailable if the service does not do it in four tries, and ConfigurationError if it refuses
    the sign-in.
    """

    account: ServiceAccount
    container: str
    sleep: Sleep = asyncio.sleep
    _session: aiohttp.ClientSession = field(default_factory=aiohttp.ClientSession, repr=False)

    async def write(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a blob of any size; it is there once all *chunks* are, in the place of one that was there before."""
        await self._make_container()
        ids, block = list[str](), bytearray()
        async for chunk in chunks:
            block += chunk
            while len(block) >= BLOCK_BYTES:
                ids.append(await self._block(name, len(ids), bytes(block[:BLOCK_BYTES])))
                del block[:BLOCK_BYTES]
        if block:
            ids.append(await self._block(name, len(ids), bytes(block)))
        listed = "".join(f"<Latest>{each}</Latest>" for each in ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        answer = await self._ask("PUT", f"{name}?comp=blocklist", body)
        _expect(answer, HTTPStatus.CREATED)

    async def put(self, name: str, body: bytes) -> None:
        """Write a small blob at once."""
        await self._make_container()
        answer = await self._ask("PUT", name, body, {"x-ms-blob-type": "BlockBlob"})
        _expect(answer, HTTPStatus.CREATED)

    async def get(self, name: str) -> bytes | None:
        """Return a small blob, or None."""
        answer = await self._ask("GET", name)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        _expect(answer, HTTPStatus.OK)
        return answer.body

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """Yield a blob piece by piece. A piece that does not come is asked for again, where the blob is unchanged."""
        size, etag = await self._properties(name)
        for first in range(0, size, BLOCK_BYTES):
            wanted = min(BLOCK_BYTES, size - first)
            only = {"x-ms-range": f"bytes={first}-{first + wanted - 1}", "If-Match": etag}
            answer = await self._ask("GET", name, headers=only)
            if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT) or len(answer.body) != wanted:
                raise StoreUnavailable(f"the blob {name} changed while it was read, or came in part")
            yield answer.body

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the name of each blob that begins with *prefix*, in order; none where there is no container."""
        found, marker = list[str](), ""
        while True:
            more = f"&marker={quote(marker, safe='')}" if marker else ""
            query = f"?restype=container&comp=list&maxresults={_LISTED_MAX}&prefix={prefix}{more}"
            answer = await self._ask("GET", query)
            if answer.status == HTTPStatus.NOT_FOUND:
                return found
            _expect(answer, HTTPStatus.OK)
            text = answer.body.decode()
            found += [unescape(name) for name in _NAME.findall(text)]
            following = _MARKER.search(text)
            if following is None:
                return found
            marker = unescape(following[1])

    async def delete(self, name: str) -> None:
        """Delete a blob; one that is gone is deleted."""
        answer = await self._ask("DELETE", name)
        if answer.status != HTTPStatus.NOT_FOUND:
            _expect(answer, HTTPStatus.ACCEPTED)

    async def aclose(self) -> None:
        await self._session.close()
        if self.account.credential is not None:
            await self.account.credential.close()

    # Inside ------------------------------------------------------------------------------------------

    async def _make_container(self) -> None:
        answer = await self._ask("PUT", "?restype=container")
        if answer.status != HTTPStatus.CONFLICT:  # there already
            _expect(answer, HTTPStatus.CREATED)

    async def _block(self, name: str, number: int, body: bytes) -> str:
        id_ = base64.b64encode(f"{number:06d}".encode()).decode()
        answer = await self._ask("PUT", f"{name}?comp=block&blockid={id_}", body)
        _expect(answer, HTTPStatus.CREATED)
        return id_

    async def _properties(self, name: str) -> tuple[int, str]:
        """Return how large a blob is, bytes, and its ETag. Raises ConfigurationError where there is none."""
        async with self._asked("HEAD", name, b"", {}) as answer:
            if answer.status == HTTPStatus.NOT_FOUND:
                raise ConfigurationError(f"there is no blob {name} in the container {self.container}")
            _expect(_Answer(status=answer.status, body=b""), HTTPStatus.OK)
            return int(answer.headers["Content-Length"]), answer.headers["ETag"]

    async def _ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> _Answer:
        """Ask, and again after a pause while the service is busy or silent: every call here may be repeated."""
        for pause in (*PAUSES_S, None):
            try:
                async with self._asked(method, path, body, headers or {}) as answer:
                    found = _Answer(status=answer.status, body=await answer.read())
            except StoreUnavailable:
                if pause is None:
                    raise
            else:
                is_busy = found.status >= HTTPStatus.INTERNAL_SERVER_ERROR or found.status in _BUSY
                if pause is None or not is_busy:
                    return found
            await self.sleep(pause)
        raise StoreUnavailable("the blob service does not answer")  # pragma: no cover -- the last try returns or raises

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        joint = "" if path.startswith("?") else "/"
        url = f"{self.account.url}/{self.container}{joint}{path}"
        typed = {"Content-Type": "application/octet-stream", **headers}
        try:
            async with asyncio.timeout(CALL_S_MAX):
                signed = await self.account.signed(method, url, typed, length=len(body))
                data = io.BytesIO(body)
                sent = self._session.request(method, url, headers=signed, data=data, allow_redirects=False)
                async with sent as answer:
                    if answer.status in _REFUSED:
                        raise ConfigurationError("the storage account of the backups refuses this service's sign-in")
                    yield answer
        except (aiohttp.ClientError, AzureError, TimeoutError, OSError) as error:
            raise StoreUnavailable(f"the blob service does not answer: {type(error).__name__}") from error


def connect_blobs(account: Storage, container: str) -> Blobs:
    """
    Return a container of a storage account, without asking it anything yet.

    Raises:
        ConfigurationError: The connection string cannot be used, or nothing says where the blobs are.
    """
    if account.connection_string:
        return Blobs(account=account_of(account.connection_string, "blob"), container=container)
    if not account.blob_endpoint:
        raise ConfigurationError("the storage account has no …__blobServiceUri, nor an …__accountName")
    identity: AsyncTokenCredential = azure_credential(account.credential or "default", account.client_id)
    return Blobs(account=ServiceAccount(url=account.blob_endpoint, credential=identity), container=container)


def _expect(answer: _Answer, wanted: HTTPStatus) -> None:
    if answer.status != wanted:
        raise StoreUnavailable(f"the blob service answered {answer.status}")
