"""
A Functions host for one machine: ``python -m devstack.host --app DIR --port N``.

It runs the app in the real worker library and reproduces what the platform's host does around it:
HTTP, queues, timers, warm-up, settings. ``func start`` (Azure Functions Core Tools) is the
platform's own and needs a binary that no Python or npm package carries.

Everything runs on the one event loop the worker runs async functions on. Not reproduced: scale-out
(each trigger group has its own machine in Azure), dynamic concurrency, streaming HTTP, cookies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from devstack.host import config as host_config
from devstack.host.config import BadHostConfig, HostConfig
from devstack.host.http import Front, routes
from devstack.host.queues import Accounts, QueueListener
from devstack.host.timers import Schedule
from devstack.host.worker import Function, InvocationFailed, Worker, datum, start

_log = logging.getLogger("devstack.host")

KEY_SETTING = "DEVSTACK_FUNCTION_KEY"
"""The function key this host asks for; without it every request passes, as under ``func start``."""
_TICK = '{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}'
_DRAIN_S = 2.0


class Host:
    """One app, served until told to stop."""

    def __init__(self, config: HostConfig, worker: Worker) -> None:
        self._config = config
        self._worker = worker
        self._accounts = Accounts(config)
        self._functions = [found for found in worker.functions if not config.disabled(found.name)]
        self._turns = {timer.name: asyncio.Lock() for timer in self._of("timerTrigger")}
        self._by_hand: set[asyncio.Task[None]] = set()

    async def run(self, function: Function, value: Any, metadata: dict[str, Any]) -> Any:
        """Run *function*, bind its outputs, and only then return what it returned; raises InvocationFailed."""
        began = time.perf_counter()
        result = await self._worker.invoke(function, value, metadata)
        await self._accounts.bind(function, result.outputs)
        _log.info("Executed '%s' (Succeeded, Duration=%.0fms)", function.name, (time.perf_counter() - began) * 1000)
        return result.returned

    def trigger(self, name: str) -> bool:
        """Start a timer's function now, by hand; False when there is no such timer."""
        for function in self._of("timerTrigger"):
            if function.name == name:
                task = asyncio.create_task(self._fire(function))
                self._by_hand.add(task)
                task.add_done_callback(self._by_hand.discard)
                return True
        return False

    async def serve(self, port: int, stop: asyncio.Event) -> None:
        """Answer on loopback *port* until *stop* is set; then let requests end and show taken messages again."""
        await self._warm_up()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._accounts.aclose)
            await stack.enter_async_context(_tasks([self._listen(found) for found in self._of("queueTrigger")]))
            await stack.enter_async_context(_tasks([self._tick(found) for found in self._of("timerTrigger")]))
            self._announce(await stack.enter_async_context(self._http(port)))
            await stop.wait()

    def _of(self, kind: str) -> list[Function]:
        return [function for function in self._functions if function.kind == kind]

    async def _warm_up(self) -> None:
        for function in self._of("warmupTrigger"):
            await self._attempt(function, datum("{}", "json"))

    async def _listen(self, function: Function) -> None:
        await QueueListener(
            function=function,
            queue=self._config.expand(function.trigger["queueName"]),
            queues=self._accounts.queues(function.trigger.get("connection", "")),
            options=self._config.queues,
            run=self.run,
        ).listen()

    async def _tick(self, function: Function) -> None:
        """Run a timer at its times; a tick that falls into a run is left out, never run beside it."""
        schedule = Schedule.parse(self._config.expand(function.trigger["schedule"]))
        if function.trigger.get("runOnStartup"):
            await self._fire(function)
        while True:
            now = datetime.now(UTC)
            await asyncio.sleep((schedule.after(now) - now).total_seconds())
            await self._fire(function)

    async def _fire(self, function: Function) -> None:
        async with self._turns[function.name]:
            await self._attempt(function, datum(_TICK, "json"))

    async def _attempt(self, function: Function, value: Any) -> None:
        """Run what nobody waits for: a failure is logged, and the next time is the retry."""
        try:
            await self.run(function, value, {})
        except InvocationFailed as why:
            _log.error("%s failed: %s", function.name, why)

    @contextlib.asynccontextmanager
    async def _http(self, port: int) -> AsyncIterator[int]:
        table = routes(self._functions, self._config.route_prefix)
        front = Front(table, self.run, self.trigger, self._config.settings.get(KEY_SETTING, ""))
        runner = web.AppRunner(front.application(), access_log=None, shutdown_timeout=_DRAIN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    def _announce(self, port: int) -> None:
        _say("\nFunctions:")
        for route in routes(self._functions, self._config.route_prefix):
            methods = ",".join(sorted(route.methods))
            _say(f"\t{route.function.name}: [{methods}] http://127.0.0.1:{port}/{route.template}")
        for function in self._functions:
            if function.kind != "httpTrigger":
                _say(f"\t{function.name}: {function.kind}")
        _say(f"\nHost started on http://127.0.0.1:{port}")


@contextlib.asynccontextmanager
async def _tasks(coroutines: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run *coroutines* beside the block; one that breaks ends the host, for it would be a bug in it."""
    owner = asyncio.current_task()
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() and owner:
            owner.cancel(f"{task.exception()!r}")

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


def _say(text: str) -> None:
    print(text, flush=True)


async def _main(config: HostConfig, port: int, runtime: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(stop.set))
    worker = await start(config.app, runtime, config.function_timeout_s)
    await Host(config, worker).serve(port, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one app until Ctrl-C; return 1 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m devstack.host", description=__doc__.splitlines()[1])
    parser.add_argument("--app", type=Path, default=Path.cwd(), help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="loopback port to answer on (7071); 0: a free one")
    parser.add_argument("--runtime", type=Path, default=Path(".devstack/runtime"), help="where the worker library is")
    parser.add_argument("--no-local-settings", action="store_true", help="do not read local.settings.json")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="[%(asctime)s] %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        config = host_config.load(chosen.app.resolve(), local_settings=not chosen.no_local_settings)
        asyncio.run(_main(config, chosen.port, chosen.runtime.resolve()))
    except (BadHostConfig, OSError) as why:
        print(f"host: {why}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # as in Azure, nothing tells the app that it ends; what it left open is not its fault
