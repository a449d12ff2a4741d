"""The queues of a real storage service, over the protocol itself."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.queue import QueueServiceClient

from devstack.servers import Azurite
from foundation import queues as storage_queues
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.queue_ages import Oldest
from foundation.queues import StorageQueues, connect_queues
from foundation.settings.storage import Storage
from foundation.storage_account import ServiceAccount, account_of


@pytest.fixture
async def queues(azurite: Azurite) -> AsyncIterator[StorageQueues]:
    """The queues of the emulator's account."""
    found = StorageQueues(account_of(azurite.connection_string))
    yield found
    await found.aclose()


async def test_a_message_is_put_as_the_host_reads_it(azurite: Azurite, queues: StorageQueues, table_name: str) -> None:
    """Base64, into a queue that is made when it is missing; then it can be counted, and its age read."""
    assert (await queues.count(table_name), await queues.oldest(table_name)) == (0, Oldest())

    await queues.put(table_name, "wake")
    await queues.put(table_name, "wake")

    with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        message, _ = service.get_queue_client(table_name).peek_messages(2)
    assert base64.b64decode(message.content) == b"wake"
    assert await queues.count(table_name) == 2
    put_ms, untaken_ms = await queues.oldest(table_name)
    assert put_ms is not None
    assert put_ms == untaken_ms
    assert abs(time.time() * 1000 - put_ms) < 10_000


async def test_hidden_messages_are_counted_and_not_the_oldest(
    azurite: Azurite, queues: StorageQueues, table_name: str
) -> None:
    """Somebody works on them."""
    await queues.put(table_name, "wake")
    with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        list(service.get_queue_client(table_name).receive_messages(visibility_timeout=60))

    assert (await queues.count(table_name), await queues.oldest(table_name)) == (1, Oldest())


async def test_a_message_that_came_back_is_not_one_that_nobody_took(
    azurite: Azurite, queues: StorageQueues, table_name: str
) -> None:
    """Its host was killed; the function behind it runs."""
    await queues.put(table_name, "wake")
    with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        client = service.get_queue_client(table_name)
        message = client.receive_message(visibility_timeout=60)
        assert message is not None
        client.update_message(message, visibility_timeout=0)
    came_back = await queues.oldest(table_name)
    await queues.put(table_name, "wake")
    both = await queues.oldest(table_name)

    assert came_back.put_ms is not None
    assert came_back.untaken_ms is None
    assert both.put_ms == came_back.put_ms
    assert both.untaken_ms is not None
    assert both.untaken_ms >= came_back.put_ms


async def test_a_refusal_and_a_silence_are_told_apart_from_success(azurite: Azurite, table_name: str) -> None:
    """A wrong key, nobody there, and a name that no queue can have."""
    good = account_of(azurite.connection_string)
    wrong_key = ServiceAccount(url=good.url, account=good.account, key=base64.b64encode(b"wrong").decode())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = ServiceAccount(url=f"http://127.0.0.1:{closed.getsockname()[1]}/x", account="x", key="eA==")
    for account in (wrong_key, nobody):
        queues = StorageQueues(account)
        for asked in (queues.put(table_name, "wake"), queues.count(table_name), queues.oldest(table_name)):
            with pytest.raises(StoreUnavailable):
                await asked
        await queues.aclose()


@asynccontextmanager
async def serving(answer: bytes | None, heard: list[bytes]) -> AsyncIterator[str]:
    """A server that answers each request in the same words, or never; its URL."""
    over: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(asyncio.current_task())  # type: ignore[arg-type]  # a handler runs in a task
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await asyncio.gather(*over)


async def test_a_service_that_never_answers_costs_the_deadline_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop waits for the answer meanwhile."""
    monkeypatch.setattr(storage_queues, "TIMEOUT_S", 0.2)
    async with serving(None, []) as url:
        queues = StorageQueues(ServiceAccount(url=url, account="x", key="eA=="))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="TimeoutError"):
            await queues.put("q", "wake")
        assert time.monotonic() - began < 2
        await queues.aclose()


class Identity:
    """Represents a managed identity."""

    def __init__(self, *, works: bool) -> None:
        self.works, self.scopes = works, list[str]()

    async def get_token(self, *scopes: str, **_: Any) -> Any:
        self.scopes += scopes
        if not self.works:
            raise ClientAuthenticationError("no identity")
        return SimpleNamespace(token="a-token")


async def test_an_identity_signs_in_by_a_token() -> None:
    """For the storage scope; one that gives none is the same as a service that is away."""
    heard: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\nx-ms-approximate-messages-count: 7\r\nContent-Length: 0\r\n\r\n"
    good, bad = Identity(works=True), Identity(works=False)
    async with serving(answer, heard) as url:
        asked = [StorageQueues(ServiceAccount(url=url, credential=each)) for each in (good, bad)]  # type: ignore[arg-type]  # one method of it
        assert await asked[0].count("q") == 7
        with pytest.raises(StoreUnavailable, match="ClientAuthenticationError"):
            await asked[1].count("q")
        for each in asked:
            await each.aclose()

    assert good.scopes == ["https://storage.azure.com/.default"]
    assert b"Authorization: Bearer a-token" in heard[0]


def test_an_account_is_read_from_its_connection_string() -> None:
    """The emulator's short form, a cloud's suffix, an endpoint of its own; what is missing is named."""
    plain = account_of("AccountName=shop;AccountKey=eA==;EndpointSuffix=core.windows.net")
    own = account_of("AccountName=shop;AccountKey=eA==;QueueEndpoint=https://own.example/")

    assert account_of("UseDevelopmentStorage=true").url == "http://127.0.0.1:10001/devstoreaccount1"
    assert (plain.url, own.url) == ("https://shop.queue.core.windows.net", "https://own.example")
    with pytest.raises(ConfigurationError, match="no AccountKey"):
        account_of("AccountName=shop;SharedAccessSignature=s")


async def test_the_account_is_asked_as_its_settings_say(azurite: Azurite, table_name: str) -> None:
    """With a key, or with an identity: the one that is signed in already, else one of its own."""
    by_key = connect_queues(Storage(connection_string=azurite.connection_string))
    known = connect_queues(Storage(queue_endpoint="https://x.queue.core.windows.net"), Identity(works=True))  # type: ignore[arg-type]  # one method of it
    own = connect_queues(Storage(queue_endpoint="https://x.queue.core.windows.net", credential="managedidentity"))

    assert await by_key.count(table_name) == 0
    with pytest.raises(ConfigurationError, match="queueServiceUri"):
        connect_queues(Storage(table_endpoint="https://elsewhere.example"))
    for each in (by_key, known, own):
        await each.aclose()
