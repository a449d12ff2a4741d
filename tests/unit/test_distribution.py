"""Distribution: rounds over the waiting orders, everything judged before a nonce is bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from distributor.chain_types import Claim, Mark, Submitted, Word
from distributor.ledger import Ledger
from distributor.ledger.service_state import ServiceState
from distributor.model import Hash, HoldReason, OrderStatus, SubmitOutcome, TransactionStatus
from distributor.payout import distribution as module
from distributor.payout import selection
from distributor.payout.distribution import Drained
from distributor.payout.would_pay import WouldPay
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.state import WaitingReason
from distributor.units import TokenUnits, Wei
from foundation.errors import StoreUnavailable
from foundation.tablestore.leases import Lease, Leases
from tests.factories import GWEI, IDENTITY, LIMITS, an_address
from tests.fakes.chain import CUSTOMERS, OPERATOR, Behaviour, FakeChain
from tests.fakes.signer import FakeSigner, Sent
from tests.world import World, a_world, tokens


async def test_a_waiting_order_is_bound_and_submitted() -> None:
    """One order, one nonce, one transaction in the pool."""
    world = await a_world()
    order = await world.receive()

    drained = await world.distribution.drain()

    found = await world.order(order)
    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert drained == Drained(bound=1, open=True)
    assert (found.status, found.operator, found.nonce) == (OrderStatus.BOUND, OPERATOR, 0)
    assert transaction is not None
    assert transaction.status is TransactionStatus.SUBMITTED
    assert [sent.tx_hash for sent in world.chain.pooled] == [await world.last_hash(order)]


async def test_signed_bytes_are_in_the_ledger_before_a_node_sees_them() -> None:
    """Store before submit: at each submission the attempt is already a row."""
    world = await a_world()
    await world.receive()
    stored: list[bool] = []

    def look(sent: Sent) -> None:
        hashes = {values.get("tx_hash") for key, values in world.rows.dump().items() if key.startswith("attempt:")}
        stored.append(sent.tx_hash in hashes)

    world.chain.on_submit = look

    await world.distribution.drain()

    assert stored == [True]


async def test_nothing_waits() -> None:
    """A duplicate message costs a few reads and touches no node."""
    world = await a_world()

    assert await world.distribution.drain() == Drained(bound=0, open=False)
    assert not world.chain.calls


async def test_orders_are_bound_oldest_first_without_gaps() -> None:
    """Nonces follow the backlog."""
    world = await a_world()
    orders = [await world.receive() for _ in range(5)]

    await world.distribution.drain()

    assert [(await world.order(order)).nonce for order in orders] == [0, 1, 2, 3, 4]


async def test_no_more_than_the_pool_takes_are_in_flight() -> None:
    """Sixteen executable transactions of one account; the rest waits without an alarm."""
    world = await a_world()
    for _ in range(20):
        await world.receive()

    drained = await world.distribution.drain()

    assert drained.bound == 16
    assert len((await world.ledger.waiting(limit=64)).orders) == 4
    assert (await world.ledger.service.why_waiting()).reason is None
    assert not world.alarms.raised


async def test_all_node_traffic_of_a_round_is_one_batch_per_step() -> None:
    """Sixteen orders: one look at the pools, one survey, one simulation, one submission."""
    world = await a_world()
    for _ in range(16):
        await world.receive()

    await world.distribution.drain()

    assert world.chain.calls == {"pool_views": 1, "survey": 1, "simulate": 1, "submit": 1}


def _pause_the_authority(world: World) -> None:
    world.chain.pause_authority()


def _revoke_the_role(world: World) -> None:
    world.chain.revoke_role(OPERATOR)


def _break_the_authority(world: World) -> None:
    world.chain.rules.behaviour = Behaviour.REFUSING


def _raise_gas(world: World) -> None:
    world.chain.rules.distribute_gas = LIMITS.gas_limit + 1


def _empty_the_reserve(world: World) -> None:
    world.chain.set_reserve(tokens(9))


def _cut_the_allowance(world: World) -> None:
    world.chain.set_allowance(tokens(9))


def _take_the_gas(world: World) -> None:
    world.chain.set_gas(OPERATOR, Wei(1))


def _make_gas_dear(world: World) -> None:
    world.chain.set_base_fee(Wei(31 * GWEI))


def _take_the_nodes_down(world: World) -> None:
    world.chain.go_down()


def _serve_another_chain(world: World) -> None:
    world.chain.serve_other_chain()


def _remove_the_authority(world: World) -> None:
    world.chain.rules.authority_has_code = False


def _remove_the_token(world: World) -> None:
    world.chain.rules.token_has_code = False


def _use_the_key_elsewhere(world: World) -> None:
    world.chain.spend_nonce(OPERATOR)


def _empty_the_ledger(world: World) -> None:
    world.rows.remove("identity")


def _forget_the_operator(world: World) -> None:
    world.rows.remove(f"nonce:{OPERATOR}")


def _let_the_vault_refuse(world: World) -> None:
    world.signer.signs_only = 0


OBSTACLES = [
    (_pause_the_authority, WaitingReason.AUTHORITY_PAUSED),
    (_revoke_the_role, WaitingReason.ROLE_MISSING),
    (_break_the_authority, WaitingReason.AUTHORITY_REFUSES),
    (_raise_gas, WaitingReason.AUTHORITY_REFUSES),
    (_empty_the_reserve, WaitingReason.RESERVE_SHORT),
    (_cut_the_allowance, WaitingReason.ALLOWANCE_SHORT),
    (_take_the_gas, WaitingReason.GAS_SHORT),
    (_make_gas_dear, WaitingReason.FEE_CEILING),
    (_take_the_nodes_down, WaitingReason.NODE_DOWN),
    (_serve_another_chain, WaitingReason.WRONG_CHAIN),
    (_remove_the_authority, WaitingReason.AUTHORITY_MISSING),
    (_remove_the_token, WaitingReason.TOKEN_MISSING),
    (_use_the_key_elsewhere, WaitingReason.NONCE_AHEAD),
    (_let_the_vault_refuse, WaitingReason.SIGNER_DOWN),
    (_empty_the_ledger, WaitingReason.LEDGER_FOREIGN),
    (_forget_the_operator, WaitingReason.LEDGER_FOREIGN),
]


@pytest.mark.parametrize(("trouble", "reason"), OBSTACLES)
async def test_trouble_that_passes_lets_orders_wait_with_one_alarm(
    trouble: Callable[[World], None], reason: WaitingReason
) -> None:
    """Nothing is bound, nothing is held, no alarm comes twice."""
    world = await a_world()
    order = await world.receive()
    trouble(world)

    await world.distribution.drain()
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED
    assert (await world.ledger.service.why_waiting()).reason is reason
    assert world.alarms.codes == [f"waiting_{reason}"]
    assert not world.chain.handed


async def test_a_key_that_the_ledger_does_not_know_is_told_with_its_command() -> None:
    """A person who changed the key is not sent to look at the table and the addresses."""
    world = await a_world()
    await world.receive()
    _forget_the_operator(world)

    await world.distribution.drain()

    assert "`add-operator`" in (await world.ledger.service.why_waiting()).detail


async def test_orders_go_on_by_themselves_when_the_cause_has_passed() -> None:
    """No command is needed, and the reason is gone."""
    world = await a_world()
    order = await world.receive()
    world.chain.pause_authority()
    await world.distribution.drain()

    world.chain.pause_authority(paused=False)
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.BOUND
    assert (await world.ledger.service.why_waiting()).reason is None


async def test_what_a_vault_signed_before_it_refused_goes_out() -> None:
    """A throttled vault stops the round in its middle: two are bound and submitted, the third waits unbound."""
    world = await a_world()
    orders = [await world.receive(order_id=f"ORD{number}") for number in range(3)]
    world.signer.signs_only = 2

    await world.distribution.drain()

    assert [await world.status(order) for order in orders] == [OrderStatus.BOUND] * 2 + [OrderStatus.RECEIVED]
    assert [sent.unsigned.nonce for sent in world.chain.handed] == [0, 1]
    assert "answered 429" in (await world.ledger.service.why_waiting()).detail
    world.signer.signs_only = None
    await world.distribution.drain()
    assert await world.status(orders[2]) is OrderStatus.BOUND


async def test_a_slow_vault_holds_back_nothing_that_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found-faults A19: 4 seconds a signature; a round hands over what it bound in ten, and the lease is renewed."""
    world = await a_world()
    orders = [await world.receive(order_id=f"ORD{number}") for number in range(8)]
    sign, submit, renew = world.signer.sign, world.chain.submit, Leases.renew
    handed: list[int] = []
    terms: list[int] = []

    async def slowly(unsigned: UnsignedTransaction) -> SignedTransaction:
        world.clock.advance(4_000)
        return await sign(unsigned)

    async def handing(raws: Sequence[bytes]) -> Sequence[Submitted]:
        handed.append(len(raws))
        return await submit(raws)

    async def renewing(leases: Leases, lease: Lease, *, ttl_ms: int) -> Lease | None:
        terms.append(lease.until_ms - world.clock())
        return await renew(leases, lease, ttl_ms=ttl_ms)

    monkeypatch.setattr(world.signer, "sign", slowly)
    monkeypatch.setattr(world.chain, "submit", handing)
    monkeypatch.setattr(Leases, "renew", renewing)
    await world.distribution.drain()

    assert {await world.status(order) for order in orders} == {OrderStatus.BOUND}
    assert handed == [3, 3, 2]
    assert terms[1:] == [18_000, 18_000, 22_000]


