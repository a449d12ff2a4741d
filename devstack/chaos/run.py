"""
``chaos``: orders without a pause through the real Functions host, while everything under it fails.

Two hosts work on one ledger and ask two nodes, and two operators pay at once. Two scripts of faults run side by
side: processes are killed and started again (host, storage, node); the chain is reorganised, stops, gets dear, and
the wire of one node lies. In the middle one operator's key and the shop's secret are rotated. Then the faults stop,
every order must become final, and the chain is asked what was paid.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from random import Random

from devstack import runs
from devstack.chaos.faults import Faults
from devstack.chaos.ground import SIDE_OPERATOR, Ground, ground
from devstack.chaos.proof import Books, Verdict, longest_delay_s, read_books, verdict
from devstack.chaos.rotation import Rotation
from devstack.chaos.shop import BURST_ORDERS, Shop
from devstack.console import Console, Ended, StepFailed
from devstack.contracts import Devchain
from devstack.runs import Run

FINAL_WITHIN_S = 600.0
"""After the last fault: a lease, the sweep's minute, a node's pause and finality in turn, on a busy machine."""
_LOOK_EACH_S = 2.0


def run(console: Console, *, minutes: float, seed: int, burst: int = BURST_ORDERS) -> int:
    """Return 0 when every order was paid exactly once, 1 when not or when it was ended. Raises StepFailed."""
    try:
        with runs.begin() as this:
            console.say(f"A soak of {minutes:g} minutes, seed {seed}. Logs: {this.folder}", "bold")
            with ground(console, this, side_lane=True) as found:
                return _soak(console, this, found, minutes=minutes, seed=seed, burst=burst)
    except Ended:
        console.say("\nEnded before its time: nothing was proved.")
        return 1


def _soak(console: Console, this: Run, found: Ground, *, minutes: float, seed: int, burst: int) -> int:
    settings, either = found.settings, Random(f"front door {seed}")  # noqa: S311 -- a run that can be repeated, no secret
    shop = Shop(
        lambda: either.choice(found.hosts).running.url,
        settings["WEBHOOK_SECRET"],
        found.deployment.customers,
        seed,
        burst=burst,
    )
    faults, rotation = Faults(found, console, seed), Rotation(found, shop, this)
    console.say("\nFaults", "bold")
    with shop.open(), faults.raging():
        _pass(minutes * 30, faults)
        faults.ask(rotation.rotate)
        _pass(minutes * 30, faults)
    console.say("\nNo more faults, no more orders.", "bold")
    with console.step("wait until every order is final"):
        books = _final_books(found)
    judged = verdict(shop.placed, Devchain(found.deployment).payouts(), books)
    return _conclude(console, _figures(found, shop, faults, books), judged)


def _pass(seconds: float, faults: Faults) -> None:
    """Let time pass; a script that broke ends it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not faults.broken:
        time.sleep(_LOOK_EACH_S)


def _final_books(found: Ground) -> Books:
    """Return the ledger once every order in it is final. Raises StepFailed."""
    until = time.monotonic() + FINAL_WITHIN_S
    while True:
        for part in found.parts:
            if part.running.process.poll() is not None:
                raise StepFailed(f"{part.name} ended by itself.")
        books = read_books(found.storage.running.connection_string, found.settings)
        if books.all_final or time.monotonic() > until:
            return books
        time.sleep(_LOOK_EACH_S)


def _figures(found: Ground, shop: Shop, faults: Faults, books: Books) -> Mapping[str, str]:
    """Return what happened, by name."""
    struck, parts = faults.struck, found.parts
    kills = ", ".join(f"{part.name} {part.kills}" for part in parts)
    reorganised = struck.counts.pop("reorganisations", 0)
    return {
        "orders": f"{len(shop.placed)} (posted {shop.posts} times)",
        "kills": f"{sum(part.kills for part in parts)} ({kills})",
        "reorganisations": f"{reorganised} (up to {struck.deepest_reorg} blocks, {struck.undone} payments undone)",
        "other faults": ", ".join(f"{name} {count}" for name, count in sorted(struck.counts.items())),
        "replacements": str(books.replacements),
        "side lane": f"{books.bound_by(SIDE_OPERATOR)} transactions by another operator at the same time",
        "rotation": f"{books.bound_by(found.deployment.operator)} transactions by the first key, "
        f"{books.bound_by(found.deployment.second_operator)} by the second",
        "longest delay": f"{longest_delay_s(shop.placed, books):.0f} s",
    }


def _conclude(console: Console, figures: Mapping[str, str], judged: Verdict) -> int:
    console.say("\nWhat happened", "bold")
    for name, text in {**figures, **judged.figures}.items():
        console.say(f"  {name:<16} {text}")
    if not judged.good:
        console.say("\nNOT every order was paid exactly once.", "red")
        return 1
    console.say("\nEvery order was paid exactly once.", "green")
    return 0
