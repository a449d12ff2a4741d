"""Two processes, one order, one crash, one lost answer, at every call: exhaustive where the random machine samples."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from distributor.payout.settlement import LEASE_MS
from tests.properties.interleavings import Scene, explore
from tests.properties.machine_host import Host
from tests.properties.machine_invariants import Watchman
from tests.properties.machine_loop import Job
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


SCENES = {
    "two drains of one order": (Scene(begin=a_waiting_order, left=_drains, right=_drains), 5_000),
    "two turns that look after it": (Scene(begin=a_bound_order, left=_turns, right=_turns), 300),
}
"""Each with fewer states than it has: an enumeration that ends at once proves nothing."""


@pytest.mark.no_cover
@pytest.mark.parametrize(("scene", "least"), SCENES.values(), ids=SCENES)
def test_every_interleaving_keeps_every_rule(scene: Scene, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule after every call; and from every end the order is paid by what runs then."""
    assert explore(scene, monkeypatch).states > least
