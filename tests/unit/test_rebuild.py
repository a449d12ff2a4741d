"""A ledger is lost; what the chain still knows of it, and why nothing is paid twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import Call, Counts, PoolView, Revert, RevertKind, Simulation
from distributor.errors import ChainUnavailable, ForeignLedger, NoSuchTransaction
from distributor.ledger.admin import Admin
from distributor.ledger.fence_rows import FenceRows
from distributor.ledger.past import LEVEL
from distributor.ledger.rebuild_store import RebuildStore, RestoreResult
from distributor.model import Address, Fees, Hash, HoldReason, OrderStatus, SubmitOutcome
from distributor.order_ids import ref_id
from distributor.payout.history import Arrival, ReserveTransfer
from distributor.payout.lane import SCHEMA_LEVEL
from distributor.ports import Signer, UnsignedTransaction
from distributor.recovery import rebuild
from distributor.recovery.completeness import Books, Completeness, Held
from distributor.recovery.export import ExportedHistory, NotAnExport, read_export
from distributor.recovery.fence import FENCE_NONCES, Fence, FenceOpen
from distributor.recovery.payouts import KnownParties, UnmatchedReason
from distributor.recovery.rebuild import NotSettled, Rebuild
from distributor.recovery.rebuild_report import RebuildReport
from distributor.units import TokenUnits, Wei
from foundation.errors import ConfigurationError
from tests.distributions import with_lanes
from tests.factories import GWEI, LIMITS, POLICY, TOKEN, a_block, a_hash, an_address, an_order
from tests.fakes.chain import AUTHORITY, CUSTOMERS, OPERATOR, RESERVE, FakeChain, FakeSigner
from tests.fakes.chain_state import GUARD, Behaviour, distribute_data
from tests.fakes.history import FILLED, FakeHistory
from tests.fakes.signer import Sent
from tests.world import IDENTITY, World, a_world

SECOND = an_address("second operator")


class Desk:
    """A person who rebuilds a lost ledger; every wait is a block."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.history = FakeHistory(world.chain)
        self.export: ExportedHistory | None = None
        self.signers: Mapping[Address, Signer] = {OPERATOR: FakeSigner(OPERATOR)}
        self.operators: Collection[Address] = (OPERATOR,)
        self.guards: Collection[Address] = ()
        self.authorities: Collection[Address] | None = ()
        self.accepted: list[Hash] = []
        self.identity = IDENTITY
        self.audit, self.accept_incomplete, self.accept_guard = world.audit, "", ""
        self.policy = POLICY
        self.said: list[str] = []

    @property
    def fence(self) -> Fence:
        return Fence(
            chain=self.world.chain,
            signs=self.world.ledger.signs,
            rows=FenceRows(self.world.rows),
            signers=self.signers,
            guard=self.world.guard,
            guards=self.guards,
            authorities=self.authorities,
            chain_id=IDENTITY.chain_id,
            limits=LIMITS,
            policy=self.policy,
            clock=self.world.clock,
            sleep=self.world.a_block_passes,
            block_time_s=2.0,
            say=self.said.append,
        )

    @property
    def use_case(self) -> Rebuild:
        return Rebuild(
            rebuild_store=RebuildStore(self.world.rows, self.world.clock),
            ledger=self.world.ledger,
            chain=self.world.chain,
            history=self.export or self.history,
            fence=self.fence,
            policy=self.policy,
            identity=self.identity,
            known=KnownParties(
                authority=AUTHORITY,
                operators=self.operators,
                guards=self.guards,
                former_authorities=self.authorities or (),
                accepted=dict.fromkeys(self.accepted),
            ),
            audit=self.audit,
            accept_incomplete=self.accept_incomplete,
            accept_guard=self.accept_guard,
            say=self.said.append,
        )

    async def rebuild(self, first_block: int = 0) -> RebuildReport:
        return await self.use_case.run(first_block, by="ana", why="table deleted")

    async def resume(self) -> None:
        await self.world.ledger.admin.resume("ana", "rebuilt")


async def a_payout(world: World, order_id: str, **changes: Any) -> None:
    """Pay an order, to its end."""
    await world.receive(order_id, **changes)
    await world.distribution.drain()
    await world.settle(8)


async def lose_ledger(world: World) -> Desk:
    """Let everything but the chain be gone."""
    return Desk(World(chain=world.chain))


