"""The fence: all nonces that a lost payment could still use are spent before the chain is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from distributor.chain_types import Call, Counts, PoolView, Revert, RevertKind, Simulation
from distributor.ledger.admin import Admin
from distributor.ledger.fence_rows import FenceRows
from distributor.model import Address, Fees, SubmitOutcome
from distributor.recovery.fence import FENCE_NONCES, FenceOpen
from distributor.recovery.rebuild import NotSettled
from distributor.units import TokenUnits, Wei
from foundation.errors import ConfigurationError
from tests.factories import GWEI, LIMITS, an_address
from tests.fakes.chain import OPERATOR, FakeChain
from tests.fakes.chain_state import GUARD
from tests.rebuilding import (
    SECOND,
    Desk,
    a_payout,
    hold_one_more_in_the_pool,
    lose_ledger,
)
from tests.world import a_world


async def test_an_operator_nobody_has_the_key_of_keeps_the_fence_open() -> None:
    """What it signed may still be mined."""
    context = await lose_ledger(await a_world())
    context.operators = (OPERATOR, SECOND)
    context.world.chain.grant_role(SECOND)

    with pytest.raises(FenceOpen, match=f"{SECOND} may still pay"):
        await context.rebuild()
    assert context.world.chain.handed == []


async def test_nothing_is_sent_for_an_operator_without_its_role() -> None:
    """What it signed can only revert; its nonce is known all the same."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    context.signers = {}
    world.chain.revoke_role(OPERATOR)
    handed = len(world.chain.handed)

    report = await context.rebuild()

    assert len(world.chain.handed) == handed
    assert report.clear
    assert (await context.world.ledger.binding_state(OPERATOR)).next_nonce == 1  # type: ignore[union-attr]


async def test_what_waits_in_a_pool_for_the_guard_is_fenced_too() -> None:
    """Our keys have no role then, and yet each may pay: nothing was spent, and the pool paid after the rebuild."""
    world = await a_world(guarded=True)
    await world.receive("ORD1")
    await world.distribution.drain()
    desk = await lose_ledger(world)
    desk.identity, desk.guards = world.identity, {GUARD}

    assert (await desk.rebuild()).clear
    assert desk.world.transfers() == []
    assert (await desk.world.ledger.binding_state(OPERATOR)).next_nonce == FENCE_NONCES  # type: ignore[union-attr]


async def test_a_key_that_is_not_here_must_be_removed_from_each_guard() -> None:
    """A guard that is not there any more allows nobody."""
    world = await a_world(guarded=True)
    world.chain.mine(8)
    desk = await lose_ledger(world)
    desk.signers, desk.guards = {}, {GUARD, an_address("no contract")}
    with pytest.raises(FenceOpen, match=f"{OPERATOR} may still pay.*`remove` it from each guard"):
        await desk.rebuild()
    world.chain.rules.hot_keys.discard(OPERATOR)

    assert (await desk.rebuild()).clear
    assert world.chain.handed == []


