"""The ledger begins to pay through a guard, or through another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.errors import ChainUnavailable
from distributor.ledger.rebuild_store import Payout, RebuildStore
from distributor.model import OrderStatus
from distributor.payout.guard_change import GuardChange
from foundation.errors import InvariantBroken
from tests.factories import a_hash, an_address
from tests.fakes.chain import OPERATOR
from tests.fakes.chain_state import GUARD
from tests.world import World, a_world

OLD = an_address("old guard")


class Change:
    """A plain ledger with one paid order, paused, and a guard that everything was prepared for."""

    def __init__(self, world: World) -> None:
        self.world, self.said = world, list[str]()
        self.change = GuardChange(
            ledger=world.ledger,
            rebuild_store=RebuildStore(world.rows, world.clock),
            chain=world.chain,
            guard=world.guard,
            policy=world.policy,
            identity=world.identity,
            operators=[OPERATOR],
            sleep=world.a_block_passes,
            block_time_s=2.0,
            say=self.said.append,
        )

    async def adopt(self) -> str:
        """Try to adopt; return what prevents it as one text."""
        return " ".join(await self.change.adopt(GUARD, "a person", "as the runbook says"))


@pytest.fixture
async def prepared() -> Change:
    """Return a change with nothing in its way."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    await world.settle(6)
    assert await world.status(order) is OrderStatus.PAID
    await world.ledger.admin.pause("a person", "a guard comes")
    world.guard.install(OPERATOR)
    world.guard.record(order)
    return Change(world)


async def test_a_guard_is_adopted_when_all_of_it_held_far_beyond_finality(prepared: Change) -> None:
    """The identity names it and since which block; with the setting and `resume` orders are paid through it."""
    world = prepared.world
    before = world.chain.head.number
    assert await prepared.adopt() == ""

    identity = await world.ledger.identity()
    assert identity is not None
    assert (identity.guard, identity.guard_since) == (GUARD, before)
    assert world.chain.head.number >= before + world.policy.release_confirmations
    world.identity = replace(world.identity, guard=GUARD)
    world.start()
    await world.ledger.admin.resume("a person", "done")
    order = await world.receive()
    await world.distribution.drain()
    await world.settle(6)
    assert await world.status(order) is OrderStatus.PAID
    assert order.ref_id in world.chain.state.payments


async def test_a_round_that_read_the_old_identity_fails_its_binding(prepared: Change) -> None:
    """Every nonce row is written again in the same group."""
    world = prepared.world
    await world.receive()
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert await prepared.adopt() == ""
    after = await world.ledger.binding_state(OPERATOR)

    assert binding_state is not None
    assert after is not None
    assert binding_state.nonce_version != after.nonce_version
    assert binding_state.next_nonce == after.next_nonce


async def _not_paused(change: Change) -> None:
    await change.world.ledger.admin.resume("a person", "too early")


async def _open(change: Change) -> None:
    world = change.world
    world.chain.rules.operators.add(OPERATOR)
    await world.ledger.admin.resume("a person", "one more")
    await world.receive()
    await world.distribution.drain()
    await world.ledger.admin.pause("a person", "again")


async def _bypassed(change: Change) -> None:
    change.world.chain.grant_role(OPERATOR)


async def _no_role(change: Change) -> None:
    change.world.chain.rules.operators.clear()


async def _not_allowed(change: Change) -> None:
    change.world.chain.rules.hot_keys.clear()


async def _guard_paused(change: Change) -> None:
    change.world.chain.rules.guard_paused = True


async def _owned_by_a_hot_key(change: Change) -> None:
    change.world.guard.owner = OPERATOR


async def _other_token(change: Change) -> None:
    change.world.chain.rules.token = an_address("another token")


async def _other_authority(change: Change) -> None:
    change.change = replace(
        change.change, identity=replace(change.world.identity, authority=an_address("another authority"))
    )


async def _not_recorded(change: Change) -> None:
    change.world.chain.state.payments.clear()


async def _no_guard(change: Change) -> None:
    change.world.chain.rules.guard = None


async def _old_guard_pays(change: Change) -> None:
    await change.world.ledger.guard_rows.change(OLD, 1, "a person", "before")
    change.world.guard.contracts.add(OLD)
    change.world.chain.grant_role(OLD)


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (_not_paused, "not paused"),
        (_open, "Transactions are open"),
        (_bypassed, "can pay without it"),
        (_no_role, "does not let it pay"),
        (_not_allowed, "does not allow"),
        (_guard_paused, "It is paused"),
        (_owned_by_a_hot_key, "is a hot key"),
        (_other_token, "It pays token"),
        (_other_authority, "It calls authority"),
        (_not_recorded, "1 paid references are not recorded"),
        (_no_guard, "There is no guard"),
        (_old_guard_pays, "can still pay"),
    ],
)
async def test_a_step_that_was_left_out_is_named_and_nothing_is_written(
    prepared: Change, trouble: Any, sentence: str
) -> None:
    """Each step answers a race."""
    await trouble(prepared)
    before = await prepared.world.ledger.identity()

    assert sentence in await prepared.adopt()
    assert await prepared.world.ledger.identity() == before


