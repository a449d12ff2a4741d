"""
A Functions host for one machine: ``python -m devstack.host --app DIR --port N``.

It runs the app in the real worker library, in a process of its own, and reproduces what the platform's
host does around it: HTTP, queues, timers, settings, and its deaths. ``func start`` (Azure Functions Core
Tools) is the platform's own and needs a binary that no Python or npm package carries.

What the real host was seen to do is the table of ``tests/integration/real_host``, which this one is run
against. Not reproduced: scale-out (each trigger group has its own machine in Azure), dynamic concurrency,
streaming HTTP, the front end before the host (TLS, X-Forwarded-For, the 230 seconds), warm-up, which an
ordinary start does not run.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError

from devstack.host import config as host_config
from devstack.host.blobs import Blobs
from devstack.host.config import BadHostConfig, HostConfig
from devstack.host.functions import Functions, configured
from devstack.host.http import Front
from devstack.host.keys import Keys
from devstack.host.listener import QueueListener
from devstack.host.patience import patiently
from devstack.host.queues import Accounts
from devstack.host.ticking import CONTAINER, Timer
from devstack.host.times import Times
from devstack.host.values import Datum, Function, HostEnds, Indexed, InvocationFailed
from devstack.host.workers import Workers

_log = logging.getLogger("devstack.host")

HOST_ID_SETTING = "AzureFunctionsWebHost__hostid"
"""Hosts of one id share their timers; without it, it follows from the app's folder."""
ENDED = 70
"""Exit code of a host process that the platform would start again."""
_LOOK_S = 0.02


