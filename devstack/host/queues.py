"""
Queues as the Storage Queue extension writes them: what a function sets on an output becomes messages.

A text that is JSON is read as JSON: a list is as many messages, an object is one, written anew. What
storage does not take within about 25 seconds fails the invocation, although its function ended well.

Source: github.com/Azure/azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.Storage.Queues, and
github.com/Azure/azure-functions-host, FunctionBinding.cs (a text is tried as JSON).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import re
from collections.abc import Sequence
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from devstack.host.config import BadHostConfig, HostConfig, QueueOptions
from devstack.host.patience import patiently
from devstack.host.times import Times
from devstack.host.values import Datum, Function, InvocationFailed

MESSAGE_BYTES_MAX = 49_152
"""64 KiB once it is base64. Source: learn.microsoft.com/azure/storage/queues/scalability-targets."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]")


class Queues:
    """The queues of one storage account, and who waits for messages in them."""

    def __init__(self, service: QueueServiceClient, options: QueueOptions, times: Times) -> None:
        self._service = service
        self._options = options
        self._times = times
        self._clients: dict[str, QueueClient] = {}
        self._added: dict[str, asyncio.Event] = {}

    def client(self, queue: str) -> QueueClient:
        return self._clients.setdefault(queue, self._service.get_queue_client(queue))

    def added(self, queue: str) -> asyncio.Event:
        """Return the event that is set when this host itself adds a message: its listener then looks at once."""
        return self._added.setdefault(queue, asyncio.Event())

    async def add(self, queue: str, body: bytes) -> None:
        """Add a message; a queue that is not there is made, as the extension does. Raises AzureError."""
        await self.copy(queue, self._encode(body))

    async def copy(self, queue: str, text: str) -> None:
        """Add a message that is encoded already. Raises AzureError."""
        await patiently(lambda: self._send(queue, text), self._times)
        self.added(queue).set()

    async def _send(self, queue: str, text: str) -> None:
        try:
            await self.client(queue).send_message(text)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # two functions may meet the missing queue at once
                await self.client(queue).create_queue()
            await self.client(queue).send_message(text)

    def _encode(self, body: bytes) -> str:
        return body.decode() if self._options.encoding == "none" else base64.b64encode(body).decode("ascii")

    def decode(self, text: str) -> bytes:
        """Return a message's bytes; ValueError when it is not in the configured encoding."""
        if self._options.encoding == "none":
            return text.encode()
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error as why:
            raise ValueError("not base64") from why

    async def aclose(self) -> None:
        await self._service.close()


class Accounts:
    """One ``Queues`` for each storage account the bindings name."""

    def __init__(self, config: HostConfig, times: Times) -> None:
        self._config, self._times = config, times
        self._open: dict[str, Queues] = {}

    def queues(self, connection: str) -> Queues:
        """Return the queues of the account that a binding names. Raises BadHostConfig."""
        text = self._config.storage(connection)
        if text not in self._open:
            try:
                service = QueueServiceClient.from_connection_string(text, retry_total=0)
            except ValueError as why:
                raise BadHostConfig(
                    f"the connection {connection or 'AzureWebJobsStorage'} is malformed: {why}"
                ) from why
            self._open[text] = Queues(service, self._config.queues, self._times)
        return self._open[text]

    def name(self, binding: dict[str, Any] | Any) -> str:
        """Return the queue that a binding names. Raises BadHostConfig."""
        name = self._config.expand(binding["queueName"])
        if not _NAME.fullmatch(name):
            raise BadHostConfig(f"{name!r} is no name of a queue")
        return name

    async def bind(self, function: Function, outputs: Sequence[tuple[str, Datum]]) -> None:
        """
        Add what a function set on its queue outputs; called after it returned and before anyone hears of it.

        Raises:
            InvocationFailed: A message could not be added: the invocation fails although the function ended well.
        """
        for name, value in outputs:
            binding = function.outputs[name]
            try:
                for body in messages(value):
                    await self.queues(binding.get("connection", "")).add(
                        self._config.expand(binding["queueName"]), body
                    )
            except (AzureError, BadHostConfig, ValueError) as why:
                raise InvocationFailed(f"output {name} of {function.name} could not be bound: {why}") from why

    async def aclose(self) -> None:
        for queues in self._open.values():
            await queues.aclose()


def messages(value: Datum) -> list[bytes]:
    """Return the messages in an output value. Raises ValueError for one that is too large, or is no message."""
    found = [value.value] if value.type == "bytes" else [text.encode() for text in _texts(value)]
    for each in found:
        if len(each) > MESSAGE_BYTES_MAX:
            raise ValueError(f"a message of {len(each)} bytes; {MESSAGE_BYTES_MAX} are allowed")
    return found


def _texts(value: Datum) -> list[str]:
    try:
        read = json.loads(value.value)
    except ValueError:
        return [value.value]
    if isinstance(read, list):
        return [item if isinstance(item, str) else json.dumps(item, indent=2) for item in read]
    return [json.dumps(read, indent=2) if isinstance(read, dict) else value.value]
