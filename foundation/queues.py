"""
A storage account's queues: put a wake-up, and see what lies there.

The service's own protocol over the HTTP client that the tables use already: the queue library costs
0.26 s at a cold start, and a webhook would wait for it. A queue that is missing is made.

Source: https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
from azure.core.exceptions import AzureError

from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.queue_ages import Oldest
from foundation.secrets.sign_in import azure_credential
from foundation.settings.storage import Storage
from foundation.storage_account import ServiceAccount, account_of

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

TIMEOUT_S = 3
"""Of one call, a token for it included: a wake-up is worth no more of the eight seconds a shop waits."""
_PEEKED = 32
"""As many as one answer can have."""
_MESSAGE = re.compile(r"<QueueMessage>(.*?)</QueueMessage>", re.DOTALL)
_INSERTED = re.compile(r"<InsertionTime>([^<]+)</InsertionTime>")
_NEVER_TAKEN = "<DequeueCount>0</DequeueCount>"


def connect_queues(account: Storage, credential: AsyncTokenCredential | None = None) -> StorageQueues:
    """
    Return the queues of a storage account, without asking it anything yet.

    Args:
        account: As the settings say.
        credential: An identity that is signed in already; made anew without one, where an identity is asked for.

    Raises:
        ConfigurationError: The connection string cannot be used, or nothing says where the queues are.
    """
    if account.connection_string:
        return StorageQueues(account_of(account.connection_string))
    if not account.queue_endpoint:
        raise ConfigurationError("the storage account has no …__queueServiceUri, nor an …__accountName")
    identity = credential or azure_credential(account.credential or "default", account.client_id)
    return StorageQueues(ServiceAccount(url=account.queue_endpoint, credential=identity))


class StorageQueues:
    """The queues of one account. Each call raises StoreUnavailable if the service does not do it in time."""

    def __init__(self, account: ServiceAccount) -> None:
        self._account = account
        self._session = aiohttp.ClientSession()

    async def put(self, queue: str, text: str) -> None:
        """Add a message, base64 as the Functions host reads it."""
        encoded = base64.b64encode(text.encode()).decode()
        body = f"<QueueMessage><MessageText>{encoded}</MessageText></QueueMessage>".encode()
        status, _, _ = await self._ask("POST", f"{queue}/messages", body)
        if status == HTTPStatus.NOT_FOUND:
            await self._ask("PUT", queue)
            status, _, _ = await self._ask("POST", f"{queue}/messages", body)
        _expect(status, HTTPStatus.CREATED)

    async def count(self, queue: str) -> int:
        """Return how many messages a queue holds, hidden ones too; the service counts them about right."""
        status, headers, _ = await self._ask("GET", f"{queue}?comp=metadata")
        if status == HTTPStatus.NOT_FOUND:
            return 0
        _expect(status, HTTPStatus.OK)
        return int(headers["x-ms-approximate-messages-count"])

    async def oldest(self, queue: str) -> Oldest:
        """Return when the first messages were put, of the first 32 that anybody could take now."""
        status, _, body = await self._ask("GET", f"{queue}/messages?numofmessages={_PEEKED}&peekonly=true")
        if status == HTTPStatus.NOT_FOUND:
            return Oldest()
        _expect(status, HTTPStatus.OK)
        found = _MESSAGE.findall(body)
        return Oldest(_first(found), _first([each for each in found if _NEVER_TAKEN in each]))

    async def clear(self, queue: str) -> None:
        """Remove every message of a queue; one that is not there is empty."""
        status, _, _ = await self._ask("DELETE", f"{queue}/messages")
        if status != HTTPStatus.NOT_FOUND:
            _expect(status, HTTPStatus.NO_CONTENT)

    async def aclose(self) -> None:
        await self._session.close()

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, Mapping[str, str], str]:
        url = f"{self._account.url}/{path}"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                typed = {"Content-Type": "application/xml"}
                headers = await self._account.signed(method, url, typed, length=len(body))
                sent = self._session.request(method, url, headers=headers, data=body, allow_redirects=False)
                async with sent as answer:
                    return answer.status, answer.headers, await answer.text()
        except (aiohttp.ClientError, AzureError, TimeoutError, OSError) as error:
            raise StoreUnavailable(f"the queue service does not answer: {type(error).__name__}") from error


def _first(messages: Sequence[str]) -> UnixMs | None:
    """Return when the oldest of these messages was put."""
    put = [found[1] for message in messages if (found := _INSERTED.search(message))]
    return min((UnixMs(int(parsedate_to_datetime(each).timestamp() * 1000)) for each in put), default=None)


def _expect(status: int, wanted: HTTPStatus) -> None:
    if status != wanted:
        raise StoreUnavailable(f"the queue service answered {status}")
