"""What the figures should come to, each a ratio within one run, and what they came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Paid
from bench.finished import LookCost
from bench.gas import GasOf
from bench.run import Result
from bench.webhook import AtRate


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One figure and its bound."""

    name: str
    bound: float
    measured: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


def targets(result: Result) -> Sequence[Target]:
    """Return them all; a figure is of the run with the most orders, where nothing else is said."""
    batch, single = largest(result.batch), largest(result.single)
    waiting = waiting_32(result)
    rate = min(result.webhook, key=lambda each: abs(each.per_s - 50))
    return [
        Target(name="faster", bound=50, measured=batch.orders_per_s / result.script.orders_per_s, at_least=True),
        Target(name="slots", bound=14.5, measured=single.in_a_block, at_least=True),
        Target(name="rpc_single", bound=0.4, measured=waiting.each("rpc")),
        Target(name="rpc_batch", bound=0.05, measured=batch.each("rpc")),
        Target(name="storage_batch", bound=6, measured=batch.storage_each),
        Target(name="cpu_batch", bound=1 / 8, measured=batch.cpu_ms_each / single.cpu_ms_each),
        *_gas(result.gas),
        *_webhook(result, rate),
        Target(name="memory", bound=1.1, measured=_most(result).memory_mib / _hundred(result.batch).memory_mib),
        *_finished(result.finished),
    ]


def waiting_32(result: Result) -> Paid:
    """Return the run of single mode in which nearest to 32 orders waited."""
    return min(result.single, key=lambda each: abs(each.orders - 32))


def largest(runs: Sequence[Paid]) -> Paid:
    """Return the run with the most orders."""
    return max(runs, key=lambda each: each.orders)


def _hundred(runs: Sequence[Paid]) -> Paid:
    return min(runs, key=lambda each: abs(each.orders - 100))


def _most(result: Result) -> Paid:
    """Return the run with the most waiting orders."""
    return result.waiting or largest(result.batch)


def times_dearer(found: Sequence[LookCost], name: str) -> float:
    """Return how many times the processor time of a look grows from the fewest finished orders to the most."""
    costs = sorted((each for each in found if each.name == name), key=lambda each: each.orders)
    return costs[-1].cpu_ms / costs[0].cpu_ms


def _finished(found: Sequence[LookCost]) -> list[Target]:
    """None where they were not measured."""
    looks = ("sweep", "settlement") if found else ()
    return [Target(name=f"finished_{name}", bound=1.1, measured=times_dearer(found, name)) for name in looks]


def _gas(found: Sequence[GasOf]) -> list[Target]:
    guarded = {each.size: each for each in found if each.guarded}
    one, full = guarded[min(guarded)], guarded[max(guarded)]
    return [
        Target(name="gas_new", bound=0.60, measured=full.new_holder / one.new_holder),
        Target(name="gas_existing", bound=0.52, measured=full.existing_holder / one.existing_holder),
    ]


def _webhook(result: Result, rate: AtRate) -> list[Target]:
    """The app alone, where it was measured in the worker library: the host before it is none of ours."""
    app_cpu_ms = result.in_worker.app_cpu_ms if result.in_worker else rate.app_cpu_ms
    return [
        Target(name="webhook_p95", bound=3, measured=rate.webhook.p95 / rate.raw.p95),
        Target(name="webhook_cpu", bound=1.7, measured=app_cpu_ms),
    ]