async def test_the_reason_is_forgotten_when_nothing_waits_any_more() -> None:
    """A reason without a waiting order would alarm the operator for nothing."""
    world = await a_world()
    await world.ledger.service.set_waiting(WaitingReason.NODE_DOWN, "")

    await world.distribution.drain()

    assert (await world.ledger.service.why_waiting()).reason is None


async def test_a_paused_ledger_binds_nothing_and_says_who_paused_it() -> None:
    """The operators' switch is read before every binding round."""
    world = await a_world()
    order = await world.receive()
    await world.ledger.admin.set_pause_state(
        replace(await world.ledger.admin.pause_state(), paused=True, paused_by="ana", paused_why="audit")
    )

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED
    assert (await world.ledger.service.why_waiting()).detail == "By ana: audit"


async def test_a_big_order_does_not_stop_smaller_ones_behind_it() -> None:
    """The line moves on; the reason says which order is too big."""
    world = await a_world()
    big = await world.receive("BIG", amount_units=tokens(1_000))
    small = await world.receive("SMALL")
    world.chain.set_reserve(tokens(100))

    await world.distribution.drain()

    assert await world.status(big) is OrderStatus.RECEIVED
    assert await world.status(small) is OrderStatus.BOUND
    waiting = await world.ledger.service.why_waiting()
    assert waiting.reason is WaitingReason.RESERVE_SHORT
    assert "default:BIG" in waiting.detail