async def test_a_rebuild_goes_on_only_where_the_nodes_show_what_they_showed_before() -> None:
    """
    A first run on a pruned node writes nothing and is refused; the second, on a whole one, begins anew.

    It went on at the checkpoint, the past added up, and every order from before it was paid again.
    """
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    desk = await lose_ledger(world)
    desk.history.forgets = True
    assert not (await desk.rebuild()).clear
    desk.history.forgets = False
    report = await desk.rebuild()

    assert report.restored[RestoreResult.NEW] == 2
    assert set((await send_again(desk.world, "A", "B")).values()) == {OrderStatus.PAID}
    assert any("beginning anew" in line for line in desk.said)


async def test_a_sum_by_another_machine_than_the_payments_were_read_from_is_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One address, two machines: the pruned one shows no payment, the whole one shows that the past adds up."""
    world = await a_world()
    await a_payout(world, "A")
    desk = await lose_ledger(world)
    whole, pruned = desk.history.reserve_transfers, [True]

    async def by_turns(first: int, last: int) -> Sequence[ReserveTransfer]:
        return [] if pruned and pruned.pop() else await whole(first, last)

    monkeypatch.setattr(desk.history, "reserve_transfers", by_turns)
    report = await desk.rebuild()

    assert report.restored.total() == 0
    assert "does not answer alike" in report.incomplete
    assert (await desk.rebuild()).restored[RestoreResult.NEW] == 1


def an_export(world: World, *left_out: Hash) -> str:
    """Return what an explorer lists of the reserve, without the transactions *left_out*."""
    listed = [FILLED, *(each.tx_hash for each in world.chain.receipts if each.transfers)]
    lines = [f'"{each}","1","2026-11-29","{RESERVE}","10.0"' for each in listed if each not in left_out]
    return "\n".join(['\ufeff"Transaction Hash","Blockno","DateTime (UTC)","From","TokenValue"', *lines, ""])


async def test_a_past_that_no_node_has_logs_of_is_read_from_an_explorers_export() -> None:
    """Of the file only the hashes are believed: each line is a receipt."""
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    desk = await lose_ledger(world)
    desk.history.forgets = True
    assert not (await desk.rebuild()).clear
    desk.export = ExportedHistory(desk.history, read_export(an_export(world)))
    report = await desk.rebuild()

    assert report.clear
    assert report.restored[RestoreResult.NEW] == 2
    assert desk.history.receipts_asked == 3
    assert set((await send_again(desk.world, "A", "B")).values()) == {OrderStatus.PAID}


async def test_an_export_that_leaves_out_a_payment_or_names_no_transaction_is_refused() -> None:
    """An explorer's file ends after some thousand lines: what is missing shows in the reserve's balance."""
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    last = await world.last_hash(an_order("B"))
    desk = await lose_ledger(world)
    desk.export = ExportedHistory(desk.history, read_export(an_export(world, last)))
    assert "are missing" in (await desk.rebuild()).incomplete

    desk.export = ExportedHistory(desk.history, [a_hash("nowhere")])
    with pytest.raises(NoSuchTransaction):
        await desk.rebuild()


async def test_an_export_is_one_word_about_what_there_was_however_many_nodes_show_its_receipts() -> None:
    """It begins where the reserve was empty, and adds up; the nodes are never asked what it leaves out."""
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    desk = await lose_ledger(world)
    desk.world.chain._nodes = ("one.example", "two.test")
    desk.history.supply_before = 1
    desk.export = ExportedHistory(desk.history, read_export(an_export(world)))

    report = await desk.rebuild()

    assert "was not made in these blocks" in report.incomplete
    assert report.ledger_id == ""
    desk.export = None
    assert (await desk.rebuild()).clear


def test_a_file_is_an_export_only_if_each_line_names_a_transaction() -> None:
    """But for a header and empty lines; a transaction that moved twice is listed twice, and read once."""
    one, two = a_hash("one"), a_hash("two")
    assert read_export(f"Txhash,To\n{one},x\n\n{two},y\n{one.upper().replace('X', 'x')},x\n") == [one, two]
    assert read_export(f"{one}\n") == [one]
    with pytest.raises(NotAnExport, match="line 3"):
        read_export(f"Txhash\n{one}\nabout 5000 more\n")
    for empty in ("", "Txhash,To\n"):
        with pytest.raises(NotAnExport, match="the file"):
            read_export(empty)


async def send_again(world: World, *order_ids: str) -> dict[str, OrderStatus]:
    """Let the shop send its webhooks again; return the state of each order."""
    orders = [await world.receive(order_id) for order_id in order_ids]
    return {order.order_id: order.status for order in orders}


def sign_by(chain: FakeChain, sender: Address, data: bytes, *, to: Address = AUTHORITY) -> None:
    """Let *sender* mine a call, past every ledger."""
    chain.set_gas(sender, Wei(10**22))
    nonce = chain._state.nonces.get(sender, 0)
    fees = Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(40 * GWEI))
    call = Call(to=to, data=data)
    unsigned = UnsignedTransaction(chain_id=chain.chain_id, nonce=nonce, call=call, gas_limit=300_000, fees=fees)
    chain._submit(_sent(sender, unsigned))
    chain.mine()


def _sent(sender: Address, unsigned: UnsignedTransaction) -> Sent:
    return Sent(tx_hash=a_hash(f"{sender} {unsigned.nonce}"), sender=sender, unsigned=unsigned)


# the way back ------------------------------------------------------------------------------------


async def test_what_was_paid_is_never_paid_again() -> None:
    """Every webhook sent again is a duplicate, and what waits is paid once."""
    world = await a_world()
    await a_payout(world, "ORD1")
    await a_payout(world, "ORD2")
    context = await lose_ledger(world)

    report = await context.rebuild()
    await context.resume()
    statuses = await send_again(context.world, "ORD1", "ORD2", "ORD3")
    await context.world.distribution.drain()
    await context.world.settle(8)

    assert (report.restored, report.clear) == ({RestoreResult.NEW: 2}, True)
    assert statuses == {"ORD1": "paid", "ORD2": "paid", "ORD3": "received"}
    assert len(context.world.transfers()) == 3


async def test_orders_of_every_name_are_known_again() -> None:
    """Of another shop, and of a name the chain keeps only the hash of."""
    long = "A-name-of-more-than-thirty-two-characters"
    names = [("default", long), ("loja", "ORD1"), ("default", "ORD1")]
    world = await a_world()
    for source, order_id in names:
        await a_payout(world, order_id, source=source, ref_id=ref_id(source, order_id))
    context = await lose_ledger(world)

    assert (await context.rebuild()).restored == {RestoreResult.NEW: 3}
    again = [await context.world.receive(name, source=shop, ref_id=ref_id(shop, name)) for shop, name in names]
    assert [order.status for order in again] == [OrderStatus.PAID] * 3


async def test_what_waits_in_a_pool_is_fenced_before_the_chain_is_read() -> None:
    """It is cancelled, and its webhook sent again is paid by a nonce behind the fence."""
    world = await a_world()
    await world.receive("ORD1")
    await world.receive("ORD2")
    await world.distribution.drain()
    context = await lose_ledger(world)

    await context.rebuild()
    assert context.world.transfers() == []
    await context.resume()
    await send_again(context.world, "ORD1", "ORD2")
    await context.world.distribution.drain()
    await context.world.settle(8)

    assert await context.world.statuses() == dict.fromkeys(await context.world.statuses(), OrderStatus.PAID)
    assert len(context.world.transfers()) == 2
    assert (await context.world.ledger.binding_state(OPERATOR)).next_nonce == FENCE_NONCES + 2  # type: ignore[union-attr]


async def test_a_payout_too_dear_to_replace_is_mined_and_found() -> None:
    """Whichever transaction wins the nonce: the order is paid once."""
    world = await a_world()
    await world.receive("ORD1")
    dear = LIMITS.model_copy(update={"min_tip_wei": Wei(39 * GWEI)})
    config = replace(world.distribution.lane.config, limits=dear)
    world.distribution = with_lanes(world.distribution, config=config)
    await world.distribution.drain()
    context = await lose_ledger(world)

    report = await context.rebuild()

    assert [line for line in context.said if "underpriced" in line] == ["Cancelling: underpriced"]
    assert report.restored == {RestoreResult.NEW: 1}
    assert await send_again(context.world, "ORD1") == {"ORD1": "paid"}


async def test_a_webhook_during_the_rebuild_waits_and_is_marked_paid() -> None:
    """The ledger is nobody's: what comes in is kept, and nothing is bound."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    assert await send_again(context.world, "ORD1") == {"ORD1": "received"}
    await context.world.distribution.drain()

    report = await context.rebuild()
    await context.resume()
    await context.world.distribution.drain()

    assert report.restored == {RestoreResult.MARKED: 1}
    assert context.world.alarms.codes == ["waiting_ledger_foreign"]
    assert len(context.world.transfers()) == 1


