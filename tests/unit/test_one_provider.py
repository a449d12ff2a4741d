"""Two addresses of one provider are one word: of the past, of the guard's records, and of what is final."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from distributor.chain.guard_chain import GuardContract
from distributor.chain.history import ChainHistory
from distributor.chain.nodes import Nodes
from distributor.chain_types import Mark
from distributor.errors import ChainUnavailable
from distributor.model import OrderStatus
from distributor.payout import guard_past
from distributor.recovery.completeness import Books, Completeness
from tests.factories import a_hash
from tests.fakes.chain import AUTHORITY, RESERVE, TOKEN, FakeChain
from tests.fakes.chain_state import GUARD
from tests.rebuilding import Desk
from tests.unit.test_guard_past import mark_of
from tests.unit.test_guarded_payouts import FINALITY_BLOCKS, pay_elsewhere
from tests.world import a_world, tokens

ONE, SAME, OTHER = "polygon.one.example", "amoy.one.example", "rpc.other.example"


class Heard:
    """Nodes of which some answer, all of them alike: nothing is recorded, and nothing is there."""

    def __init__(self, labels: Sequence[str], *answering: str) -> None:
        self.labels, self._answering = labels, answering

    async def read_all(self, _: object) -> Sequence[tuple[str, Any]]:
        return [(label, 7) for label in self._answering]


@pytest.mark.parametrize(
    ("labels", "answering", "enough"),
    [
        ([ONE, SAME, OTHER], [ONE, SAME], False),
        ([ONE, SAME, OTHER], [SAME, OTHER], True),
        ([ONE, SAME], [SAME], True),
        ([ONE, OTHER], [ONE], False),
    ],
)
async def test_a_past_and_a_record_need_two_providers(labels: list[str], answering: list[str], enough: bool) -> None:
    """Both addresses of one have the same machine behind them, or the same mistake."""
    nodes = cast("Nodes", Heard(labels, *answering))
    guard = GuardContract(nodes, guard=GUARD, authority=AUTHORITY)
    history = ChainHistory(nodes, token=TOKEN, reserve=RESERVE)
    for asked in (guard.payment(GUARD, a_hash("ref")), history.reserve_balance(7)):
        if enough:
            assert await asked == 7
        else:
            with pytest.raises(ChainUnavailable, match="too few nodes"):
                await asked


async def test_a_payment_is_not_final_by_two_addresses_of_one_provider() -> None:
    """Both claim it; the other provider's node shows the block as not final."""
    world = await a_world(guarded=True, chain=FakeChain(nodes=(ONE, SAME, OTHER)))
    world.chain.stall_finality()
    order = await world.receive()
    pay_elsewhere(world, order)
    world.chain.mine(FINALITY_BLOCKS)
    head = world.chain.head.number
    for liar in (ONE, SAME):
        world.chain.said_by(liar).mark = Mark(head, head)

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED


async def test_no_mark_moves_by_two_addresses_of_one_provider() -> None:
    """The third node hides what the mark would pass."""
    world = await a_world(guarded=True, chain=FakeChain(nodes=(ONE, SAME, OTHER)))
    world.guard.record(await world.receive())
    world.chain.mine(FINALITY_BLOCKS)
    reading = await guard_past.read_past(world.ledger, world.guard, GUARD)
    marks, seen = world.a_guard_way().marks, reading.pasts

    await marks.move(replace(reading, pasts=seen[:2]), nodes=world.chain.nodes)
    assert await mark_of(world) == 0
    await marks.move(replace(reading, pasts=seen[1:]), nodes=world.chain.nodes)
    assert await mark_of(world) == 1


@pytest.mark.parametrize(("second", "clear"), [(SAME, False), (OTHER, True)])
async def test_an_emptied_reserve_is_shown_by_two_providers(
    monkeypatch: pytest.MonkeyPatch, second: str, clear: bool
) -> None:
    """What was before it was empty no sum can tell."""

    async def books(*_: Any, **__: Any) -> Books:
        return Books(arrived_units=tokens(1), left_units=0, held_units=tokens(1), emptied=True, from_creation=True)

    monkeypatch.setattr(Completeness, "books", books)
    world = await a_world(chain=FakeChain(nodes=(ONE, second)))

    assert (await Desk(world).rebuild()).clear == clear
