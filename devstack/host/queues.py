"""
Queues: what the Storage Queue extension does with a message, from the first look to the poison queue.

1. Up to ``batchSize`` messages are taken, each hidden for ten minutes; more are taken while no more
   than ``newBatchThreshold`` are running. An empty queue is looked at less and less often.
2. The hiding is renewed every five minutes while the function runs. A host that is killed renews
   nothing: the message reappears, its dequeue count already raised.
3. Success deletes the message. Failure shows it again after ``visibilityTimeout``, or, after
   ``maxDequeueCount`` runs, moves it to ``<queue>-poison``; a message that cannot be decoded goes there at once.

Source: github.com/Azure/azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.Storage.Queues
(QueueListener.cs, QueueProcessor.cs, SharedQueueWatcher.cs).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from devstack.host.config import HostConfig, QueueOptions
from devstack.host.worker import Function, InvocationFailed, datum

_log = logging.getLogger("devstack.host.queues")

LOCK_S = 600
"""How long a message that is being worked on is hidden; fixed in the extension."""
_FIRST_DELAY_S = 0.1
_POISON = "-poison"


class Queues:
    """The queues of one storage account, and who waits for messages in them."""

    def __init__(self, service: QueueServiceClient, options: QueueOptions) -> None:
        self._service = service
        self._options = options
        self._clients: dict[str, QueueClient] = {}
        self._added: dict[str, asyncio.Event] = {}

    def client(self, queue: str) -> QueueClient:
        return self._clients.setdefault(queue, self._service.get_queue_client(queue))

    def added(self, queue: str) -> asyncio.Event:
        """Return the event that is set when this host itself adds a message: its listener then looks at once."""
        return self._added.setdefault(queue, asyncio.Event())

    async def add(self, queue: str, body: bytes) -> None:
        """Add a message; a queue that is not there is made, as the extension does."""
        await self.copy(queue, self._encode(body))

    async def copy(self, queue: str, text: str) -> None:
        """Add a message that is encoded already."""
        try:
            await self.client(queue).send_message(text)
        except ResourceNotFoundError:
            await self._create(queue)
            await self.client(queue).send_message(text)
        self.added(queue).set()

    async def _create(self, queue: str) -> None:
        with contextlib.suppress(ResourceExistsError):  # two functions may meet the missing queue at once
            await self.client(queue).create_queue()

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

    def __init__(self, config: HostConfig) -> None:
        self._config = config
        self._open: dict[str, Queues] = {}

    def queues(self, connection: str) -> Queues:
        text = self._config.storage(connection)
        if text not in self._open:
            service = QueueServiceClient.from_connection_string(text, retry_total=2)
            self._open[text] = Queues(service, self._config.queues)
        return self._open[text]

    async def bind(self, function: Function, outputs: Sequence[tuple[str, Any]]) -> None:
        """
        Add what a function set on its queue outputs; called after it returned and before anyone hears of it.

        Raises:
            InvocationFailed: A message could not be added: the invocation fails although the function ended well.
        """
        for name, value in outputs:
            binding = function.outputs[name]
            try:
                for body in _bodies(value):
                    await self.queues(binding.get("connection", "")).add(
                        self._config.expand(binding["queueName"]), body
                    )
            except (AzureError, ValueError) as why:
                raise InvocationFailed(f"output {name} of {function.name} could not be bound: {why}") from why

    async def aclose(self) -> None:
        for queues in self._open.values():
            await queues.aclose()


def _bodies(value: Any) -> list[bytes]:
    """Return the messages in an output value: one text, bytes, or a JSON list of texts."""
    if value.type == "bytes":
        return [value.value]
    texts = [value.value] if value.type == "string" else json.loads(value.value)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a queue output must be text, bytes or a list of texts")
    return [text.encode() for text in texts]


class Run(Protocol):
    """Runs a function on its trigger's value, and binds its outputs; raises InvocationFailed."""

    def __call__(self, function: Function, value: Any, metadata: dict[str, Any]) -> Awaitable[Any]: ...