async def test_the_pause_stays_on_until_a_person_ends_it() -> None:
    """The ledger is ours again, and pays nothing."""
    context = await lose_ledger(await a_world())

    report = await context.rebuild()
    await context.world.receive("ORD1")
    await context.world.distribution.drain()

    pause_state = await context.world.ledger.admin.pause_state()
    assert (pause_state.paused, pause_state.paused_by, pause_state.paused_why) == (True, "ana", "table deleted")
    assert report.ledger_id == IDENTITY.ledger_id
    assert await context.world.ledger.identity() == IDENTITY
    assert context.world.alarms.codes == ["waiting_paused"]


async def test_a_ledger_without_an_id_gets_one() -> None:
    """Or keeps the one it has."""
    context = await lose_ledger(await a_world())
    context.identity = replace(IDENTITY, ledger_id="")

    first = await context.rebuild()
    second = await context.rebuild()

    assert len(first.ledger_id) == 32
    assert second.ledger_id == first.ledger_id


async def test_a_restored_backup_learns_what_happened_since() -> None:
    """The order waits in it, and was paid after the backup was made."""
    world = await a_world()
    await a_payout(world, "ORD1")
    backup = World(chain=world.chain)
    await backup.ledger.admin.initialise(IDENTITY, OPERATOR, 0)
    await backup.receive("ORD1")

    report = await Desk(backup).rebuild()

    assert report.restored == {RestoreResult.MARKED: 1}
    assert (await backup.ledger.binding_state(OPERATOR)).next_nonce == 1 + FENCE_NONCES  # type: ignore[union-attr]


