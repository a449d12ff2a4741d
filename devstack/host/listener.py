"""
What the Storage Queue extension does with a message, from the first look to the poison queue.

1. Up to ``batchSize`` messages are taken, each hidden for ten minutes; more are taken while no more
   than ``newBatchThreshold`` are running. An empty queue is looked at less and less often.
2. The hiding is renewed every five minutes while the function runs. A host that is killed, or asked to
   stop while the function runs on, renews nothing: the message reappears, its dequeue count already raised.
3. Success deletes the message. Failure shows it again after ``visibilityTimeout``, or, after
   ``maxDequeueCount`` runs, moves it to ``<queue>-poison``; what is not base64 goes there without a run.
4. In a poison queue nothing is moved on: a failing message, or one that is not base64, stays hidden for
   the rest of its ten minutes, again and again.
5. Storage that is away ends the host: a queue that cannot be asked for 25 seconds, or a message that was
   worked on and cannot be deleted. An answer of 5xx to a look is only a longer pause.

Source: github.com/Azure/azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.Storage.Queues
(QueueListener.cs, QueueProcessor.cs, SharedQueueWatcher.cs).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from devstack.host.config import QueueOptions
from devstack.host.patience import patiently, was_answered
from devstack.host.queues import Queues
from devstack.host.times import Times
from devstack.host.values import Datum, Function, HostEnds, InvocationFailed

_log = logging.getLogger("devstack.host.queues")

_FIRST_DELAY_S = 0.1
_POISON = "-poison"


class Run(Protocol):
    """Runs a function on its trigger's value, and binds its outputs; raises InvocationFailed."""

    def __call__(self, function: Function, value: Datum, metadata: Mapping[str, Datum]) -> Awaitable[Any]: ...


