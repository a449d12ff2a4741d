"""
The webhook in an open loop: requests come at a fixed rate, whether or not the ones before were answered.

Beside it the same rows inserted by the storage library alone, at the same rate, over the same way. The payouts are
turned off, so that what the app's process computes is the webhook's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from azure.core.exceptions import AzureError
from azure.data.tables.aio import TableServiceClient

from bench.figures import Latency, cpu_s
from bench.ground import Ground
from bench.shop import NotAccepted, Post, Sender, posts

SECONDS = 10
OFF = {f"AzureWebJobs.{name}.Disabled": "1" for name in ("distribute", "settlement", "sweep")}
_AT_ONCE = 64
_PARTS = ("order", "ref", "open")
_ROW = {"source": "default", "text": "x" * 300}


@dataclass(frozen=True, kw_only=True, slots=True)
class AtRate:
    """The webhook at one rate, beside a raw insert of three rows."""

    per_s: int
    requests: int
    webhook: Latency
    raw: Latency
    app_cpu_ms: float
    """Of the app's process, for one request."""
    host_cpu_ms: float
    table_requests: int
    failed: int
    """Webhooks and raw inserts that got no good answer in time; their time counts all the same."""
    behind_s: float
    """How long after its moment the last request was answered: a queue that grows is one that is overrun."""


def measure(ground: Ground, rates: Sequence[int], seconds: int = SECONDS) -> list[AtRate]:
    """Send at each of *rates* for *seconds*, and insert at it for as long."""
    return [asyncio.run(_at(ground, rate, seconds)) for rate in rates]


async def _at(ground: Ground, rate: int, seconds: int) -> AtRate:
    wanted = posts(f"rate-{rate}", rate * seconds, ground.settings["WEBHOOK_SECRET"])
    worker, host = ground.worker(), ground.host
    if host is None:
        raise RuntimeError("no host runs")
    async with Sender(ground.url, _AT_ONCE) as sender:
        await sender.send_all(posts(f"warm-{rate}", 4, ground.settings["WEBHOOK_SECRET"]))
        before, app, whole = ground.counts(), cpu_s(worker), cpu_s(host)
        webhook, behind_s, failed = await _open_loop(rate, [_sending(sender, post) for post in wanted])
        app, whole = cpu_s(worker) - app, cpu_s(host) - whole
        counted = ground.counts() - before
    raw, raw_failed = await _raw(ground, rate, seconds)
    return AtRate(
        per_s=rate,
        requests=len(wanted),
        webhook=Latency.of(webhook),
        raw=Latency.of(raw),
        app_cpu_ms=app / len(wanted) * 1000,
        host_cpu_ms=(whole - app) / len(wanted) * 1000,
        table_requests=counted.requests["table"],
        failed=failed + raw_failed,
        behind_s=behind_s,
    )


def _sending(sender: Sender, post: Post) -> Callable[[], Awaitable[object]]:
    return lambda: sender.send(post)


async def _raw(ground: Ground, rate: int, seconds: int) -> tuple[list[float], int]:
    """Insert three rows at once, by the storage library alone, as often as the webhook stored an order."""
    async with TableServiceClient.from_connection_string(ground.settings["AzureWebJobsStorage"]) as service:
        table = service.get_table_client("ledger")

        def inserting(number: int) -> Callable[[], Awaitable[object]]:
            keys = [{"PartitionKey": f"raw-{rate}", "RowKey": f"{part}:{number:08d}"} for part in _PARTS]
            return lambda: table.submit_transaction([("create", key | _ROW) for key in keys])

        taken, _, failed = await _open_loop(rate, [inserting(number) for number in range(rate * seconds)])
        return taken, failed


async def _open_loop(rate: int, jobs: Sequence[Callable[[], Awaitable[object]]]) -> tuple[list[float], float, int]:
    """Start each job at its moment; return how long after it each was done, the last one too, and how many failed."""
    began, failed = time.perf_counter(), list[Exception]()

    async def one(number: int) -> float:
        moment = began + number / rate
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        try:
            await jobs[number]()
        except (NotAccepted, AzureError) as why:
            failed.append(why)
        return time.perf_counter() - moment

    taken = await asyncio.gather(*map(one, range(len(jobs))))
    return taken, taken[-1], len(failed)