# what stops it -----------------------------------------------------------------------------------


async def test_an_empty_ledger_pays_nothing_and_says_why() -> None:
    """Emptied: every old webhook sent again would be a new order."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)

    await send_again(context.world, "ORD1")
    await context.world.distribution.drain()
    await context.world.settle(3)

    assert len(context.world.transfers()) == 1
    assert context.world.alarms.codes == ["waiting_ledger_foreign"]


async def test_a_swapped_ledger_pays_nothing_and_says_why() -> None:
    """The settings name one ledger, the table is another."""
    world = World()
    await world.ledger.admin.initialise(replace(IDENTITY, ledger_id="another"), OPERATOR, 0)

    await world.receive("ORD1")
    await world.distribution.drain()

    assert world.transfers() == []
    assert world.alarms.codes == ["waiting_ledger_foreign"]


async def test_another_ledger_is_never_touched() -> None:
    """Not even paused."""
    world = World()
    await world.ledger.admin.initialise(replace(IDENTITY, reserve=CUSTOMERS[0]), OPERATOR, 0)
    context = Desk(world)

    with pytest.raises(ForeignLedger):
        await context.use_case.check()
    with pytest.raises(ForeignLedger):
        await context.rebuild()
    assert not (await world.ledger.admin.pause_state()).paused
    assert world.chain.handed == []


@pytest.mark.parametrize("named", [None, an_address("another guard")])
async def test_a_rebuild_changes_no_guard(named: Address | None) -> None:
    """A setting that was left out would let each reference be paid once more, and no one would know of the guard."""
    world = await a_world(guarded=True)
    desk = Desk(world)
    desk.identity = replace(IDENTITY, guard=named)

    with pytest.raises(ForeignLedger, match="GUARD_ADDRESS"):
        await desk.rebuild()
    with pytest.raises(ForeignLedger, match="`guard adopt`"):
        await desk.use_case.check()
    assert (await world.ledger.identity()) == world.identity


async def test_since_when_a_ledger_pays_through_its_guard_is_kept() -> None:
    """The settings do not say it."""
    world = await a_world(guarded=True)
    desk = Desk(world)
    desk.identity = replace(IDENTITY, guard=GUARD)

    assert (await desk.rebuild()).clear
    assert (await world.ledger.identity()) == world.identity


async def test_open_transactions_are_settled_first() -> None:
    """The fence would cut their nonces off."""
    world = await a_world()
    await world.receive("ORD1")
    await world.distribution.drain()

    with pytest.raises(NotSettled):
        await Desk(world).rebuild()


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
            _hold_one_more_in_the_pool(chain)
        case _:
            chain.refuse(SubmitOutcome.GAS_SHORT, times=1_000)

    with pytest.raises(FenceOpen, match="run the same command again"):
        await context.rebuild()
    assert await context.world.ledger.identity() is None


def _hold_one_more_in_the_pool(chain: FakeChain) -> None:
    """Show one transaction more in the pool than in blocks, without end."""
    views = chain.pool_views

    async def one_more(operators: Sequence[Address]) -> Sequence[PoolView]:
        counts = {each: Counts(FENCE_NONCES, FENCE_NONCES + 1) for each in operators}
        return [replace(view, counts=counts) for view in await views(operators)]

    chain.pool_views = one_more  # type: ignore[method-assign]


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


@pytest.mark.parametrize("depth", [None, 5])
async def test_only_final_blocks_are_read(depth: int | None) -> None:
    """By the tag, or by depth, as it is configured."""
    context = await lose_ledger(await a_world())
    context.policy = POLICY.model_copy(update={"finality_depth": depth})

    report = await context.rebuild()

    assert report.last_block == context.world.chain.head.number - (depth or POLICY.min_confirmations)


async def test_without_a_final_block_nothing_is_read() -> None:
    """The node knows of none."""
    context = await lose_ledger(await a_world())
    context.world.chain.miss_finality()

    with pytest.raises(ChainUnavailable, match="no final block"):
        await context.use_case.look(0)


# what a person must explain ----------------------------------------------------------------------


def distribution_of(order_id: str, units: int = 10 * TOKEN) -> bytes:
    """Return the call that pays an order of the plain shop."""
    order = an_order(order_id, wallet=CUSTOMERS[0])
    return distribute_data(order.wallet, TokenUnits(units), bytes.fromhex(order.ref_id[2:]), order.reason)


async def test_an_unknown_caller_blocks_the_end_until_it_is_explained() -> None:
    """It may be an operator nobody remembers; the reference it spent would be paid again."""
    world = await a_world()
    await a_payout(world, "ORD1")
    world.chain.grant_role(SECOND)
    sign_by(world.chain, SECOND, distribution_of("ORD2"))
    context = await lose_ledger(world)

    blocked = await context.rebuild()
    assert [(each.sender, each.why) for each in blocked.unmatched_transfers] == [
        (SECOND, UnmatchedReason.UNKNOWN_SENDER)
    ]
    assert await context.world.ledger.identity() is None
    assert blocked.ledger_id == ""

    world.chain.revoke_role(SECOND)
    context.operators = (OPERATOR, SECOND)
    done = await context.rebuild()
    assert done.clear
    assert await send_again(context.world, "ORD1", "ORD2") == {"ORD1": "paid", "ORD2": "paid"}


async def test_an_accepted_call_of_an_unknown_operator_spends_its_reference() -> None:
    """Found-faults A4: accepted was not paid, and the order was paid again."""
    world = await a_world()
    world.chain.grant_role(SECOND)
    sign_by(world.chain, SECOND, distribution_of("ORD2"))
    context = await lose_ledger(world)
    context.accepted = [receipt.tx_hash for receipt in world.chain.receipts]

    assert (await context.rebuild()).clear
    assert await send_again(context.world, "ORD2") == {"ORD2": "paid"}


async def test_a_payout_of_another_amount_than_asked_spends_its_reference() -> None:
    """A person looks at it; whatever they say, the order is not paid once more."""
    world = await a_world()
    world.chain.rules.behaviour = Behaviour.SHORT
    sign_by(world.chain, OPERATOR, distribution_of("ORD1"))
    context = await lose_ledger(world)

    report = await context.rebuild()
    assert [each.why for each in report.unmatched_transfers] == [UnmatchedReason.NOT_AS_ASKED]
    context.accepted = [report.unmatched_transfers[0].transfer.tx_hash]
    assert (await context.rebuild()).clear
    assert (await context.world.ledger.order(an_order("ORD1").key)).amount_units == 10 * TOKEN - 1  # type: ignore[union-attr]


async def test_an_order_paid_twice_on_the_chain_is_told() -> None:
    """By two of our calls; a person accepts the second, and it stays on record."""
    world = await a_world()
    sign_by(world.chain, OPERATOR, distribution_of("ORD1"))
    sign_by(world.chain, OPERATOR, distribution_of("ORD1"))
    context = await lose_ledger(world)

    report = await context.rebuild()
    assert [each.verdict for each in report.conflicts] == [RestoreResult.PAID_TWICE]
    assert not report.clear
    context.accepted = [report.conflicts[0].payout.tx_hash]
    assert (await context.rebuild()).clear


async def test_a_payment_that_is_explained_is_not_made_again_for_an_order_that_came_otherwise() -> None:
    """The order came again with another amount; the payment is accepted, and forgetting to cancel pays nothing."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    order = await context.world.receive("ORD1", amount_units=TokenUnits(20 * TOKEN))
    report = await context.rebuild()
    assert [each.verdict for each in report.conflicts] == [RestoreResult.DIFFERS]
    context.accepted = [report.conflicts[0].payout.tx_hash]

    assert (await context.rebuild()).clear
    await context.resume()
    await context.world.distribution.drain()
    await context.world.settle(8)

    held = await context.world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.REFERENCE_USED)
    assert report.conflicts[0].payout.tx_hash in held.hold_detail
    assert len(context.world.transfers()) == 1
    assert (await context.rebuild()).clear


