"""Orders from the shop's request until each is final, through the host, the webhook, the queues and the chain."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import Counts, Latency, Paid, cpu_s, memory_mib
from bench.ground import Ground
from bench.shop import Post, Sender, posts
from devstack import stack
from devstack.console import StepFailed
from devstack.contracts import Devchain
from devstack.runs import Run

LOOK_EACH_S = 0.5
_IDLE_LOOKS = 2
_OPEN, _PAID = ("open:", "opentx:"), ("order:", "tx:")
_TOKEN_UNITS = 10**18


def pay(ground: Ground, name: str, orders: int, *, within_s: float, waiting: int = 0) -> Paid:
    """
    Post *orders* at once and wait until all are final; then prove by the token's events that each was paid once.

    With *waiting*, so many are posted while payouts are paused; the last one wakes them, the time counts from then, and
    the first *orders* that are final end the measurement: a longer backlog says no more, and the emulator reads its
    whole table at each request.

    Raises:
        StepFailed: They were not final in time, or not each was paid exactly once.
    """
    asyncio.run(_warm(ground))
    worker = ground.worker()
    if ground.host is None:
        raise StepFailed("no host runs")
    gas_before = _total(ground, "gas_used")
    if waiting:
        _pause(ground)
    before, computed, all_computed = ground.counts(), cpu_s(worker), cpu_s(ground.host)
    began = time.time()
    wanted = posts(name, waiting or orders, ground.settings["WEBHOOK_SECRET"])
    if waiting:
        asyncio.run(_send_all(ground, wanted[:-1]))
        before, computed, all_computed = ground.counts(), cpu_s(worker), cpu_s(ground.host)
        began = _resume(ground)
    asyncio.run(_send_all(ground, wanted[-1:] if waiting else wanted))
    peak = _until_final(ground, within_s, orders if waiting else 0)
    counted = ground.counts() - before
    app = cpu_s(worker) - computed
    rows = {row["RowKey"]: row for prefix in _PAID for row in _of(ground, prefix)}
    paid = [post for post in wanted if rows[f"order:default:{post.order_id}"]["status"] == "paid"]
    _prove(ground, paid, wanted)
    return _figures(
        name,
        began,
        [rows[f"order:default:{post.order_id}"] for post in paid],
        rows,
        counted,
        app_cpu_s=app,
        host_cpu_s=cpu_s(ground.host) - all_computed - app,
        memory_mib=peak,
        gas_used=_total(ground, "gas_used") - gas_before,
        waiting=waiting,
        lanes=1 + sum(name.startswith("OPERATOR_PK__") for name in ground.settings),
    )


def _total(ground: Ground, column: str) -> int:
    """Return a total of the closed transactions of every operator."""
    return sum(int(getattr(row[column], "value", row[column])) for row in _of(ground, "stats:"))


def _pause(ground: Ground) -> None:
    _command(ground, "pause", "--apply", "--by", "bench", "--why", "orders come together")


def _resume(ground: Ground) -> float:
    """Let the payouts go on; return when."""
    _command(ground, "resume", "--apply", "--by", "bench", "--why", "all orders wait")
    return time.time()


def _command(ground: Ground, *words: str) -> None:
    """Type a command of the service, past the counter."""
    stack.command(Run(ground.log.parent), {**ground.settings, "AzureWebJobsStorage": ground.storage}, *words)


async def _warm(ground: Ground) -> None:
    """Let one order go first: what a process does once is measured as a cold start, by itself."""
    async with Sender(ground.url) as sender:
        await sender.send_all(posts("warm", 1, ground.settings["WEBHOOK_SECRET"]))
    await asyncio.to_thread(_until_final, ground, 60.0)


async def _send_all(ground: Ground, wanted: Sequence[Any]) -> None:
    async with Sender(ground.url) as sender:
        await sender.send_all(wanted)


def _until_final(ground: Ground, within_s: float, enough: int = 0) -> float:
    """Wait until *enough* are paid, or nothing waits and nothing is open; return the most memory the process had."""
    until, peak, idle = time.monotonic() + within_s, 0.0, 0
    worker = ground.worker()
    with ground.ledger() as table:
        while idle < _IDLE_LOOKS:
            peak = max(peak, memory_mib(worker))
            if time.monotonic() > until:
                raise StepFailed(f"not all orders were final within {within_s:.0f} s", ground.log)
            if enough and _total(ground, "orders_paid") > enough:  # the one that went first is among them
                break
            busy = any(_any_of(table, ground.settings["CHAIN_ID"], prefix) for prefix in _OPEN)
            idle = 0 if busy else idle + 1
            time.sleep(LOOK_EACH_S)
    return peak


def _any_of(table: Any, partition: str, prefix: str) -> bool:
    return next(iter(_query(table, partition, prefix, 1)), None) is not None


def _of(ground: Ground, prefix: str) -> Sequence[Mapping[str, Any]]:
    with ground.ledger() as table:
        return list(_query(table, ground.settings["CHAIN_ID"], prefix, 1_000))


def _query(table: Any, partition: str, prefix: str, page: int) -> Any:
    return table.query_entities(
        "PartitionKey eq @partition and RowKey ge @first and RowKey lt @last",
        parameters={"partition": partition, "first": prefix, "last": prefix[:-1] + chr(ord(prefix[-1]) + 1)},
        results_per_page=page,
    )


def _prove(ground: Ground, paid: Sequence[Post], wanted: Sequence[Post]) -> None:
    """Count the token's events: each wallet of a *paid* order got one token once, no other of *wanted* got it twice."""
    events = Devchain(ground.deployment).payouts()
    got = Counter((event.recipient.lower(), int(event.amount_units)) for event in events)
    wrong = [post for post in paid if got[post.wallet, _TOKEN_UNITS] != 1]
    wrong += [post for post in wanted if got[post.wallet, _TOKEN_UNITS] > 1]
    if wrong:
        raise StepFailed(f"{len(wrong)} of {len(wanted)} wallets were not paid exactly once", ground.log)


