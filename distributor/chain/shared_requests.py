"""
One request to a node for what several readers ask of it at the same moment.

A round asks a node for what its pool holds, what the guard has recorded and what the contracts say. Each is a
reader of its own; asked side by side, their calls go out in one request, each reader's in its own order, a call that
two of them make once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from distributor.chain.batches import RpcCall

Send = Callable[[Mapping[str, RpcCall]], Awaitable[Mapping[str, object]]]
"""Sends named calls and returns what came back by name; a call without an answer is missing."""
_TURNS = 4
"""Turns of the event loop until all that was begun side by side has come here."""


class SharedRequests:
    """The readers of one node. What goes wrong with the request goes wrong for each of them."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._asked: list[tuple[Mapping[str, RpcCall], asyncio.Future[Mapping[str, object]]]] = []
        self._sending = set[asyncio.Task[None]]()

    async def send(self, calls: Mapping[str, RpcCall]) -> Mapping[str, object]:
        """Return what came back of *calls*, by name. Raises what the sending raises."""
        answer: asyncio.Future[Mapping[str, object]] = asyncio.get_running_loop().create_future()
        self._asked.append((calls, answer))
        if len(self._asked) == 1:
            task = asyncio.create_task(self._send_all())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return await answer

    async def _send_all(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        asked, self._asked = self._asked, []
        merged, names = _merged([calls for calls, _ in asked])
        try:
            found = await self._send(merged)
        except BaseException as error:  # noqa: BLE001 -- each reader raises it; a cancelled sending cancels them
            for _, answer in asked:
                _fail(answer, error)
            return
        for (_, answer), mine in zip(asked, names, strict=True):
            if not answer.done():
                answer.set_result({name: found[sent] for name, sent in mine.items() if sent in found})


def _fail(answer: asyncio.Future[Mapping[str, object]], error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        answer.cancel()
    elif not answer.done():
        answer.set_exception(error)


def _merged(asked: Sequence[Mapping[str, RpcCall]]) -> tuple[Mapping[str, RpcCall], Sequence[Mapping[str, str]]]:
    """
    Return the calls of all readers in their order, and by which name each reader finds its own.

    A call that two readers make goes out once; one that a reader makes twice goes out twice.
    """
    merged, sent_as, names = dict[str, RpcCall](), dict[tuple[str, int], str](), list[dict[str, str]]()
    for calls in asked:
        mine, made = dict[str, str](), Counter[str]()
        for name, call in calls.items():
            made[repr(call)] += 1
            mine[name] = sent_as.setdefault((repr(call), made[repr(call)]), str(len(sent_as)))
            merged.setdefault(mine[name], call)
        names.append(mine)
    return merged, names