@dataclass(kw_only=True, slots=True)
class QueueListener:
    """Feeds one function from its queue."""

    function: Function
    queue: str
    queues: Queues
    options: QueueOptions
    times: Times
    run: Run
    running: set[asyncio.Task[None]] = field(default_factory=set)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Take no more messages; what is running runs on."""
        self._stopping.set()

    async def listen(self) -> None:
        """Take and start messages until asked to stop. Raises HostEnds when storage is away for too long."""
        delay_s = _FIRST_DELAY_S
        while not self._stopping.is_set():
            found = await self._take()
            delay_s = _FIRST_DELAY_S if found else min(delay_s * 2, self.options.max_polling_interval_s)
            if not found:
                await self._wait_for_work(delay_s)
            self._look_at_the_ended()
            while len(self.running) > self.options.new_batch_threshold and not self._stopping.is_set():
                await self._first_of(self.running)
                self._look_at_the_ended()

    async def _take(self) -> int:
        try:
            messages = await patiently(self._receive, self.times)
        except ResourceNotFoundError:
            _log.warning("queue %s does not exist", self.queue)
            return 0
        except AzureError as why:
            if was_answered(why):
                _log.warning("queue %s cannot be read: %s", self.queue, why)
                return 0
            raise HostEnds(f"queue {self.queue} cannot be reached: {why}") from why
        for message in messages:
            self.running.add(asyncio.create_task(self._process(message)))
        return len(messages)

    async def _receive(self) -> list[QueueMessage]:
        size, hidden_s = self.options.batch_size, max(1, round(self.times.lock_s))
        found = self.queues.client(self.queue).receive_messages(
            messages_per_page=size, max_messages=size, visibility_timeout=hidden_s
        )
        return [message async for message in found]

    async def _wait_for_work(self, delay_s: float) -> None:
        added = self.queues.added(self.queue)
        waiting = {asyncio.create_task(added.wait())}
        await self._first_of({*waiting, *self.running}, delay_s)
        for task in waiting:
            task.cancel()
        added.clear()

    async def _first_of(self, tasks: set[asyncio.Task[Any]], delay_s: float | None = None) -> None:
        """Wait until one of *tasks* ends, the time is over, or this listener is to stop."""
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({*tasks, stopping}, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    def _look_at_the_ended(self) -> None:
        """Forget messages that are done with. Raises HostEnds if one of them could not be ended."""
        for task in [each for each in self.running if each.done()]:
            self.running.discard(task)
            task.result()

    async def _process(self, message: QueueMessage) -> None:
        held = _Held(self.queues.client(self.queue), message, self.times)
        renewal = asyncio.create_task(held.renew())
        try:
            await self._worked_on(held)
        except AzureError as why:
            raise HostEnds(f"message {message.id} of {self.queue} cannot be ended: {why}") from why
        finally:
            renewal.cancel()

    async def _worked_on(self, held: _Held) -> None:
        try:
            body = self.queues.decode(held.message.content)
        except ValueError:
            await self._poison(held)
            return
        if held.count > self.options.max_dequeue_count:
            await self._poison(held)
            return
        try:
            await self.run(self.function, _text(body), _metadata(held.message))
        except InvocationFailed as why:
            _log.error("%s failed in run %d of message %s: %s", self.function.name, held.count, held.message.id, why)
            await self._failed(held)
        else:
            await held.delete()

    async def _failed(self, held: _Held) -> None:
        if self.queue.endswith(_POISON):
            return  # it stays hidden as long as it was taken for
        if held.count < self.options.max_dequeue_count:
            await held.show(max(0, int(self.options.visibility_timeout_s)))
        else:
            await self._poison(held)

    async def _poison(self, held: _Held) -> None:
        """Move a message that cannot be worked on; in a poison queue it stays, hidden, as it is."""
        if self.queue.endswith(_POISON):
            return
        limit = self.options.max_dequeue_count
        _log.error(
            "Message has reached MaxDequeueCount of %d. Moving message to queue '%s%s'.", limit, self.queue, _POISON
        )
        await self.queues.copy(self.queue + _POISON, held.message.content)
        await held.delete()


def _text(body: bytes) -> Datum:
    """Return a message as the worker gets it. Raises InvocationFailed if it is no text: Python never sees that run."""
    try:
        return Datum(body.decode(), "string")
    except UnicodeDecodeError as why:
        raise InvocationFailed("the message is not UTF-8") from why


class _Held:
    """A message this host has taken; its pop receipt changes with each renewal."""

    def __init__(self, client: QueueClient, message: QueueMessage, times: Times) -> None:
        self.message = message
        self.count = int(message.dequeue_count or 0)
        self._client, self._times = client, times
        self._receipt = message.pop_receipt

    async def renew(self) -> None:
        """Keep the message hidden until cancelled."""
        while True:
            await asyncio.sleep(self._times.lock_s / 2)
            try:
                await self.show(max(1, round(self._times.lock_s)))
            except AzureError as why:
                _log.warning("message %s cannot be kept hidden: %s", self.message.id, why)

    async def show(self, after_s: int) -> None:
        """Let the message reappear in *after_s*; that someone else has it by now is no error. Raises AzureError."""
        try:
            renewed = await patiently(lambda: self._update(after_s), self._times)
            self._receipt = renewed.pop_receipt
        except ResourceNotFoundError as why:
            _log.warning("message %s is no longer ours: %s", self.message.id, why)

    async def _update(self, after_s: int) -> QueueMessage:
        return await self._client.update_message(self.message.id, self._receipt, visibility_timeout=after_s)

    async def delete(self) -> None:
        """
        Remove the message; when someone else has it by now, it will run again, as it would in Azure.

        Raises:
            AzureError: Storage did not answer, in two long tries.
        """
        for attempt in range(2):
            try:
                await patiently(lambda: self._client.delete_message(self.message.id, self._receipt), self._times)
            except ResourceNotFoundError as why:
                _log.warning("message %s was taken by someone else and will run again: %s", self.message.id, why)
            except AzureError:
                if attempt:
                    raise
                continue
            return


def _metadata(message: QueueMessage) -> dict[str, Datum]:
    return {
        "Id": Datum(message.id, "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "DequeueCount": Datum(str(message.dequeue_count), "json"),
        "InsertionTime": Datum(_iso(message.inserted_on), "json"),
        "ExpirationTime": Datum(_iso(message.expires_on), "json"),
        "NextVisibleTime": Datum(_iso(message.next_visible_on), "json"),
    }


def _iso(moment: datetime | None) -> str:
    return json.dumps(moment.isoformat() if moment else None)