async def test_an_order_that_came_otherwise_and_is_held_already_gets_the_reason_that_none_may_retry() -> None:
    """Its own reason named `retry`, and that paid it under a reference that is spent."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    order = await context.world.receive("ORD1", amount_units=TokenUnits(20 * TOKEN))
    await context.world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    context.accepted = [world.chain.receipts[0].tx_hash]

    assert (await context.rebuild()).clear
    held = await context.world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.REFERENCE_USED)
    assert world.chain.receipts[0].tx_hash in held.hold_detail
    assert (await context.rebuild()).clear


async def test_an_order_that_came_otherwise_and_was_cancelled_stays_so() -> None:
    """A person was first."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    order = await context.world.receive("ORD1", amount_units=TokenUnits(20 * TOKEN))
    await context.world.ledger.admin.cancel(order, "ana", "a mistake of the shop")
    context.accepted = [world.chain.receipts[0].tx_hash]

    assert (await context.rebuild()).clear
    assert (await context.world.order(order)).status is OrderStatus.CANCELLED


async def test_a_dry_run_shows_everything_and_writes_nothing() -> None:
    """Neither to the ledger nor to a pool."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    handed = len(world.chain.handed)

    report = await context.use_case.look(0)

    assert report.restored == {RestoreResult.NEW: 1}
    assert any(f"would spend the nonces 1 to {FENCE_NONCES}" in line for line in context.said)
    assert context.world.rows.dump() == {}
    assert len(world.chain.handed) == handed
    world.chain.revoke_role(OPERATOR)
    await context.use_case.look(0)
    assert any("has no role" in line for line in context.said)


async def test_an_interrupted_rebuild_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks behind the checkpoint are read again to see that they are as before, and nothing of them is written."""
    monkeypatch.setattr(rebuild, "PAGE_BLOCKS", 4)
    world = await a_world()
    await a_payout(world, "ORD1")
    await a_payout(world, "ORD2")
    context = await lose_ledger(world)
    context.history.down_from = 8
    with pytest.raises(ChainUnavailable):
        await context.rebuild()
    context.history.down_from = None
    context.history.asked.clear()

    report = await context.rebuild()

    assert context.history.asked[:3] == [(0, 3), (4, 7), (8, 11)]
    assert report.restored.total() < 2
    assert "Going on at block 8." in context.said
    assert report.clear
    assert await send_again(context.world, "ORD1", "ORD2") == {"ORD1": "paid", "ORD2": "paid"}


