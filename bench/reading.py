"""How the figures are to be read: sentences that are chosen and filled in by the figures themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil

from bench.charts import number
from bench.figures import Paid
from bench.run import Result
from bench.targets import largest, targets, waiting_32
from bench.words import Words
from devstack.capacity import IN_FLIGHT, ORDERS_MAX

_QUIET = 0.5
"""Processors that others use on a machine that counts as quiet."""
_FULL = 0.9
"""Share of a block's places from which on they count as filled."""
_KEEPS_UP_S = 1.0
_SINGLE_MS_BEFORE = 65
"""Of an order in single mode, app and host, when the bound of an eighth was set; on another machine."""


def reading(result: Result, words: Words) -> str:
    """Return the paragraph, a point for each sentence that is true of *result*."""
    said = words.reading
    lines = [f"- {said[name].format(**values)}" for name, values in points(result)]
    missing = ", ".join(said[f"missing_{name}"] for name in _missing(result))
    return "\n".join([*lines, *([f"- {said['missing']} {missing}."] if missing else [])])


def points(result: Result) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the name of each sentence, and what is filled into it."""
    batch, single = largest(result.batch), largest(result.single)
    yield ("quiet" if result.busy_before < _QUIET else "shared"), {"busy": f"{result.busy_before:.1f}"}
    yield _filled("batch", batch), _figures(batch)
    yield _filled("single", single), _figures(single)
    yield from (("lanes", found) for found in _lanes(result))
    if (waiting := result.waiting) is not None:
        yield "waiting", {**_figures(waiting), "waiting": f"{waiting.waiting:,}", "memory": f"{waiting.memory_mib:.0f}"}
    yield from _limits(result)
    yield "look", {}
    if batch.kinds.get("table", {}).get("get ref", 0) > batch.orders:
        yield "refs", {}
    if (found := result.in_worker) is not None:
        yield "mail", {"ratio": f"{found.app_cpu_ms / found.library_cpu_ms:.2f}"}
    yield from _rates(result)
    yield from ((name, {}) for name in ("final", "script", "emulator", "queues"))


def _limits(result: Result) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Say of each missed target whose reason is known what limits it."""
    missed = {each.name: each for each in targets(result) if not each.met}
    batch, single, asked = largest(result.batch), largest(result.single), waiting_32(result)
    if (rpc := missed.get("rpc_single")) is not None:
        rounds, allowed = ceil(asked.orders / IN_FLIGHT), int(rpc.bound * asked.orders)
        asking = {"requests": asked.requests["rpc"], "orders": asked.orders}
        yield "rpc_single", {**asking, "allowed": allowed, "rounds": rounds}
    if "cpu_batch" in missed:
        share = batch.cpu_ms_each / _SINGLE_MS_BEFORE
        costs = {"batch": number(batch.cpu_ms_each), "single": number(single.cpu_ms_each), "share": f"{share:.3f}"}
        yield "cpu_batch", {**costs, "before": _SINGLE_MS_BEFORE}
    if "memory" in missed and (waiting := result.waiting) is not None:
        times = waiting.memory_mib / batch.memory_mib
        held = {"held": IN_FLIGHT * ORDERS_MAX, "orders": f"{batch.orders:,}", "waiting": f"{waiting.waiting:,}"}
        yield "memory", {**held, "times": f"{times:.2f}"}


def _filled(mode: str, paid: Paid) -> str:
    return f"{mode}_full" if paid.in_a_block >= _FULL * IN_FLIGHT * paid.lanes else f"{mode}_free"


def _figures(paid: Paid) -> Mapping[str, object]:
    return {
        "orders": f"{paid.orders:,}",
        "places": IN_FLIGHT * paid.lanes,
        "filled": number(paid.in_a_block),
        "rate": number(paid.orders_per_s),
        "processors": number((paid.app_cpu_s + paid.host_cpu_s) / paid.seconds_to_final),
    }


def _lanes(result: Result) -> Iterator[Mapping[str, object]]:
    """Yield each run of several operators beside the one of one operator with as many orders in that mode."""
    for paid in result.lanes:
        mode = paid.name.partition("-")[0]
        alone = [one for one in (*result.single, *result.batch) if one.name == f"{mode}-{paid.orders}"]
        for one in alone:
            times = number(paid.orders_per_s / one.orders_per_s)
            yield {**_figures(paid), "lanes": paid.lanes, "mode": mode, "times": times}


def _rates(result: Result) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Say up to which rate the webhook kept up, in the order of the rates."""
    kept = [each.per_s for each in result.webhook if each.behind_s < _KEEPS_UP_S and not each.failed]
    overrun = [each.per_s for each in result.webhook if each.per_s not in kept]
    if kept:
        yield "kept_up", {"rate": max(kept)}
    if overrun:
        yield "overrun", {"rate": min(overrun)}


def _missing(result: Result) -> Iterator[str]:
    there = {"waiting": result.waiting, "finished": result.finished, "lanes": result.lanes}
    yield from (name for name, found in there.items() if not found)
