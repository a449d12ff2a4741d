"""What becomes of orders that are tried before a nonce is bound: only two refusals hold one, and none voids another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from distributor.chain_types import Call, Revert, RevertKind, Simulation
from distributor.model import Address, Order
from distributor.payout.trial import Judged, Trials
from tests.factories import an_order
from tests.fakes.chain import OPERATOR, FakeChain
from tests.world import World, a_world

GAS = Simulation(gas=60_000)
DEAR = Simulation(gas=400_000)
REFUSED = Simulation(revert=Revert(kind=RevertKind.OTHER, text="wallet refused"))
LOCKED = Simulation(revert=Revert(kind=RevertKind.RESERVE_SHORT, text="balance locked"))
PAUSED = Simulation(revert=Revert(kind=RevertKind.AUTHORITY_PAUSED, text="EnforcedPause()"))
UNKNOWN = Simulation(unknown="Internal error")


class Saying(FakeChain):
    """Nodes that say of the probe and of each order what a test wants."""

    def __init__(self, said: Mapping[str, Mapping[str, Simulation]]) -> None:
        super().__init__(nodes=tuple(said))
        self.said = said
        self.names: dict[Call, str] = {}

    def probe(self, operator: Address) -> Call:
        return self._named(super().probe(operator), "probe")

    def pay(self, *orders: Order) -> Call:
        return self._named(super().pay(*orders), ids(orders))

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        assert operator == OPERATOR
        chosen = self._asked("simulate", node)
        return [self.said[chosen].get(self.names[call], GAS) for call in calls]

    def _named(self, call: Call, name: str) -> Call:
        self.names[call] = name
        return call


async def judged(*nodes: Mapping[str, Simulation], down: Sequence[str] = ()) -> Judged:
    """Judge the orders A, B and C on nodes that say this of some of them, and that all others cost gas."""
    chain = Saying({f"node-{number}": said for number, said in enumerate(nodes, start=1)})
    for node in down:
        chain.go_down(node)
    orders = [an_order(name) for name in "ABC"]
    return await Trials(payer=chain, nodes=chain.nodes, operator=OPERATOR, gas_limit=300_000).judge(
        orders, node="node-1"
    )


def ids(orders: Sequence[Order]) -> str:
    """Return the ids of *orders* as one word."""
    return "".join(order.order_id for order in orders)


def outcome(found: Judged) -> tuple[str, str, str]:
    """Return the ids of those that are paid, held and passed over."""
    paid = [order for batch in found.batches for order in batch]
    return ids(paid), ids([order for order, _ in found.held]), ids([order for order, _ in found.passed_over])


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([{}], ("ABC", "", "")),
        ([{"B": REFUSED}], ("AC", "B", "")),
        ([{"B": DEAR}], ("AC", "B", "")),
        ([{"B": UNKNOWN}], ("AC", "", "B")),
        ([{"B": LOCKED}], ("AC", "", "B")),
        ([{"B": REFUSED, "probe": UNKNOWN}], ("AC", "", "B")),
        ([{"B": REFUSED, "probe": REFUSED}], ("AC", "", "B")),
        ([{"probe": REFUSED}], ("ABC", "", "")),
        ([{"B": REFUSED}, {"B": REFUSED}], ("AC", "B", "")),
        ([{"B": REFUSED}, {}], ("AC", "", "B")),
        ([{"B": REFUSED}, {"B": UNKNOWN}], ("AC", "", "B")),
        ([{"B": REFUSED}, {"B": REFUSED, "probe": PAUSED}], ("AC", "", "B")),
        ([{"B": UNKNOWN}, {}], ("ABC", "", "")),
        ([{"B": UNKNOWN}, {"B": UNKNOWN}], ("AC", "", "B")),
        ([{"B": UNKNOWN}, {"B": REFUSED}], ("AC", "", "B")),
        ([{"A": REFUSED, "B": UNKNOWN}, {"A": REFUSED}], ("BC", "A", "")),
    ],
)
async def test_an_order_is_held_on_two_refusals_only(
    nodes: Sequence[Mapping[str, Simulation]], expected: tuple[str, str, str]
) -> None:
    """Where two nodes are configured; and what no node can judge is passed over, beside others that are paid."""
    assert outcome(await judged(*nodes)) == expected


@pytest.mark.parametrize(("trouble", "kind"), [(REFUSED, RevertKind.OTHER), (PAUSED, RevertKind.AUTHORITY_PAUSED)])
async def test_a_probe_that_is_refused_speaks_for_all_only_where_no_order_does_better(
    trouble: Simulation, kind: RevertKind
) -> None:
    """An Authority that refuses one reference is no reason to pay nobody."""
    nobody = await judged({"probe": trouble, "A": trouble, "B": UNKNOWN, "C": trouble})

    assert nobody.service_wide is not None
    assert nobody.service_wide.kind is kind
    assert outcome(nobody) == ("", "", "")


async def test_a_second_node_that_does_not_answer_stops_only_the_doubtful_order() -> None:
    """The others are paid by the first node's word; a third is asked where there is one."""
    assert outcome(await judged({"B": REFUSED}, {}, down=["node-2"])) == ("AC", "", "B")
    assert outcome(await judged({"B": REFUSED}, {}, {"B": REFUSED}, down=["node-2"])) == ("AC", "B", "")
    assert outcome(await judged({"B": UNKNOWN}, {}, {}, down=["node-2"])) == ("ABC", "", "")


async def test_an_order_refused_by_itself_is_named_once_it_has_waited_for_minutes() -> None:
    """Four orders, one of which no node can simulate: three are paid, and a person hears of the fourth."""
    world: World = await a_world(chain=Saying({"node-1": {"ORD2": UNKNOWN}}))
    orders = [await world.receive() for _ in range(4)]
    await world.settle(1)
    drained = await world.distribution.drain()
    soon = list(world.alarms.codes)
    world.clock.advance(300_000)
    await world.distribution.drain()

    assert drained.bound == 3
    assert soon == []
    assert world.alarms.codes == ["order_passed_over"]
    assert world.alarms.raised[0].subject == str(orders[1].key)
    assert "Internal error" in world.alarms.raised[0].summary
