"""
The worker process: ``python -m devstack.host.worker_main``, started by the host alone.

It lives apart from the host, as in Azure: when a function runs too long, the host ends this process
and with it every invocation in it; when the host is killed, what runs here runs to its end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from devstack.host.channel import Channel
from devstack.host.config import BadHostConfig
from devstack.host.values import Answer, Call, Indexed, InvocationFailed
from devstack.host.worker import Worker, start

KEY_VARIABLE = "DEVSTACK_WORKER_KEY"
"""What the worker shows the host that started it."""


async def _main(app: Path, runtime: Path, port: int) -> None:
    channel = Channel(*await asyncio.open_connection("127.0.0.1", port))
    await channel.prove(os.environ.pop(KEY_VARIABLE))
    worker = await _started(app, runtime)
    await channel.send(Indexed(functions=worker.functions, trouble=worker.trouble))
    running: set[asyncio.Task[None]] = set()
    while (call := await channel.receive()) is not None:
        task = asyncio.create_task(_answer(worker, channel, call))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running, return_exceptions=True)  # the host is gone, and the functions are not informed


async def _started(app: Path, runtime: Path) -> Worker:
    try:
        return await start(app, runtime)
    except BadHostConfig as why:
        return Worker([], [str(why)])


async def _answer(worker: Worker, channel: Channel, call: Call) -> None:
    try:
        answer = Answer(number=call.number, result=await worker.invoke(call))
    except InvocationFailed as why:
        answer = Answer(number=call.number, failure=str(why))
    await channel.send(answer)


if __name__ == "__main__":
    for each in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the host alone is asked to end, and ends this process itself
        if hasattr(signal, each):
            signal.signal(getattr(signal, each), signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="[%(asctime)s] %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    asyncio.run(_main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.flush()
    os._exit(0)  # as in Azure, nothing tells the app that it ends; what it left open is not its fault