@pytest.mark.parametrize("closed", ["paused", "without role", "gone"])
async def test_a_guard_before_it_is_closed_in_one_of_three_ways(prepared: Change, closed: str) -> None:
    """Then a reference cannot be paid through both."""
    world = prepared.world
    await world.ledger.guard_rows.change(OLD, 1, "a person", "before")
    if closed != "gone":
        world.guard.contracts.add(OLD)
    if closed == "paused":
        world.chain.grant_role(OLD)
        world.guard.paused.add(OLD)

    assert await prepared.adopt() == ""


async def test_every_guard_there_ever_was_is_closed_and_not_only_the_last(prepared: Change) -> None:
    """Found-faults A34: OLD, then OLDER than the last one; a reference can be paid once through each that is open."""
    world, last = prepared.world, an_address("last guard")
    await world.ledger.guard_rows.change(OLD, 1, "a person", "the first")
    await world.ledger.guard_rows.change(last, 2, "a person", "the second")
    world.guard.contracts |= {OLD, last}
    world.guard.paused.add(last)
    world.chain.grant_role(OLD)

    assert f"The guard before it, {OLD}, can still pay" in await prepared.adopt()
    world.guard.paused.add(OLD)
    assert await prepared.adopt() == ""
    assert {each.address for each in await prepared.change.rebuild_store.former("guard")} == {OLD, last}


async def test_a_guard_that_comes_back_is_not_asked_to_be_closed(prepared: Change) -> None:
    """It is the one that is adopted; the one in between must be."""
    world, between = prepared.world, an_address("between")
    await world.ledger.guard_rows.change(GUARD, 1, "a person", "the first")
    await world.ledger.guard_rows.change(between, 2, "a person", "the second")

    assert await prepared.adopt() == ""
    assert await prepared.adopt() == ""
    assert {each.address for each in await prepared.change.rebuild_store.former("guard")} == {GUARD, between}


async def test_a_block_that_leaves_the_chain_while_its_depth_is_awaited_proves_nothing(prepared: Change) -> None:
    """The command is run again."""
    world = prepared.world

    async def reorganise(_: float) -> None:
        world.chain.reorg(3)
        world.chain.mine(20)

    world.chain.mine(3)
    prepared.change = replace(prepared.change, sleep=reorganise)
    assert "left the chain" in await prepared.adopt()


async def test_what_changes_while_the_depth_is_awaited_is_seen(prepared: Change) -> None:
    """All of it is looked at once more at the end."""
    world = prepared.world

    async def revoke(_: float) -> None:
        world.chain.rules.operators.clear()
        world.chain.mine(20)

    prepared.change = replace(prepared.change, sleep=revoke)
    assert "does not let it pay" in await prepared.adopt()


async def test_what_is_missing_is_listed_with_what_was_paid(prepared: Change) -> None:
    """For the import: reference, wallet and amount; also of payouts that a rebuild found."""
    world = prepared.world
    (order,) = [await world.ledger.order(key) for key in await world.statuses()]
    assert order is not None
    world.chain.state.payments.clear()

    restored = Payout(
        ref_id=a_hash("a name too long for the chain"),
        key=None,
        wallet=order.wallet,
        amount_units=order.amount_units,
        reason="",
        operator=OPERATOR,
        nonce=1,
        tx_hash=a_hash("before"),
        block_number=1,
    )
    await prepared.change.rebuild_store.restore(restored)

    assert sorted(await prepared.change.missing(GUARD)) == sorted(
        (ref_id, order.wallet, order.amount_units) for ref_id in (order.ref_id, restored.ref_id)
    )


async def test_nodes_that_do_not_answer_change_nothing(prepared: Change) -> None:
    """The command fails and can be run again."""
    prepared.world.chain.go_down()

    with pytest.raises(ChainUnavailable):
        await prepared.adopt()


async def test_a_ledger_without_identity_has_no_guard_to_change() -> None:
    """It is nobody's."""
    with pytest.raises(InvariantBroken, match="identity is missing"):
        await World().ledger.guard_rows.change(GUARD, 1, "a person", "why")
