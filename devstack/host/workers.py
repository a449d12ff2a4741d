"""
The host's side of the worker process: started, asked, and replaced when it dies.

- A function that runs longer than ``functionTimeout``: the whole process is ended, with every other
  invocation in it; that function's own failure comes when the next process is there.
- A worker that dies by itself: its invocations fail at once, a new one is started; the third death
  within about a minute ends the host.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import sys
import time
from asyncio import Future, StreamReader, StreamWriter
from asyncio.subprocess import Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from devstack.host.channel import Channel
from devstack.host.times import Times
from devstack.host.values import Answer, Call, Datum, Function, HostEnds, Indexed, InvocationFailed, Result
from devstack.host.worker_main import KEY_VARIABLE

_DEATHS_MAX = 3


class Workers:
    """One worker process at a time, and the invocations it works on."""

    def __init__(self, app: Path, runtime: Path, times: Times, timeout_s: float | None) -> None:
        self._app, self._runtime, self._times, self._timeout_s = app, runtime, times, timeout_s
        self._numbers = itertools.count()
        self._pending: dict[int, Future[Result]] = {}
        self._deaths_s: list[float] = []
        self._replaced = False
        self._up = asyncio.Event()
        self._process: Process | None = None
        self._channel: Channel | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> tuple[Indexed, asyncio.Task[None]]:
        """Start the first process; return what it found, and the task that keeps one running or ends with HostEnds."""
        indexed = await self._spawn()
        self._keeper = asyncio.create_task(self._keep())
        return indexed, self._keeper

    async def invoke(self, function: Function, value: Datum, metadata: Mapping[str, Datum]) -> Result:
        """Run *function* once. Raises InvocationFailed if it raised, ran too long, or lost its process."""
        await self._up.wait()
        number = next(self._numbers)
        answer = self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            await self._ask(Call(number=number, function=function, value=value, metadata=metadata))
            return await asyncio.wait_for(answer, self._timeout_s)
        except TimeoutError as why:
            del self._pending[number]
            await self._replace()
            raise InvocationFailed(f"{function.name} ran longer than functionTimeout ({self._timeout_s} s)") from why
        finally:
            self._pending.pop(number, None)

    async def aclose(self) -> None:
        """End the worker, and what still runs in it."""
        if self._keeper:
            self._keeper.cancel()
        self._kill()

    async def _ask(self, call: Call) -> None:
        with suppress(ConnectionError):  # it died this moment: the keeper fails the call
            await self._opened().send(call)

    async def _replace(self) -> None:
        """End the process for a function that does not end, and let the platform's time pass."""
        self._replaced = True
        self._kill()
        await asyncio.sleep(self._times.timeout_answer_s)

    def _kill(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _keep(self) -> None:
        while True:
            await self._listen()
            self._lose()
            await self._spawn()

    async def _listen(self) -> None:
        """Take answers until the process is gone."""
        while isinstance(said := await self._opened().receive(), Answer):
            waiting = self._pending.get(said.number)
            if waiting is None or waiting.done():
                continue
            if said.result is None:
                waiting.set_exception(InvocationFailed(said.failure))
            else:
                waiting.set_result(said.result)

    def _lose(self) -> None:
        """Fail all that ran in the process that is gone. Raises HostEnds at its third death in a short time."""
        self._up.clear()
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(InvocationFailed("the worker process has ended"))
        expected, self._replaced = self._replaced, False
        now_s = time.monotonic()
        self._deaths_s = [at for at in self._deaths_s if now_s - at < self._times.deaths_within_s]
        self._deaths_s += [] if expected else [now_s]
        if len(self._deaths_s) >= _DEATHS_MAX:
            raise HostEnds("the worker process has ended three times in a row")

    def _opened(self) -> Channel:
        if self._channel is None:
            raise HostEnds("the worker process was never started")
        return self._channel

    async def _spawn(self) -> Indexed:
        """Start a process and wait until it has indexed the app. Raises HostEnds if it does not get so far."""
        key = secrets.token_hex()
        came: Future[Channel] = asyncio.get_running_loop().create_future()

        async def met(reader: StreamReader, writer: StreamWriter) -> None:
            channel = Channel(reader, writer)
            if await channel.is_proven(key) and not came.done():
                came.set_result(channel)

        server = await asyncio.start_server(met, "127.0.0.1", 0)
        self._process = await self._program(key, server.sockets[0].getsockname()[1])
        self._channel = await self._first(came)
        server.close()
        indexed = await self._channel.receive()
        if not isinstance(indexed, Indexed):
            raise HostEnds("the worker process ended before it had indexed the app")
        self._up.set()
        return indexed

    async def _program(self, key: str, port: int) -> Process:
        flags = ("-B",) if sys.dont_write_bytecode else ()
        where = (str(self._app), str(self._runtime), str(port))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *(*flags, "-m", "devstack.host.worker_main", *where),
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, KEY_VARIABLE: key},
        )

    async def _first(self, came: Future[Channel]) -> Channel:
        """Return the worker's connection. Raises HostEnds if the process ends without one."""
        assert self._process  # noqa: S101 -- started by the caller
        ended: Future[int] = asyncio.ensure_future(self._process.wait())
        waited: list[Future[Any]] = [came, ended]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not came.done():
            raise HostEnds("the worker process ended before it had said a word")
        return came.result()
