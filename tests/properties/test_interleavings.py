"""Two processes, one order, one crash, one lost answer, at every call: exhaustive where the random machine samples."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from distributor.payout.settlement import LEASE_MS
from distributor.units import Wei
from tests.factories import GWEI
from tests.properties import machine_broken_chain as chain
from tests.properties import machine_broken_people as people
from tests.properties import machine_broken_reads as reads
from tests.properties import machine_broken_writes as writes
from tests.properties import machine_harm
from tests.properties.interleavings import Scene, explore
from tests.properties.machine_harm import Broken
from tests.properties.machine_host import Host
from tests.properties.machine_invariants import Watchman
from tests.properties.machine_loop import Job
from tests.properties.machine_mutations import PAUSED, SOUND_IS_READ, STORED, TWICE
from tests.properties.machine_rules import BY_DEPTH
from tests.properties.machine_world import World


def a_waiting_order() -> Watchman:
    """One order waits, and both processes have just begun."""
    world = World(BY_DEPTH)
    watchman = Watchman(world)
    order = world.an_order(0, 10)
    world.asked[order.key] = 1
    _alone(watchman, lambda host: host.receive(order))
    return watchman


def a_bound_order() -> Watchman:
    """It was bound and handed over by a process whose leases have ended."""
    watchman = a_waiting_order()
    _alone(watchman, Host.drain)
    watchman.world.clock.advance(LEASE_MS + 1)
    return watchman


def a_payment_too_cheap() -> Watchman:
    """It was bound, and the price has risen over what it offers; another order waits behind it."""
    watchman = a_bound_order()
    world = watchman.world
    world.chain.set_base_fee(Wei(26 * GWEI))
    order = world.an_order(1, 10)
    world.asked[order.key] = 1
    _alone(watchman, lambda host: host.receive(order))
    world.clock.advance(LEASE_MS + 1)
    return watchman


def _alone(watchman: Watchman, begin: Callable[[Host], Job]) -> None:
    """Let a process of its own do one thing to its end."""
    host = watchman.world.a_host(0)
    host.turns.go_free()
    begin(host)
    watchman.see_ended([error for job in host.turns.jobs if job.task and (error := job.task.exception())])


def _drains(host: Host) -> Coroutine[Any, Any, object]:
    return host.distribution.drain()


def _turns(host: Host) -> Coroutine[Any, Any, object]:
    return host.settlement.turn()


async def _pauses(host: Host) -> None:
    await host.ledger.admin.pause("a person", "a rehearsal")
    host.world.paused(halts=False)


SCENES = {
    "two drains of one order": (Scene(begin=a_waiting_order, left=_drains, right=_drains), 5_000),
    "two turns that look after it": (Scene(begin=a_bound_order, left=_turns, right=_turns), 300),
    "a drain and a pause": (Scene(begin=a_waiting_order, left=_drains, right=_pauses, goes_wrong=()), 100),
    "a drain beside a turn that outbids": (
        Scene(begin=a_payment_too_cheap, left=_drains, right=_turns, goes_wrong=()),
        100,
    ),
}
"""Each with fewer states than it has: an enumeration that ends at once proves nothing."""


@pytest.mark.no_cover
@pytest.mark.parametrize(("scene", "least"), SCENES.values(), ids=SCENES)
def test_every_interleaving_keeps_every_rule(scene: Scene, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule after every call; and from every end the order is paid by what runs then."""
    assert explore(scene, monkeypatch).states > least


HARMS = [
    ("two drains of one order", writes.submit_before_binding, {STORED}),
    ("two turns that look after it", chain.null_receipt_is_a_dropped_transaction, {TWICE}),
    ("a drain and a pause", people.pause_without_touching_the_nonces, {PAUSED}),
    ("a drain and a pause", reads.switch_read_before_the_books, {PAUSED}),
    ("a drain beside a turn that outbids", reads.attempts_read_before_transactions, {SOUND_IS_READ}),
    ("a drain beside a turn that outbids", writes.submit_before_storing_a_replacement, {STORED}),
]
"""Where, which discipline is taken away, and the rules one of which must then be seen broken."""


@pytest.mark.no_cover  # what runs here is broken on purpose
@pytest.mark.parametrize(("where", "broken", "seen"), HARMS, ids=lambda each: getattr(each, "__name__", None))
def test_a_broken_discipline_is_met_by_the_enumeration(
    where: str, broken: Callable[[pytest.MonkeyPatch], None], seen: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An enumeration that notices no harm proves nothing; the first interleaving that shows it ends it."""
    broken(monkeypatch)
    monkeypatch.setattr(machine_harm, "ONLY", seen)

    with pytest.raises(Broken) as noticed:
        explore(SCENES[where][0], monkeypatch)

    assert noticed.value.rule in seen
