"""A ledger that was lost with its identity: the guard of the settings is proved by the chain, or by a person's word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.errors import ChainUnavailable
from distributor.model import OrderStatus
from distributor.payout.history import ReserveTransfer
from distributor.state import Identity
from foundation.errors import ConfigurationError
from tests.factories import an_address, an_order
from tests.fakes.chain import CUSTOMERS, FakeChain
from tests.fakes.chain_state import GUARD
from tests.rebuilding import Desk, a_payout, lose_ledger
from tests.world import a_world

STATE_BLOCKS = 128
"""Of so many blocks a usual node keeps the state."""


async def a_lost_guarded_ledger() -> Desk:
    """ORD1 was paid through the guard, and the table is gone; the settings name that guard."""
    world = await a_world(guarded=True)
    await a_payout(world, "ORD1")
    desk = await lose_ledger(world)
    desk.identity, desk.guards = world.identity, (GUARD,)
    return desk


async def test_a_lost_ledger_takes_the_guard_that_has_recorded_what_was_paid() -> None:
    """And says so."""
    desk = await a_lost_guarded_ledger()

    assert (await desk.use_case.look(0)).clear
    assert (await desk.rebuild()).clear
    assert f"Guard {GUARD} has recorded all of the 1 payments that were found." in desk.said
    identity = await desk.world.ledger.identity()
    assert identity is not None
    assert identity.guard == GUARD


async def test_a_node_that_keeps_the_state_of_the_newest_blocks_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a past of years takes longer than a usual node keeps the state of a block: no rebuild ever ended."""
    desk = await a_lost_guarded_ledger()
    chain, history, guard = desk.world.chain, desk.history, desk.world.guard
    transfers = history.reserve_transfers

    async def slowly(first: int, last: int) -> Sequence[ReserveTransfer]:
        chain.mine(STATE_BLOCKS)
        return await transfers(first, last)

    monkeypatch.setattr(history, "reserve_transfers", slowly)
    for asked, name, kept in (
        (history, "supply", history.supply),
        (history, "reserve_balance", history.reserve_balance),
        (guard, "facts", guard.facts),
        (guard, "unrecorded", guard.unrecorded),
    ):
        monkeypatch.setattr(asked, name, _of_a_kept_state(chain, kept))

    assert (await desk.rebuild()).clear
    assert (await desk.world.ledger.identity()) is not None


def _of_a_kept_state(chain: FakeChain, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return *ask*, of a node that has forgotten the state of older blocks; the block is its last argument."""

    async def asked(*words: Any, **named: Any) -> Any:
        if chain.head.number - named.get("block", words[-1]) >= STATE_BLOCKS:
            raise ChainUnavailable("missing trie node")
        return await ask(*words, **named)

    return asked


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("none there", "There is no guard at"),
        ("another token", "which are not those of the settings"),
        ("records nothing", "has not recorded 1 of 1 payments"),
        ("not set", "GUARD_ADDRESS is not set"),
    ],
)
async def test_a_lost_ledger_takes_no_guard_unproved(trouble: str, says: str) -> None:
    """A reference that was paid through the guard of before would be paid once more through another one."""
    desk = await a_lost_guarded_ledger()
    rules = desk.world.chain.rules
    other = an_address("another guard")
    match trouble:
        case "none there":
            desk.identity = replace(desk.identity, guard=other)
        case "another token":
            desk.world.guard.contracts.add(other)
            desk.identity = replace(desk.identity, guard=other)
            desk.world.guard.token = an_address("another token")
        case "records nothing":
            desk.world.guard.contracts.add(other)
            desk.identity = replace(desk.identity, guard=other)
        case _:
            desk.identity = replace(desk.identity, guard=None)
    assert rules.guard == GUARD

    report = await desk.rebuild()

    assert says in report.guard_trouble
    assert says in (await desk.use_case.look(0)).guard_trouble
    assert not report.clear
    assert await desk.world.ledger.identity() is None
    desk.accept_guard = "it was imported into one that is gone"
    assert (await desk.rebuild()).clear
    assert any("Accepted: it was imported" in line for line in desk.said)


async def test_what_the_guard_has_recorded_and_no_log_shows_is_written() -> None:
    """Its records are linked: nothing can be missing from them."""
    desk = await a_lost_guarded_ledger()
    forgotten = an_order("IMPORTED", wallet=CUSTOMERS[4])
    desk.world.guard.record(forgotten)
    desk.world.chain.mine(8)

    assert (await desk.rebuild()).clear
    found = await desk.world.order(forgotten)
    assert (found.status, found.nonce) == (OrderStatus.PAID, None)


async def test_a_payment_by_hand_is_not_asked_of_the_guard() -> None:
    """A person has explained it; the guard never saw it."""
    world = await a_world(guarded=True)
    treasurer = an_address("treasurer")
    world.chain.grant_role(treasurer)
    by_hand = an_order("HAND", wallet=CUSTOMERS[4])
    tx_hash = world.chain.spend_nonce(treasurer, world.chain.pay(by_hand))
    world.chain.revoke_role(treasurer)
    world.chain.mine(8)
    desk = await lose_ledger(world)
    desk.identity, desk.guards, desk.accepted = world.identity, (GUARD,), [tx_hash]

    assert (await desk.use_case.look(0)).clear
    assert (await desk.rebuild()).clear


async def test_a_guard_that_the_ledger_itself_names_is_not_asked() -> None:
    """Only a lost identity leaves the settings alone to say which it was."""
    world = await a_world(guarded=True)
    desk = Desk(world)
    desk.identity = world.identity
    world.chain.mine(8)

    assert (await desk.use_case.look(0)).clear
    assert (await desk.rebuild()).clear
    assert not [line for line in desk.said if "has recorded" in line]


async def test_a_dry_run_without_a_table_asks_about_the_guard_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can say whose ledger it was."""
    desk = await a_lost_guarded_ledger()
    desk.identity = replace(desk.identity, guard=an_address("nothing there"))

    async def gone() -> Identity | None:
        raise ConfigurationError("no table")

    monkeypatch.setattr(desk.world.ledger, "identity", gone)

    assert "There is no guard at" in (await desk.use_case.look(0)).guard_trouble
