"""Stories of a shop whose setting gets another name, or another secret, and that sends its old orders again."""

from __future__ import annotations

from collections.abc import Callable

from distributor.payout.settlement import LEASE_MS
from tests.properties.machine import Payouts
from tests.properties.machine_stories import Story, _is_bound, _once

_SHOPS = frozenset({"change_shop"})


def _sends_again(*, secret: bool) -> Callable[[Payouts], None]:
    """Return a shop that sends a bound order again: under a new name, with the old secret or with a new one."""

    def told(machine: Payouts) -> None:
        _is_bound(machine, 0)
        machine.people.change_shop(name=True, secret=secret)
        machine.troubles.pass_time(LEASE_MS + 1)
        _is_bound(machine, 0)
        machine.people.say_whose(0, True)
        _is_bound(machine, 1)
        machine.troubles.mine(1)

    return told


RENAMED = Story(tell=_once(_sends_again(secret=False)), troubles=_SHOPS)
REKEYED = Story(tell=_once(_sends_again(secret=True)), troubles=_SHOPS)