def _figures(
    name: str,
    began: float,
    orders: Sequence[Mapping[str, Any]],
    transactions: Mapping[str, Mapping[str, Any]],
    counted: Counts,
    **measured: Any,
) -> Paid:
    received = [max(_ms(order, "received_ms"), int(began * 1000)) for order in orders]
    paying = [_paying(order, transactions) for order in orders]
    submitted = [_ms(transaction, "submitted_ms") for transaction in paying]
    final = [_ms(order, "updated_ms") for order in orders]
    return Paid(
        name=name,
        orders=len(orders),
        transactions=len({transaction["RowKey"] for transaction in paying}),
        operators=len({transaction["operator"] for transaction in paying}),
        in_a_block=_in_a_block({transaction["RowKey"]: _ms(transaction, "block_number") for transaction in paying}),
        seconds_to_submitted=max(submitted) / 1000 - began,
        seconds_to_final=max(final) / 1000 - began,
        submitted=Latency.of([(to - since) / 1000 for since, to in zip(received, submitted, strict=True)]),
        final=Latency.of([(to - since) / 1000 for since, to in zip(received, final, strict=True)]),
        requests=dict(counted.requests),
        rpc_calls=counted.calls["rpc"].total(),
        kinds={kind: dict(each.most_common()) for kind, each in counted.calls.items()},
        **measured,
    )


def _in_a_block(blocks: Mapping[str, int]) -> float:
    """Return how many transactions a block held on average, while more were to come: the last block is left out."""
    numbers = sorted(blocks.values())
    full = [number for number in numbers if number < numbers[-1]]
    return len(full) / (numbers[-1] - numbers[0]) if full else float(len(numbers))


def _paying(order: Mapping[str, Any], transactions: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return transactions[f"tx:{order['operator']}:{order['nonce'].value:020d}"]


def _ms(row: Mapping[str, Any], column: str) -> int:
    return int(row[column].value)