async def test_what_is_committed_is_not_promised_twice() -> None:
    """Two orders of 10 and a reserve of 15: the second waits, though the first is not mined yet."""
    world = await a_world()
    first, second = await world.receive(), await world.receive()
    world.chain.set_reserve(tokens(15))

    await world.distribution.drain()
    await world.distribution.drain()

    assert await world.status(first) is OrderStatus.BOUND
    assert await world.status(second) is OrderStatus.RECEIVED


async def test_a_round_looks_past_a_whole_page_of_unaffordable_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """More big orders than one page holds do not hide a small one."""
    monkeypatch.setattr(selection, "PAGE_ORDERS", 2)
    world = await a_world()
    for _ in range(4):
        await world.receive(amount_units=tokens(1_000))
    small = await world.receive("SMALL")
    world.chain.set_reserve(tokens(100))

    await world.distribution.drain()

    assert await world.status(small) is OrderStatus.BOUND


async def test_how_far_a_round_looks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of a million unaffordable orders costs a bounded number of reads."""
    monkeypatch.setattr(selection, "PAGE_ORDERS", 1)
    monkeypatch.setattr(selection, "PAGES_PER_ROUND", 2)
    world = await a_world()
    for _ in range(3):
        await world.receive(amount_units=tokens(1_000))
    world.chain.set_reserve(tokens(100))

    drained = await world.distribution.drain()

    assert drained == Drained(bound=0, open=False)


async def test_an_order_the_contract_refuses_is_held() -> None:
    """The probe passes, so the order itself is to blame: a person decides."""
    world = await a_world()
    bad = await world.receive("BAD", wallet=CUSTOMERS[1])
    good = await world.receive("GOOD")
    world.chain.rules.refused_wallets.add(CUSTOMERS[1])

    await world.distribution.drain()

    held = await world.order(bad)
    assert (held.status, held.hold_reason, held.nonce) == (OrderStatus.HELD, HoldReason.SIMULATION, None)
    assert "wallet refused" in held.hold_detail
    assert await world.status(good) is OrderStatus.BOUND
    assert world.alarms.codes == ["held_simulation"]
    assert world.alarms.raised[0].subject == "default:BAD"


class TwoMinds(FakeChain):
    """Two nodes of which only the first refuses a wallet."""

    def _simulation(self, operator, call):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        self.rules.refused_wallets = {CUSTOMERS[1]} if self.calls["simulate"] == 1 else set()
        return super()._simulation(operator, call)


async def test_an_order_that_one_node_would_pay_is_not_held() -> None:
    """One node's word is not enough where there are two; the order waits for the next drain."""
    world = await a_world(chain=TwoMinds(nodes=("one", "two")))
    order = await world.receive(wallet=CUSTOMERS[1])

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED
    assert world.chain.calls["simulate"] == 2
    assert not world.alarms.raised