async def test_the_checkpoint_stays_before_what_is_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run meets the question again, without an answer to it."""
    monkeypatch.setattr(rebuild, "PAGE_BLOCKS", 2)
    world = await a_world()
    world.chain.grant_role(SECOND)
    world.chain.mine(3)
    sign_by(world.chain, SECOND, distribution_of("ORD2"))
    world.chain.mine(6)
    context = await lose_ledger(world)

    first = await context.rebuild()
    second = await context.rebuild()

    assert len(first.unmatched_transfers) == len(second.unmatched_transfers) == 1
    assert "Going on at block 4." in context.said


# is that all there is? ------------------------------------------------------------------------------


async def test_a_node_that_has_pruned_its_past_is_not_believed() -> None:
    """Found-faults A3: it answers with nothing; 0 payouts, exit 0, and all was paid again."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    context.history.forgets = True

    report = await context.rebuild()

    assert "0 units came to the reserve" in report.incomplete
    assert not report.clear
    assert await context.world.ledger.identity() is None
    assert (await context.use_case.look(0)).incomplete == report.incomplete


async def test_a_start_after_the_first_payout_is_not_believed() -> None:
    """What came before it is missing in the sum."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)

    report = await context.rebuild(first_block=5)

    assert "units are missing" in report.incomplete


async def test_a_person_may_take_a_past_that_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words; a token that makes tokens without an event, say."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    context.accept_incomplete = "the token was migrated without events"
    arrivals = context.history.reserve_arrivals

    async def fewer(first: int, last: int) -> Sequence[Arrival]:
        return [replace(each, amount_units=TokenUnits(each.amount_units - 1)) for each in await arrivals(first, last)]

    monkeypatch.setattr(context.history, "reserve_arrivals", fewer)
    report = await context.rebuild()

    assert report.clear
    assert any("Accepted: the token was migrated" in line for line in context.said)


async def a_past_in_part() -> Desk:
    """ORD0 and ORD1 are paid and the ledger lost; a person takes what came after ORD0 for the whole past."""
    world = await a_world()
    await a_payout(world, "ORD0")
    first_block = world.chain.head.number + 1
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    context.accept_incomplete = "no node keeps older logs"
    assert (await context.rebuild(first_block=first_block)).clear
    await context.resume()
    context.world.start()
    return context


async def test_after_an_incomplete_past_each_order_waits_for_a_person() -> None:
    """Found-faults A3: what was paid in the part nobody showed comes again as new, and would be paid twice."""
    world = (await a_past_in_part()).world
    again, new = await world.receive("ORD0"), await world.receive("NEW")

    await world.distribution.drain()

    assert len(world.transfers()) == 2
    held = [await world.order(each) for each in (again, new)]
    assert [each.hold_reason for each in held] == [HoldReason.PAST_UNKNOWN] * 2
    assert "units are missing" in held[0].hold_detail
    assert world.alarms.codes.count("held_past_unknown") == 2
    await world.ledger.admin.retry(held[1], "ana", "not on the explorer")
    await world.distribution.drain()
    await world.settle(8)
    assert await world.status(new) is OrderStatus.PAID
    assert await world.status(again) is OrderStatus.HELD


async def test_a_person_who_knows_the_past_ends_the_doubt_for_what_comes() -> None:
    """And what older code would pay without a look it binds not at all."""
    world = (await a_past_in_part()).world
    assert await world.ledger.schema_level() == LEVEL <= SCHEMA_LEVEL
    assert await world.ledger.past.trust()
    assert not await world.ledger.past.trust()
    new = await world.receive("NEW")

    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(new) is OrderStatus.PAID


async def test_a_guard_of_later_has_not_recorded_the_past_that_nobody_found() -> None:
    """It was filled from this ledger: what is missing here is missing there, and it would pay it a second time."""
    world = (await a_past_in_part()).world
    world.guard.install(OPERATOR)
    async for order in RebuildStore(world.rows, world.clock).orders():
        world.guard.record(order)
    await world.ledger.guard_rows.change(GUARD, 1, "ana", "all imported")
    world.identity = replace(IDENTITY, guard=GUARD, guard_since=1)
    world.start()
    again = await world.receive("ORD0")

    await world.distribution.drain()

    assert (await world.order(again)).hold_reason is HoldReason.PAST_UNKNOWN
    assert len(world.transfers()) == 2


@pytest.mark.parametrize("lost", [False, True])
async def test_the_guard_of_before_has_recorded_it(lost: bool) -> None:
    """Its ledger went back and said so itself; of a ledger that was lost nobody knows how long it had that guard."""
    world = await a_world(guarded=True)
    desk = await lose_ledger(world) if lost else Desk(world)
    desk.identity, desk.accept_incomplete = world.identity, "no node keeps older logs"
    desk.history.forgets = True
    assert (await desk.rebuild()).clear
    await desk.resume()
    desk.world.identity = world.identity
    desk.world.start()
    new = await desk.world.receive("NEW")

    await desk.world.distribution.drain()

    assert (await desk.world.status(new) is OrderStatus.HELD) == lost


async def test_a_later_rebuild_whose_past_adds_up_ends_the_doubt() -> None:
    """The missing part is found: nothing is doubted any more, and what was paid in it is known."""
    context = await a_past_in_part()
    assert await context.world.ledger.past.doubted() is not None
    context.accept_incomplete = ""

    assert (await context.rebuild()).clear
    assert await context.world.ledger.past.doubted() is None
    assert (await context.world.receive("ORD0")).status is OrderStatus.PAID


def test_an_emptied_reserve_adds_up_and_proves_nothing_by_one_node() -> None:
    """A window that begins where the reserve held nothing; two nodes that agree are believed."""
    books = Books(arrived_units=10, left_units=10, held_units=0, emptied=True, from_creation=True)

    assert "was empty before" in books.trouble(providers=1, read_units=10)
    assert books.trouble(providers=2, read_units=10) == ""
    begins = replace(books, emptied=False)
    assert begins.trouble(providers=1, read_units=10) == ""
    assert "was not made in these blocks" in replace(begins, from_creation=False).trouble(providers=1, read_units=10)
    assert replace(begins, from_creation=False).trouble(providers=2, read_units=10) == ""


async def test_a_window_that_begins_where_the_reserve_was_empty_is_not_believed_by_one_node() -> None:
    """Filled anew and paid from since, it adds up: what was paid out of the first filling would be paid again."""
    world = await a_world()
    await a_payout(world, "ORD1")
    begins, held = world.chain.head.number + 1, world.chain.balance_of(RESERVE)
    world.chain.mine()
    await a_payout(world, "ORD2")
    context = await lose_ledger(world)

    async def window(first: int, last: int) -> Sequence[Arrival]:
        refilled = Arrival(block=a_block(begins), log_index=0, amount_units=held)
        return [refilled] if first <= begins <= last else []

    context.history.reserve_arrivals = window  # type: ignore[method-assign, assignment]
    context.history.minted = nothing  # type: ignore[method-assign, assignment]
    report = await context.rebuild(first_block=begins)

    assert "was not made in these blocks" in report.incomplete
    assert await context.world.ledger.identity() is None
    context.world.chain._nodes = ("one.example", "two.test")
    assert (await context.rebuild(first_block=begins)).clear


async def nothing(first: int, last: int) -> int:
    """A node that shows no beginning."""
    return 0 * (first + last)


async def test_a_token_that_does_not_tell_its_supply_proves_no_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a node that gives none of those logs."""
    world = await a_world()
    history = FakeHistory(world.chain)

    async def silent(*_: int) -> int | None:
        raise ChainUnavailable

    for question, answer in (("supply", _tells_nothing), ("supply", silent), ("minted", silent)):
        monkeypatch.undo()
        monkeypatch.setattr(history, question, answer)
        asked = Completeness(history=history)
        books = await asked.books(0, 0, await asked.held(0), providers=1)
        assert not books.from_creation