class Host:
    """One app, served until asked to stop, or until the platform's host would end."""

    def __init__(self, config: HostConfig, workers: Workers, times: Times) -> None:
        self._config, self._workers, self._times = config, workers, times
        self._accounts = Accounts(config, times)
        self._listeners: list[QueueListener] = []
        self._timers: list[Timer] = []
        self._by_hand: set[asyncio.Task[Any]] = set()

    async def run(self, function: Function, value: Datum, metadata: Mapping[str, Datum]) -> Datum:
        """Run *function*, bind its outputs, and only then return what it returned; raises InvocationFailed."""
        began = time.perf_counter()
        result = await self._workers.invoke(function, value, metadata)
        await self._accounts.bind(function, result.outputs)
        _log.info("Executed '%s' (Succeeded, Duration=%.0fms)", function.name, (time.perf_counter() - began) * 1000)
        return result.returned

    async def serve(self, port: int, stop: asyncio.Event) -> None:
        """
        Answer on loopback *port* until *stop* is set; then let what runs end, for as long as the platform does.

        Raises:
            HostEnds: The platform's host process would end here, in the middle of everything.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._workers.aclose)
            stack.push_async_callback(self._accounts.aclose)
            indexed, keeper = await self._workers.start()
            found = configured(indexed.functions, self._config, self._accounts)
            blobs = await self._storage(stack)
            front = self._front(found, blobs)
            server = await front.listen(port)
            tasks = [keeper, *self._started(found, blobs)]
            _announce(indexed, found, server.sockets[0].getsockname()[1])
            await _until(stop, tasks)
            server.close()
            await self._drained(front, tasks)

    async def _storage(self, stack: AsyncExitStack) -> Blobs | None:
        """Return the host's own container; None where only HTTP runs and no storage is set. Raises HostEnds."""
        try:
            blobs = await stack.enter_async_context(Blobs(self._config.storage(""), CONTAINER))
        except BadHostConfig as why:
            _log.error("the host has no storage of its own: %s", why)
            return None
        try:
            await patiently(blobs.ensure, self._times)
        except AzureError as why:
            raise HostEnds(f"storage does not answer at the start: {why}") from why
        return blobs

    def _front(self, found: Functions, blobs: Blobs | None) -> Front:
        async def storage() -> None:
            if blobs:
                await patiently(partial(blobs.read, "keys"), self._times)

        return Front(
            routes=found.routes,
            run=self.run,
            by_hand=partial(self._start, found),
            keys=Keys.of(self._config.settings),
            storage=storage,
            times=self._times,
        )

    def _started(self, found: Functions, blobs: Blobs | None) -> list[asyncio.Task[None]]:
        for function, queue in found.queues:
            self._listeners.append(
                QueueListener(
                    function=function,
                    queue=queue,
                    queues=self._accounts.queues(function.trigger.get("connection", "")),
                    options=self._config.queues,
                    times=self._times,
                    run=self.run,
                )
            )
        for function, schedule in found.timers if blobs else ():
            assert blobs  # noqa: S101 -- the loop's own condition
            self._timers.append(
                Timer(
                    function=function,
                    schedule=schedule,
                    host_id=self._host_id,
                    blobs=blobs,
                    times=self._times,
                    fire=self._attempt,
                )
            )
        work = [*(each.listen() for each in self._listeners), *(each.tick() for each in self._timers)]
        return [asyncio.create_task(each) for each in work]

    @property
    def _host_id(self) -> str:
        told = self._config.settings.get(HOST_ID_SETTING)
        return told or hashlib.sha256(str(self._config.app).encode()).hexdigest()[:32]

    def _start(self, found: Functions, name: str, text: str) -> bool:
        """Start a function by hand, on *text*; False if none without a route has that name."""
        values = {function.name: (function, Datum(text, "string")) for function, _ in found.queues}
        values |= {each.function.name: (each.function, each.value()) for each in self._timers}
        values |= {function.name: (function, Datum("{}", "json")) for function in found.warmups}
        if name in values:
            task = asyncio.create_task(self._attempt(*values[name]))
            self._by_hand.add(task)
            task.add_done_callback(self._by_hand.discard)
        return name in values

    async def _attempt(self, function: Function, value: Datum) -> None:
        """Run what nobody waits for: a failure is logged, and the next time is the retry."""
        try:
            await self.run(function, value, {})
        except InvocationFailed as why:
            _log.error("%s failed: %s", function.name, why)

    async def _drained(self, front: Front, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Take nothing new, and wait for what runs; what is not done in time is left as it is, its message hidden."""
        for listener in self._listeners:
            listener.stop()
        for task in tasks[1 + len(self._listeners) :]:
            task.cancel()  # timers: each gives its lease back, and the run goes on
        until = time.monotonic() + self._times.stop_s
        while time.monotonic() < until and (front.busy or self._busy(tasks)):  # noqa: ASYNC110 -- many sets of tasks
            await asyncio.sleep(_LOOK_S)

    def _busy(self, tasks: Sequence[asyncio.Task[None]]) -> bool:
        sets = [self._by_hand, *(each.running for each in self._listeners), *(each.running for each in self._timers)]
        return any(not task.done() for each in sets for task in each) or not all(task.done() for task in tasks[1:])


async def _until(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Return when asked to stop. Raises what ends one of *tasks*: it ends the host."""
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        task.result()


def _announce(indexed: Indexed, found: Functions, port: int) -> None:
    for trouble in indexed.trouble:
        _log.error("%s", trouble)
    if not indexed.functions:
        _log.warning("No job functions found.")
    _say("\nFunctions:")
    for route in found.routes:
        methods = ",".join(sorted(route.methods)) or "any method"
        _say(f"\t{route.function.name}: [{methods}] http://127.0.0.1:{port}/{route.template}")
    for function in [*(each for each, _ in found.queues), *(each for each, _ in found.timers), *found.warmups]:
        _say(f"\t{function.name}: {function.kind}")
    _say(f"\nHost started on http://127.0.0.1:{port}")


def _say(text: str) -> None:
    print(text, flush=True)


async def _main(app: Path, port: int, runtime: Path, *, local_settings: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(stop.set))
    try:
        config = host_config.load(app, local_settings=local_settings)
    except BadHostConfig as why:
        await _broken(why, port, stop)
        return
    times = Times.of(config.settings)
    await Host(config, Workers(app, runtime, times, config.function_timeout_s), times).serve(port, stop)


async def _broken(why: BadHostConfig, port: int, stop: asyncio.Event) -> None:
    """Stay up and answer 503, as the platform does with a host.json it cannot read."""

    async def no_run(function: Function, *_: Any, **__: Any) -> Datum:
        raise InvocationFailed(f"{function.name}: the host has not started")

    async def no_storage() -> None: ...

    front = Front(
        routes=(),
        run=no_run,
        by_hand=lambda *_: False,
        keys=Keys.of({}),
        storage=no_storage,
        times=Times(),
        broken=True,
    )
    server = await front.listen(port)
    _log.error("The host cannot start: %s", why)
    _say(f"\nHost started on http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one app until Ctrl-C; return 1 when the port is busy, ENDED where the platform's process would end."""
    parser = argparse.ArgumentParser(prog="python -m devstack.host", description=__doc__.splitlines()[1])
    parser.add_argument("--app", type=Path, default=Path.cwd(), help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="loopback port to answer on (7071); 0: a free one")
    parser.add_argument("--runtime", type=Path, default=Path(".devstack/runtime"), help="where the worker library is")
    parser.add_argument("--no-local-settings", action="store_true", help="do not read local.settings.json")
    parser.add_argument("--restart", action="store_true", help="start again where the platform would start it again")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="[%(asctime)s] %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    app, runtime = chosen.app.resolve(), chosen.runtime.resolve()
    try:
        asyncio.run(_main(app, chosen.port, runtime, local_settings=not chosen.no_local_settings))
    except (HostEnds, AzureError) as why:
        _log.critical("The host process ends: %s", why)
        return _again() if chosen.restart else ENDED
    except OSError as why:
        print(f"host: {why}", file=sys.stderr, flush=True)
        return 1
    return 0


def _again() -> int:
    """Become a new process of the same command, after the platform's pause. Needs a fixed port."""
    time.sleep(Times.of(os.environ).restart_s)
    sys.stdout.flush()
    os.execv(  # noqa: S606 -- this very command
        sys.executable,
        [sys.executable, *(["-B"] if sys.dont_write_bytecode else []), "-m", "devstack.host", *sys.argv[1:]],
    )