async def test_an_order_that_two_nodes_refuse_is_held() -> None:
    """Both pay the probe and refuse the order."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    order = await world.receive(wallet=CUSTOMERS[1])
    world.chain.rules.refused_wallets.add(CUSTOMERS[1])

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.HELD


class Drying(FakeChain):
    """A reserve that is emptied between the survey and the simulation, but for the probe's one unit."""

    async def simulate(self, operator, calls, *, node=""):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        self.set_reserve(TokenUnits(1))
        return await super().simulate(operator, calls, node=node)


async def test_a_refusal_that_passes_by_itself_holds_nothing() -> None:
    """Somebody else spent the reserve a moment ago: the order waits."""
    world = await a_world(chain=Drying())
    order = await world.receive()

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED
    assert not world.chain.handed


class Rival(Ledger):
    """A ledger whose order is held by another worker just before our own hold."""

    async def hold(self, order, reason, detail):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        await super().hold(order, reason, detail)
        await super().hold(order, reason, detail)


async def test_an_order_held_by_another_worker_is_alarmed_once() -> None:
    """Who loses the race stays quiet."""
    world = await a_world()
    order = await world.receive(wallet=CUSTOMERS[1])
    world.chain.rules.refused_wallets.add(CUSTOMERS[1])
    world.ledger = Rival(world.rows, world.audit, clock=world.clock)
    world.start()

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.HELD
    assert not world.alarms.raised


async def test_two_processes_bind_each_order_once() -> None:
    """The lease keeps them apart, and conditional writes would if it did not."""
    world = await a_world()
    orders = [await world.receive() for _ in range(10)]
    others = [world.a_distribution(f"other-{each}") for each in range(3)]

    await asyncio.gather(world.distribution.drain(), *(other.drain() for other in others))

    nonces = [(await world.order(order)).nonce for order in orders]
    assert sorted(nonce for nonce in nonces if nonce is not None) == list(range(10))


class Leaseless(Ledger):
    """A ledger that gives the same lease to everyone: only conditional writes are left."""

    async def acquire(self, name: str, holder: str, *, ttl_ms: int) -> Lease:  # noqa: ARG002 -- the port
        return Lease(name=name, holder=holder, until_ms=self._clock())

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease:  # noqa: ARG002 -- the port
        return lease

    async def release(self, lease: Lease) -> None:
        """Nothing was taken."""


async def test_conditional_writes_alone_bind_each_order_once() -> None:
    """The lease is advisory: without it the losers reread and go on."""
    world = await a_world()
    world.ledger = Leaseless(world.rows, world.audit, clock=world.clock)
    orders = [await world.receive() for _ in range(10)]
    workers = [world.a_distribution(f"worker-{each}") for each in range(4)]

    await asyncio.gather(*(worker.drain() for worker in workers))

    nonces = [(await world.order(order)).nonce for order in orders]
    assert sorted(nonce for nonce in nonces if nonce is not None) == list(range(10))
    assert len(world.chain.pooled) == 10


