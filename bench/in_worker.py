"""
The webhook inside the worker library that Azure runs, without a host and HTTP before it: ``python -m bench.in_worker``.

A process of its own, so that what it computes is the app's alone. Beside it the storage library inserts three rows by
itself, in turns with the webhooks, so that their ratio means something on a machine that others use as well.
"""

from __future__ import annotations

import asyncio
import cProfile
import logging
import os
import pstats
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from azure.data.tables.aio import TableServiceClient
from pydantic import TypeAdapter

from bench.ground import Ground
from bench.shop import NotAccepted, Post, posts
from devstack import paths, setup, stack
from devstack.host.values import Call, Datum
from devstack.host.worker import Worker, start

REQUESTS = 100
"""Of one round."""
ROUNDS = 5
_AT_ONCE = 4
_TRIES = 3
_NAMED = {
    "pipeline": ("azure/core/pipeline/_base_async.py", "run"),
    "writing": ("foundation/tablestore/batch_body.py", "encode_group"),
    "reading": ("foundation/tablestore/batch_body.py", "decode_answer"),
    "logging": ("foundation/logs.py", "_write"),
    "signature": ("distributor/webhook/signature.py", "check_signature"),
    "parsing": ("distributor/webhook/orders.py", "parse"),
    "waking": ("foundation/queues.py", "put"),
}
_STORAGE = "AzureWebJobsStorage"
_WHOLE = ("devstack/host/worker.py", "invoke")


@dataclass(frozen=True, kw_only=True, slots=True)
class PartOfWebhook:
    """What one part of a webhook takes of its whole; a part within another one counts in both."""

    name: str
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class InWorker:
    """Processor time of one webhook, and of three rows that the storage library inserts, in the same process."""

    requests: int
    app_cpu_ms: float
    """The least of the rounds: what others do to the caches of this machine is not the app's."""
    library_cpu_ms: float
    costs: Sequence[PartOfWebhook]
    """The largest first."""


def measure(ground: Ground, requests: int = REQUESTS) -> InWorker:
    """Run the webhooks in a process of their own, over the servers of *ground*."""
    out = ground.log.with_name("in-worker.json")
    command = [sys.executable, "-m", "bench.in_worker", str(out), str(requests)]
    with ground.log.with_name("in-worker.log").open("wb") as log:
        environment = stack.environment(ground.settings)
        subprocess.run(command, cwd=paths.ROOT, env=environment, stdout=log, stderr=log, check=True)
    return TypeAdapter(InWorker).validate_json(out.read_bytes())


async def _measured(secret: str, storage: str, requests: int) -> InWorker:
    worker = await start(paths.ROOT, setup.RUNTIME)
    async with TableServiceClient.from_connection_string(storage) as service:
        await service.create_table_if_not_exists("raw")
        table = service.get_table_client("raw")

        async def three_rows(name: str) -> None:
            rows = [{"PartitionKey": "raw", "RowKey": f"{part}:{name}", "text": "x" * 300} for part in "abc"]
            await table.submit_transaction([("create", row) for row in rows])

        app, library = list[float](), list[float]()
        for number in range(ROUNDS + 1):
            wanted = posts(f"worker-{os.getpid()}-{number}", requests, secret)
            app.append(await _cpu_s([_webhook(worker, post) for post in wanted]))
            library.append(await _cpu_s([_inserting(three_rows, post.order_id) for post in wanted]))
        costs = await _costs(worker, posts(f"profile-{os.getpid()}", requests, secret))
    return InWorker(
        requests=requests * ROUNDS,
        app_cpu_ms=min(app[1:]) / requests * 1000,
        library_cpu_ms=min(library[1:]) / requests * 1000,
        costs=costs,
    )


def _inserting(insert: Callable[[str], Awaitable[None]], name: str) -> Callable[[], Awaitable[None]]:
    return lambda: insert(name)


def _webhook(worker: Worker, post: Post) -> Callable[[], Awaitable[None]]:
    (function,) = [each for each in worker.functions if each.name == "receive_order"]

    async def receive() -> None:
        call, status = Call(number=0, function=function, value=_value(post), metadata={}), 0
        for _ in range(_TRIES):  # the emulator of a busy machine may be late: a shop sends again
            status = int((await worker.invoke(call)).returned.value["status"])
            if status in (HTTPStatus.ACCEPTED, HTTPStatus.OK):
                return
        raise NotAccepted(f"{post.order_id}: {status}")

    return receive


def _value(post: Post) -> Datum:
    """Return the request as the host hands it to the worker."""
    headers = {"host": "127.0.0.1", "content-type": "application/json", "x-wp-signature": post.signature}
    parts: Mapping[str, object] = {
        "method": Datum("POST", "string"),
        "url": Datum("http://127.0.0.1/webhook", "string"),
        "headers": {name: Datum(text, "string") for name, text in headers.items()},
        "params": {},
        "query": {},
        "body": Datum(post.body, "bytes"),
    }
    return Datum(parts, "http")


async def _cpu_s(jobs: Sequence[Callable[[], Awaitable[None]]]) -> float:
    """Return the processor seconds of all *jobs*, some at once."""
    places, began = asyncio.Semaphore(_AT_ONCE), time.process_time()

    async def one(job: Callable[[], Awaitable[None]]) -> None:
        async with places:
            await job()

    await asyncio.gather(*map(one, jobs))
    return time.process_time() - began


async def _costs(worker: Worker, wanted: Sequence[Post]) -> Sequence[PartOfWebhook]:
    profile = cProfile.Profile(time.process_time)
    with profile:
        await _cpu_s([_webhook(worker, post) for post in wanted])
    seconds = {(file, name): each[3] for (file, _, name), each in pstats.Stats(profile).stats.items()}  # type: ignore[attr-defined]
    whole = _of(seconds, *_WHOLE)
    costs = [PartOfWebhook(name=label, share=_of(seconds, *where) / whole) for label, where in _NAMED.items()]
    return sorted(costs, key=lambda cost: -cost.share)


def _of(seconds: Mapping[tuple[str, str], float], file: str, name: str) -> float:
    return sum(each for (path, called), each in seconds.items() if path.endswith(file) and called == name)


def main() -> None:
    """Measure, and write what was found to the file that is named first."""
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s] %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    found = asyncio.run(_measured(os.environ["WEBHOOK_SECRET"], os.environ[_STORAGE], int(sys.argv[2])))
    Path(sys.argv[1]).write_bytes(TypeAdapter(InWorker).dump_json(found))
    sys.stdout.flush()
    os._exit(0)  # the worker library leaves its threads running, as in Azure


if __name__ == "__main__":
    main()
