"""How long the first things take in a process that has done nothing yet."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass

from bench.figures import memory_mib
from bench.ground import Ground
from bench.shop import Sender, posts
from devstack import paths, stack

IMPORTS = 3
_IMPORT = "import time; began = time.perf_counter(); import function_app; print(time.perf_counter() - began)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cold:
    """Seconds, each from its own beginning."""

    importing_s: float
    """The fastest of some imports of the app by a fresh interpreter, its bytecode there."""
    first_webhook_s: float
    first_payout_s: float
    """From the first order's request until a node had its transaction."""
    idle_memory_mib: float
    """Of the app's process, before the first order."""


def measure(ground: Ground) -> Cold:
    """Send the first order to a host that has just started."""
    idle = memory_mib(ground.worker())
    began = time.time()
    first = asyncio.run(_first(ground))
    return Cold(
        importing_s=min(_importing() for _ in range(IMPORTS)),
        first_webhook_s=first,
        first_payout_s=_submitted(ground) - began,
        idle_memory_mib=idle,
    )


async def _first(ground: Ground) -> float:
    async with Sender(ground.url) as sender:
        return await sender.send(posts("first", 1, ground.settings["WEBHOOK_SECRET"])[0])


def _submitted(ground: Ground) -> float:
    """Return when the only transaction was handed to a node; that moment is in its row."""
    while True:
        with ground.ledger() as table:
            rows = {row["RowKey"]: row for row in table.list_entities()}
        moments = [
            row["submitted_ms"].value for key, row in rows.items() if key.startswith("tx:") and "submitted_ms" in row
        ]
        if moments:
            return float(moments[0] / 1000)
        time.sleep(0.1)


def _importing() -> float:
    command = [sys.executable, "-c", _IMPORT]
    ended = subprocess.run(command, cwd=paths.ROOT, env=stack.environment({}), capture_output=True, check=True)
    return float(ended.stdout)