async def test_a_message_that_finds_a_drain_running_is_done_at_once() -> None:
    """It marks the running one, which goes again."""
    world = await a_world()
    await world.receive()

    drains = await asyncio.gather(*(world.distribution.drain() for _ in range(5)))

    assert [drained.bound for drained in drains] == [1, 0, 0, 0, 0]


async def test_a_lost_lease_ends_the_drain_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host has taken over; what is bound here is submitted."""
    world = await a_world()
    for _ in range(2):
        await world.receive()

    renew = Leases.renew

    async def lost(self: Leases, lease: Lease, *, ttl_ms: int) -> Lease | None:
        return await renew(self, lease, ttl_ms=ttl_ms) if not lease.until_ms else None  # only as it is acquired

    monkeypatch.setattr(Leases, "renew", lost)

    drained = await world.distribution.drain()

    assert drained == Drained(bound=2, open=True)


async def test_the_number_of_rounds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One drain cannot run without end; the sweep wakes what is left."""
    monkeypatch.setattr(module, "ROUNDS_PER_DRAIN", 1)
    world = await a_world()
    for _ in range(20):
        await world.receive()

    drained = await world.distribution.drain()

    assert drained.bound == 16


async def test_an_order_that_came_while_the_lease_was_released_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its message found the lease taken and is gone: the holder looks once more."""
    world = await a_world()
    await world.receive()
    release = Leases.release

    async def receive_then_release(self: Leases, lease: Lease) -> None:
        monkeypatch.setattr(Leases, "release", release)
        await world.receive("LATE")
        await release(self, lease)

    monkeypatch.setattr(Leases, "release", receive_then_release)

    drained = await world.distribution.drain()

    assert drained.bound == 2


async def test_an_order_bound_by_another_host_meanwhile_stops_the_round_quietly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The nonce moved under us: nothing more is bound from the stale books."""
    world = await a_world()
    orders = [await world.receive() for _ in range(2)]
    bind, rival = Ledger.bind, world.a_distribution("rival").lane

    async def raced(self: Ledger, *args: object) -> object:
        monkeypatch.setattr(Ledger, "bind", bind)
        await rival._pay(await rival._prepare(), selection.Line())  # type: ignore[arg-type]
        return await bind(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "bind", raced)

    drained = await world.distribution.drain()

    assert drained.bound == 0
    assert [(await world.order(order)).nonce for order in orders] == [0, 1]
    assert len(world.chain.pooled) == 2


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (SubmitOutcome.UNKNOWN, TransactionStatus.SUBMITTED),
        (SubmitOutcome.POOL_FULL, TransactionStatus.SIGNED),
        (SubmitOutcome.REFUSED, TransactionStatus.SIGNED),
    ],
)
async def test_what_a_node_says_is_an_outcome_not_an_error(outcome: SubmitOutcome, status: TransactionStatus) -> None:
    """The order stays bound; settlement submits the same bytes again."""
    world = await a_world()
    order = await world.receive()
    world.chain.refuse(outcome)

    await world.distribution.drain()

    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    assert transaction.status is status
    assert transaction.submitted_ms is not None
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_transaction_settled_while_it_was_submitted_keeps_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settlement wrote first: our note about the submission is not needed."""
    world = await a_world()
    await world.receive()
    submit = FakeChain.submit

    async def raced(self: FakeChain, raws: list[bytes]) -> object:
        answers = await submit(self, raws)
        self.mine()
        await world.settlement.turn()
        return answers

    monkeypatch.setattr(FakeChain, "submit", raced)

    await world.distribution.drain()

    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    assert transaction.status is TransactionStatus.MINED


async def test_a_reason_written_by_another_host_first_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hosts see the same trouble: one alarm."""
    world = await a_world()
    await world.receive()
    world.chain.go_down()
    set_waiting = ServiceState.set_waiting
    by_rival: dict[str, str | int | bool | bytes] = {
        "reason": "node_down",
        "detail": "",
        "since_ms": 1,
        "owner": "rival",
    }

    async def raced(self: ServiceState, reason: WaitingReason | None, detail: str) -> bool:
        world.rows.after_next_read(lambda: world.rows.put("waiting", by_rival))
        return await set_waiting(self, reason, detail)

    monkeypatch.setattr(ServiceState, "set_waiting", raced)

    await world.distribution.drain()

    assert not world.alarms.raised
    assert (await world.ledger.service.why_waiting()).since_ms == 1