@dataclass(kw_only=True, slots=True)
class QueueListener:
    """Feeds one function from its queue."""

    function: Function
    queue: str
    queues: Queues
    options: QueueOptions
    run: Run
    lock_s: float = LOCK_S
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def listen(self) -> None:
        """Take and start messages until cancelled; what is running then is cancelled too, and shown again."""
        delay_s = _FIRST_DELAY_S
        try:
            while True:
                found = await self._take()
                delay_s = _FIRST_DELAY_S if found else min(delay_s * 2, self.options.max_polling_interval_s)
                if not found:
                    await self._wait_for_work(delay_s)
                while len(self._running) > self.options.new_batch_threshold:
                    await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(self._running)

    async def _take(self) -> int:
        try:
            messages = [
                message
                async for message in self.queues.client(self.queue).receive_messages(
                    messages_per_page=self.options.batch_size,
                    max_messages=self.options.batch_size,
                    visibility_timeout=int(self.lock_s),
                )
            ]
        except ResourceNotFoundError:
            return 0
        except AzureError as why:
            _log.warning("queue %s cannot be read: %s", self.queue, why)
            return 0
        for message in messages:
            task = asyncio.create_task(self._process(message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(messages)

    async def _wait_for_work(self, delay_s: float) -> None:
        added = self.queues.added(self.queue)
        try:
            await asyncio.wait_for(added.wait(), delay_s)
        except TimeoutError:
            return
        added.clear()

    async def _process(self, message: QueueMessage) -> None:
        held = _Held(self.queues.client(self.queue), message)
        renewal = asyncio.create_task(held.renew(self.lock_s))
        try:
            await self._run(held)
        except asyncio.CancelledError:
            await held.show(0)
            raise
        except InvocationFailed as why:
            _log.error("%s failed in run %d of message %s: %s", self.function.name, held.count, message.id, why)
            await self._failed(held)
        except AzureError as why:
            _log.warning("message %s of %s: %s; it will come again", message.id, self.queue, why)
        finally:
            await _cancelled({renewal})

    async def _run(self, held: _Held) -> None:
        try:
            text = self.queues.decode(held.message.content).decode()
        except ValueError:
            await self._poison(held, "it cannot be decoded")
            return
        if held.count > self.options.max_dequeue_count:
            await self._poison(held, f"it was taken {held.count} times")
            return
        await self.run(self.function, datum(text, "string"), _metadata(held.message))
        await held.delete()

    async def _failed(self, held: _Held) -> None:
        if held.count < self.options.max_dequeue_count or self.queue.endswith(_POISON):
            await held.show(int(self.options.visibility_timeout_s))
        else:
            await self._poison(held, f"{self.function.name} failed {held.count} times")

    async def _poison(self, held: _Held, why: str) -> None:
        _log.error("message %s of %s goes to %s%s: %s", held.message.id, self.queue, self.queue, _POISON, why)
        await self.queues.copy(self.queue + _POISON, held.message.content)
        await held.delete()


class _Held:
    """A message this host has taken; its pop receipt changes with each renewal."""

    def __init__(self, client: QueueClient, message: QueueMessage) -> None:
        self.message = message
        self.count = int(message.dequeue_count or 0)
        self._client = client
        self._receipt = message.pop_receipt

    async def renew(self, lock_s: float) -> None:
        """Keep the message hidden until cancelled."""
        while True:
            await asyncio.sleep(lock_s / 2)
            await self.show(int(lock_s))

    async def show(self, after_s: int) -> None:
        """Let the message reappear in *after_s*; that someone else has it by now is logged and is no error."""
        try:
            renewed = await self._client.update_message(self.message.id, self._receipt, visibility_timeout=after_s)
            self._receipt = renewed.pop_receipt
        except AzureError as why:
            _log.warning("message %s is no longer ours: %s", self.message.id, why)

    async def delete(self) -> None:
        """Remove the message; when someone else has it by now, it will run again, as it would in Azure."""
        try:
            await self._client.delete_message(self.message.id, self._receipt)
        except ResourceNotFoundError as why:
            _log.warning("message %s was taken by someone else and will run again: %s", self.message.id, why)


def _metadata(message: QueueMessage) -> dict[str, Any]:
    return {
        "Id": datum(message.id, "string"),
        "PopReceipt": datum(message.pop_receipt, "string"),
        "DequeueCount": datum(str(message.dequeue_count), "json"),
        "InsertionTime": datum(_iso(message.inserted_on), "json"),
        "ExpirationTime": datum(_iso(message.expires_on), "json"),
        "NextVisibleTime": datum(_iso(message.next_visible_on), "json"),
    }


def _iso(moment: datetime | None) -> str:
    return json.dumps(moment.isoformat() if moment else None)


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel *tasks* and wait until each has ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