async def _tells_nothing(_: int) -> int | None:
    return None


async def test_the_books_see_where_the_reserve_was_empty() -> None:
    """Before the end; at the end it may be."""
    world = await a_world()
    await a_payout(world, "ORD1")
    history = FakeHistory(world.chain)
    last = world.chain.head.number
    asked = Completeness(history=history)
    books = await asked.books(0, last, await asked.held(last), providers=1)
    assert (books.emptied, books.left_units) == (False, 10 * TOKEN)

    async def just_enough(first: int, _: int) -> Sequence[Arrival]:
        units = TokenUnits(10 * TOKEN)
        return [Arrival(block=a_block(first + place), log_index=0, amount_units=units) for place in (0, 3)]

    history.reserve_arrivals = just_enough  # type: ignore[method-assign, assignment]
    emptied = await asked.books(0, last, Held(TokenUnits(10 * TOKEN), None), providers=1)
    assert emptied.emptied


# what people decided --------------------------------------------------------------------------------


async def test_what_a_person_cancelled_stays_cancelled_after_a_rebuild() -> None:
    """Found-faults A4: orders cancelled for fraud were paid after it. One came again meanwhile, one was paid before."""
    world = await a_world()
    fraud, again = await world.receive("FRAUD"), await world.receive("AGAIN")
    for order in (fraud, again):
        await world.ledger.admin.cancel(order, "ana", "fraud")
    await a_payout(world, "PAID")
    await world.ledger.admin.record("cancel", "default:PAID", "ana", "too late")
    await world.ledger.admin.record("cancel-nonce", f"{OPERATOR}:7", "ana", "another deed")
    context = await lose_ledger(world)
    context.audit = world.audit
    await context.world.receive("AGAIN")

    report = await context.rebuild()
    await context.resume()

    assert [key.order_id for key in report.barred] == ["AGAIN", "FRAUD"]
    statuses = await send_again(context.world, "FRAUD", "AGAIN", "PAID")
    assert statuses == {"FRAUD": "cancelled", "AGAIN": "cancelled", "PAID": "paid"}