async def test_a_ledger_that_is_down_is_left_to_the_sweep() -> None:
    """The handler logs it and is done; the next drain works."""
    world = await a_world()
    await world.receive()
    world.rows.go_down()

    with pytest.raises(StoreUnavailable):
        await world.distribution.drain()

    world.rows.come_back()
    assert (await world.distribution.drain()).bound == 1


async def test_nothing_is_bound_while_too_much_is_not_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fence after a loss reaches past 256 nonces and no further."""
    monkeypatch.setattr("distributor.payout.preflight.UNSETTLED_MAX", 2)
    world = await a_world()
    world.chain.stall_finality()
    for _ in range(3):
        await world.receive()
        await world.distribution.drain()
        await world.settle(2)

    await world.distribution.drain()

    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.FINALITY_BEHIND
    assert len(await world.ledger.open_transactions()) == 2


async def test_what_would_stop_an_order_is_known_before_one_comes() -> None:
    """Asked as a round asks it, and nothing is bound, held or written for it."""
    world = await a_world()
    assert await WouldPay(world.distribution.lane).obstacle() is None
    before = world.rows.dump()
    world.chain.set_gas(OPERATOR, Wei(0))
    found = [await WouldPay(world.distribution.lane).obstacle()]
    world.chain.set_gas(OPERATOR, Wei(10**20))
    world.chain.set_reserve(TokenUnits(0))
    found.append(await WouldPay(world.distribution.lane).obstacle())
    world.chain.go_down()
    found.append(await WouldPay(world.distribution.lane).obstacle())
    assert world.rows.dump() == before
    await world.ledger.admin.pause("ana", "a look")
    found.append(await WouldPay(world.distribution.lane).obstacle())

    assert [each.reason for each in found if each] == ["gas_short", "reserve_short", "node_down", "paused"]


async def test_a_node_that_cannot_show_what_settlement_will_ask_would_stop_an_order() -> None:
    """Found-faults A11: small tries work, and on the first busy day sixteen in flight are never closed."""
    world = await a_world()
    world.chain.words = few_words  # type: ignore[method-assign]

    found = await WouldPay(world.distribution.lane).obstacle()

    assert found is not None
    assert found.reason is WaitingReason.NODE_DOWN
    assert "does not answer 16 of 16 receipts" in found.detail


async def few_words(claims: Sequence[Claim], *, node: str, mark: Mark | None = None) -> Mapping[Hash, Word]:
    """Answer nothing of what was asked for at once."""
    assert claims
    assert (bool(node), mark) == (True, None)
    return {}


async def test_a_ledger_that_is_not_ours_would_stop_an_order() -> None:
    """Another reserve in the settings, or an operator without a nonce row."""
    world = await a_world()
    config = replace(world.distribution.lane.config, identity=replace(IDENTITY, reserve=an_address("another")))
    foreign = await WouldPay(replace(world.distribution.lane, config=config)).obstacle()
    unknown = await WouldPay(replace(world.distribution.lane, signer=FakeSigner(an_address("new operator")))).obstacle()

    assert [each and each.reason for each in (foreign, unknown)] == ["ledger_foreign", "ledger_foreign"]


async def test_a_thousand_orders_of_one_capped_wallet_keep_no_other_waiting() -> None:
    """1,100 of a wallet at its cap lie before one of another wallet; they are reported once, with their number."""
    world = await a_world()
    world.cap(wallet_units=20)
    await world.receive()
    await world.receive()
    await world.distribution.drain()
    await world.settle(turns=12)
    for number in range(1_100):
        await world.receive(f"CAPPED{number}")
    other = await world.receive("OTHER", wallet=CUSTOMERS[1])

    await world.distribution.drain()
    await world.distribution.drain()

    assert await world.status(other) is OrderStatus.BOUND
    waiting = await world.ledger.service.why_waiting()
    assert (waiting.reason, "1100 orders wait" in waiting.detail) == (WaitingReason.DAILY_CAP, True)
    assert world.alarms.codes == ["waiting_daily_cap"]
