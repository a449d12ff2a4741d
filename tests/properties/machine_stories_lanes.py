"""Stories of two operators that pay at the same time: a sign, a race, a nonce that stands still, no coin for gas."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.payout.lane_choice import STUCK_MS
from tests.properties.machine import Payouts
from tests.properties.machine_harm import hold
from tests.properties.machine_host import Host
from tests.properties.machine_rules import MAX_IN_FLIGHT, ORDERS
from tests.properties.machine_stories import Story, _comes, _is_bound, _is_overtaken, _once, _works

STANDS_STILL = "a lane that stands still takes no orders"
OTHERS_GO_ON = "a lane in trouble holds up no order"
FIRST, SECOND = 0, 1
TURNED = 1
"""The place of the lanes in the other order, among what a person may configure."""


def _bound_by(machine: Payouts, *numbers: int) -> Sequence[str | None]:
    """Return who each order is bound by, first or second; None where it is not bound."""
    known = {order.order_id: order.operator for order in machine.world.stored()}
    return [known[ORDERS[number]] for number in numbers]


def _table_is_put_back_before_one_lane(machine: Payouts) -> None:
    """
    A pool holds a payment of the first lane, the table is put back as it was before it, and the shop sends it again.

    The first lane shows a sign that the ledger is older than the chain, the second one shows none.
    """
    _is_bound(machine, 0)
    machine.troubles.lose_ledger("went back", len(machine.troubles.copies) - 1, True)
    _is_bound(machine, 0)
    machine.troubles.mine(1)


def _two_hosts_begin_with_another_lane(machine: Payouts, awaits: int) -> bool:
    """
    The lanes were configured in the other order, and only one host has started since: both bind the same order.

    Each lane has bound another order before, so that both have as many free slots and the totals of the day exist.
    """
    _is_bound(machine, 2)
    _is_bound(machine, 4)
    machine.troubles.set_lanes(TURNED)
    machine.world.kill(1)
    _comes(machine, 0)
    over = _is_overtaken(machine, Host.drain, awaits, lambda each: _works(each, Host.drain, host=1))
    machine.troubles.mine(1)
    return over


def _a_nonce_stands_still(machine: Payouts) -> None:
    """No producer sees what the first lane sends; it has more free slots than the second one, and then all of them."""
    machine.troubles.silence_lane(FIRST)
    _is_bound(machine, 0)
    machine.troubles.pass_time(STUCK_MS)
    later = range(1, MAX_IN_FLIGHT + 2)
    for number in later:
        _is_bound(machine, number)
    bound = _bound_by(machine, *later)
    second = machine.world.lanes[SECOND]
    hold(bound == [second] * MAX_IN_FLIGHT + [None], STANDS_STILL, bound)


def _one_lane_is_dry(machine: Payouts) -> None:
    """The first lane has no coin for gas, and orders come."""
    machine.troubles.dry_lane(FIRST, dry=True)
    _is_bound(machine, 0, 1)
    bound = _bound_by(machine, 0, 1)
    hold(set(bound) == {machine.world.lanes[SECOND]}, OTHERS_GO_ON, bound)


_LANES = frozenset({"set_lanes"})
SIGN_IN_ONE = Story(
    tell=_once(_table_is_put_back_before_one_lane), guarded=True, troubles=_LANES | frozenset({"lose_ledger"})
)
BOUND_BY_TWO = Story(tell=_two_hosts_begin_with_another_lane, troubles=_LANES)
STILL = Story(tell=_once(_a_nonce_stands_still), troubles=_LANES)
DRY = Story(tell=_once(_one_lane_is_dry), troubles=_LANES)