async def test_a_call_to_an_authority_of_before_is_fenced_too() -> None:
    """The Authority was replaced: without a role at the new one an old call may still pay through the old one."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    desk = await lose_ledger(world)
    new, old = an_address("new authority"), world.chain.rules.authority
    simulate = world.chain.simulate

    async def both(operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        no_role = Simulation(revert=Revert(kind=RevertKind.ROLE_MISSING, text="no role"))
        (said,) = await simulate(operator, [replace(calls[0], to=old)], node=node)
        return [said if call.to == old else no_role for call in calls]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.chain, "simulate", both)
        patch.setattr(world.chain, "probe", lambda operator: replace(FakeChain.probe(world.chain, operator), to=new))
        (lane,) = await desk.fence.lanes([OPERATOR])
        assert lane.revoked
        desk.authorities = (old,)
        (lane,) = await desk.fence.lanes([OPERATOR])
        assert not lane.revoked
        world.chain.rules.operators.clear()
        (lane,) = await desk.fence.lanes([OPERATOR])
        assert lane.revoked
        world.chain.rules.operators.add(OPERATOR)
        world.chain.set_allowance(TokenUnits(0))
        (lane,) = await desk.fence.lanes([OPERATOR])
        assert lane.revoked
        desk.authorities = None
        (lane,) = await desk.fence.lanes([OPERATOR])
        assert not lane.revoked
        desk.signers = {}
        (lane,) = await desk.fence.lanes([OPERATOR])
        assert lane.revoked


async def test_a_role_that_comes_back_opens_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody granted it while we waited for finality."""
    monkeypatch.setattr("distributor.recovery.fence.TURNS_MAX", 6)
    context = await lose_ledger(await a_world())
    context.signers = {}
    context.world.chain.revoke_role(OPERATOR)
    turns: list[float] = []

    async def grant_it_back(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 1:
            context.world.chain.grant_role(OPERATOR)
        await context.world.a_block_passes()

    with pytest.raises(FenceOpen, match="run the same command again"):
        await replace(context.fence, sleep=grant_it_back).close([OPERATOR])


@pytest.mark.parametrize("trouble", ["stalled", "pool", "refused"])
async def test_the_fence_waits_for_what_proves_it_closed(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """No finality, something left in a pool, cancellations that no node takes."""
    monkeypatch.setattr("distributor.recovery.fence.TURNS_MAX", 30)
    context = await lose_ledger(await a_world())
    chain = context.world.chain
    match trouble:
        case "stalled":
            chain.miss_finality()
        case "pool":
            hold_one_more_in_the_pool(chain)
        case _:
            chain.refuse(SubmitOutcome.GAS_SHORT, times=1_000)

    with pytest.raises(FenceOpen, match="run the same command again"):
        await context.rebuild()
    assert await context.world.ledger.identity() is None


async def test_no_bound_of_the_fence_is_one_nodes_word() -> None:
    """Found-faults A26: one node lags by 16 nonces; the ledger has bound four that no node shows."""
    context = await lose_ledger(await a_world())
    await context.world.ledger.admin.add_operator(OPERATOR, 20)
    views = [PoolView(node=node, counts={OPERATOR: Counts(latest, latest)}) for node, latest in (("a", 0), ("b", 16))]

    async def apart(_: object) -> Sequence[PoolView]:
        return views

    context.world.chain.pool_views = apart  # type: ignore[method-assign, assignment]
    (lane,) = await context.fence.lanes([OPERATOR])

    assert (lane.first, lane.highest, lane.end) == (0, 20, 20 + 16 + 256)


async def test_a_fence_looks_also_where_the_table_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run needs no table; and a ledger that is there and settled is no hindrance."""
    context = await lose_ledger(await a_world())
    await context.use_case.check()

    async def gone(*_: object, **__: object) -> object:
        raise ConfigurationError("the ledger's table does not exist")

    monkeypatch.setattr(context.world.rows, "scan", gone)

    assert [lane.highest for lane in await context.fence.lanes([OPERATOR])] == [0]


async def test_a_cancellation_is_kept_before_a_node_sees_it_and_signed_once() -> None:
    """A later look knows it as ours, and a vault signs it once; another price is signed anew."""
    context = await lose_ledger(await a_world())
    kept: list[bool] = []
    rows = FenceRows(context.world.rows)
    context.world.chain.on_submit = lambda sent: kept.append(
        context.world.rows.dump()[f"fence:{OPERATOR}:{sent.unsigned.nonce:020d}"]["tx_hash"] == sent.tx_hash
    )

    await context.fence.close([OPERATOR])
    first = await rows.of(OPERATOR)
    assert len(first) == FENCE_NONCES
    assert all(kept)
    await replace(context.fence, limits=LIMITS.model_copy(update={"max_fee_wei": Wei(70 * GWEI)})).close([OPERATOR])
    assert len(await rows.of(OPERATOR)) == 2 * FENCE_NONCES


async def test_what_a_host_binds_while_the_fence_begins_is_behind_it() -> None:
    """The end is computed again at every look."""
    context = await lose_ledger(await a_world())
    await context.world.ledger.admin.add_operator(OPERATOR, 0)

    async def bind_more(seconds: float) -> None:
        values = dict(context.world.rows.dump()[f"nonce:{OPERATOR}"])
        context.world.rows.put(f"nonce:{OPERATOR}", values | {"next": 9})
        await context.world.a_block_passes(seconds)

    nonces = await replace(context.fence, sleep=bind_more).close([OPERATOR])

    assert nonces == {OPERATOR: 9 + FENCE_NONCES}


async def test_a_round_that_binds_right_before_the_pause_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found-faults A25: looked at before the pause, the ledger seemed settled."""
    world = await a_world()
    await world.receive("ORD1")
    pause = Admin.pause

    async def overtaken(self: Admin, by: str, why: str) -> object:
        monkeypatch.setattr(Admin, "pause", pause)
        await world.distribution.drain()
        return await pause(self, by, why)

    monkeypatch.setattr(Admin, "pause", overtaken)
    with pytest.raises(NotSettled):
        await Desk(world).rebuild()
    assert (await world.ledger.admin.pause_state()).paused


async def test_a_reorganisation_makes_the_fence_wait_again() -> None:
    """The block it was quiet at left the chain, and the cancellations with it."""
    context = await lose_ledger(await a_world())
    chain = context.world.chain
    turns: list[int] = []

    async def reorganise_once(seconds: float) -> None:
        turns.append(len(turns))
        await context.world.a_block_passes(seconds)
        if len(turns) == 2:
            chain.reorg(2)

    nonces = await replace(context.fence, sleep=reorganise_once).close([OPERATOR])

    assert nonces == {OPERATOR: FENCE_NONCES}
    assert len(turns) > 5


async def test_on_a_chain_without_base_fee_the_fence_is_priced_the_old_way() -> None:
    """One price, the highest allowed."""
    context = await lose_ledger(await a_world())
    context.world.chain.set_base_fee(None)

    await context.rebuild()

    fees = {sent.unsigned.fees for sent in context.world.chain.handed}
    assert fees == {Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(60 * GWEI), dynamic=False)}
