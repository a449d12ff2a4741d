"""One run of the benchmark: every measurement after the other on one machine, so that its ratios mean something."""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bench import cold, finished, gas, in_worker, payouts, script, webhook
from bench.cold import Cold
from bench.figures import Paid, busy, machine
from bench.finished import LookCost
from bench.gas import GasOf
from bench.ground import ground, script_ground
from bench.in_worker import InWorker
from bench.webhook import AtRate
from devstack import paths
from devstack.console import Console
from devstack.runs import Run

_WITHIN_S = 900.0
SINGLE = {"MAX_ORDERS_PER_TRANSACTION": "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How much is measured."""

    script: int = 12
    single: Sequence[int] = (32, 100)
    batch: Sequence[int] = (10, 100, 1_000)
    lanes: Sequence[int] = (2, 3)
    """Operators at once; each number is measured in single mode and in batches."""
    lane_orders: tuple[int, int] = (100, 1_000)
    """Orders of a run with several lanes: single mode, batches."""
    waiting: int = 10_000
    """Orders that wait together before the first of them is bound; 0: not measured."""
    waiting_paid: int = 1_000
    """How many of them are paid before that measurement ends."""
    finished: Sequence[int] = finished.SIZES
    rates: Sequence[int] = (25, 50, 100, 200, 400)
    seconds: int = 10
    in_worker: int = in_worker.REQUESTS
    gas: Sequence[int] = gas.SIZES
    cold: bool = True


QUICK = Sizes(
    script=3,
    single=(16,),
    batch=(60,),
    lanes=(2,),
    lane_orders=(32, 0),
    waiting=0,
    finished=(100, 5_000),
    rates=(10,),
    seconds=4,
    in_worker=20,
    gas=(1, 30),
    cold=False,
)
"""Enough for the ratios of counts, which do not depend on how fast the machine is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one run found."""

    when: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    script: Paid
    single: Sequence[Paid]
    batch: Sequence[Paid]
    webhook: Sequence[AtRate]
    gas: Sequence[GasOf]
    cold: Cold | None = None
    in_worker: InWorker | None = None
    lanes: Sequence[Paid] = ()
    """Several operators at once, single mode and batches."""
    waiting: Paid | None = None
    """Batches: the first orders of many that all waited before the first was bound."""
    finished: Sequence[LookCost] = ()
    busy_before: float = 0.0
    """Processors that other programs used when it began."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> Result:
        """Return the result that was written there. Raises ValidationError where it is of another shape."""
        return TypeAdapter(cls).validate_json(path.read_bytes())


def measure(console: Console, run: Run, sizes: Sizes) -> Result:
    """Measure it all. Raises StepFailed, also where an order was not paid exactly once."""
    others = busy()
    found: dict[str, Any] = {}
    with console.step(f"the script, {sizes.script} orders"), script_ground(run) as plain:
        found["script"] = script.pay(plain, sizes.script)
    found["single"] = [_paid(console, run, "single", count, SINGLE) for count in sizes.single]
    found["batch"] = [_paid(console, run, "batch", count, {}) for count in sizes.batch]
    found["lanes"] = list(_several(console, run, sizes))
    if sizes.waiting:
        found["waiting"] = _paid(console, run, "batch", sizes.waiting_paid, {}, waiting=sizes.waiting)
    found["finished"] = [look for orders in sizes.finished for look in _looks(console, run, orders)]
    with console.step("the webhook"), ground(run, "webhook", webhook.OFF) as quiet:
        found["webhook"] = webhook.measure(quiet, sizes.rates, sizes.seconds)
        found["in_worker"] = in_worker.measure(quiet, sizes.in_worker)
    with console.step("gas"):
        found["gas"] = gas.measure(run, sizes.gas)
    if sizes.cold:
        with console.step("cold start"), ground(run, "cold", {}) as fresh:
            found["cold"] = cold.measure(fresh)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Result(when=now, machine=machine(), versions=versions(), busy_before=others, **found)


def _several(console: Console, run: Run, sizes: Sizes) -> Iterator[Paid]:
    single, batch = sizes.lane_orders
    for lanes in sizes.lanes:
        if single:
            yield _paid(console, run, "single", single, SINGLE, lanes=lanes)
        if batch:
            yield _paid(console, run, "batch", batch, {}, lanes=lanes)


def _paid(
    console: Console,
    run: Run,
    mode: str,
    orders: int,
    changes: Mapping[str, str],
    *,
    lanes: int = 1,
    waiting: int = 0,
) -> Paid:
    name = f"{mode}-{orders}" + (f"-{lanes}-lanes" if lanes > 1 else "") + (f"-of-{waiting}" if waiting else "")
    with console.step(name), ground(run, name, changes, lanes=lanes) as found:
        return payouts.pay(found, name, orders, within_s=_WITHIN_S, waiting=waiting)


def _looks(console: Console, run: Run, orders: int) -> Sequence[LookCost]:
    name = f"finished-{orders}"
    with console.step(name), ground(run, name, {}, host=False) as found:
        return finished.measure(found, orders)


def versions() -> Mapping[str, str]:
    """Return the versions of what took part."""
    locked = json.loads((paths.ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    commit = subprocess.run(
        [shutil.which("git") or "git", "rev-parse", "--short=12", "HEAD"],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": commit.stdout.strip() or "unknown",
        "anvil": locked["node_modules/@foundry-rs/anvil"]["version"],
        "azurite": locked["node_modules/azurite"]["version"],
        "python": platform.python_version(),
    }
