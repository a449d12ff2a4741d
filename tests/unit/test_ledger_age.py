"""A ledger that went back must not pay again what it forgot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from distributor.chain_types import Call, Counts, PoolView, PreBindSnapshot
from distributor.errors import ChainUnavailable
from distributor.model import Address, Fees, OrderStatus
from distributor.payout.ledger_age import PATIENCE_MS, find_sign
from distributor.ports import UnsignedTransaction
from distributor.state import WaitingReason
from distributor.units import Wei
from foundation.tablestore.ports import Row
from tests.factories import a_hash, an_address
from tests.fakes.chain import OPERATOR, FakeChain
from tests.fakes.signer import Sent
from tests.world import World, a_world

RETIRED = an_address("retired operator")


def put_back(world: World, rows: dict[str, Row]) -> None:
    """Let the table be what it was."""
    world.rows._rows = dict(rows)


def a_rival(nonce: int) -> Sent:
    """Return bytes of the operator's key that this ledger knows nothing of."""
    fees = Fees(max_fee_wei=Wei(10**11), tip_wei=Wei(10**10))
    call = Call(to=OPERATOR, data=b"")
    unsigned = UnsignedTransaction(chain_id=31337, nonce=nonce, call=call, gas_limit=21_000, fees=fees)
    return Sent(tx_hash=a_hash(f"forgotten {nonce}"), sender=OPERATOR, unsigned=unsigned)


async def no_answer(_operator: Address) -> PreBindSnapshot:
    """A node that does not answer."""
    raise ChainUnavailable


async def a_ledger_that_went_back() -> World:
    """A-1 paid, table copied, A-2 bound and in the pool, table put back; B-1 arrives."""
    world = await a_world()
    await world.receive("A-1")
    await world.distribution.drain()
    await world.settle(8)
    second = await world.receive("A-2")
    copy = dict(world.rows._rows)
    await world.distribution.drain()
    put_back(world, copy)
    await world.receive("B-1")
    assert await world.status(second) is OrderStatus.RECEIVED
    return world


async def test_a_ledger_that_went_back_pays_nothing_twice() -> None:
    """The smallest input of A1: the pool's payment of A-2 is mined, and no second one is ever bound."""
    world = await a_ledger_that_went_back()

    await world.distribution.drain()
    world.start()
    await world.settle(3)
    await world.distribution.drain()

    assert len(world.transfers()) == 2
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.POOL_AHEAD
    assert world.alarms.codes == ["waiting_pool_ahead"]


async def test_a_sign_that_lasts_a_minute_pauses() -> None:
    """And the alarm names the ways out; then it waits for one."""
    world = await a_ledger_that_went_back()
    await world.distribution.drain()
    world.clock.advance(PATIENCE_MS)

    await world.distribution.drain()
    await world.distribution.drain()

    assert (await world.ledger.admin.pause_state()).paused
    assert "ledger_behind" in world.alarms.codes
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.PAUSED


async def test_a_pool_that_forgets_proves_nothing() -> None:
    """The sign is gone within a minute; without the guard a person has to look all the same."""
    world = await a_ledger_that_went_back()
    await world.distribution.drain()
    world.chain.drop(world.chain.pooled[0].tx_hash)

    await world.distribution.drain()

    assert not world.chain.pooled
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.POOL_AHEAD


async def test_a_sign_in_the_pool_counts_whatever_else_the_nodes_do_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the guard has recorded and what the contracts say is asked beside the pool; a sign is noted all the same."""
    world = await a_world(guarded=True)
    await world.receive("A-1")
    world.chain.arrive(a_rival(nonce=0))
    world.guard.silent = True
    monkeypatch.setattr(world.chain, "pre_bind_snapshot", no_answer)

    await world.distribution.drain()

    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.POOL_AHEAD


@pytest.mark.parametrize("silent", ["guard", "contracts"])
async def test_nothing_is_bound_on_half_an_answer(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that says what its pool holds and not the rest is one that does not answer."""
    world = await a_world(guarded=True)
    order = await world.receive("A-1")
    world.guard.silent = silent == "guard"
    if silent == "contracts":
        monkeypatch.setattr(world.chain, "pre_bind_snapshot", no_answer)

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.NODE_DOWN


async def test_an_operator_added_while_the_nodes_answer_is_asked_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pool may hold what the ledger forgot: nothing is bound on counts that leave it out."""
    world = await a_world()
    await world.receive("A-1")
    asked: list[Sequence[Address]] = []
    pool_views = FakeChain.pool_views

    async def adds_one(chain: FakeChain, operators: Sequence[Address]) -> Sequence[PoolView]:
        asked.append(operators)
        await world.ledger.admin.add_operator(RETIRED, 0)
        return await pool_views(chain, operators)

    monkeypatch.setattr(FakeChain, "pool_views", adds_one)
    await world.distribution.drain()

    assert asked == [[OPERATOR], sorted([OPERATOR, RETIRED])]
    assert (await world.ledger.service.why_waiting()).reason is None


async def test_resume_ends_a_sign_that_is_gone() -> None:
    """The person has looked; what is still there is seen again by the next round."""
    world = await a_ledger_that_went_back()
    await world.distribution.drain()
    world.chain.drop(world.chain.pooled[0].tx_hash)

    await world.ledger.admin.resume("ana", "the pool's bytes are gone for good")
    await world.ledger.admin.resume("ana", "twice changes nothing")
    drained = await world.distribution.drain()

    assert drained.bound == 2


async def test_resume_does_not_end_a_sign_that_is_there() -> None:
    """It is noted again."""
    world = await a_ledger_that_went_back()
    await world.distribution.drain()
    await world.ledger.admin.resume("ana", "in a hurry")

    drained = await world.distribution.drain()

    assert drained.bound == 0
    assert await world.ledger.signs.noted() is not None


async def test_two_nodes_that_show_a_foreign_nonce_in_a_block_pause_at_once() -> None:
    """One of them might be wrong."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    await world.receive()
    world.chain.spend_nonce(OPERATOR)

    await world.distribution.drain()

    assert (await world.ledger.admin.pause_state()).paused
    noted = await world.ledger.signs.noted()
    assert noted is not None
    assert noted.reason is WaitingReason.NONCE_AHEAD


async def test_a_retired_operator_stops_every_lane() -> None:
    """Its nonce row stays permanently, and so does the question."""
    world = await a_world(chain=FakeChain(operators=(OPERATOR, RETIRED)))
    await world.ledger.admin.add_operator(RETIRED, 0)
    order = await world.receive()
    world.chain.spend_nonce(RETIRED)

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED


async def test_what_another_host_binds_meanwhile_is_no_sign() -> None:
    """The rows are read again after the nodes were asked."""
    world = await a_world()
    await world.receive()
    views = world.chain.pool_views
    other = world.a_distribution("another host")

    async def raced(operators: list[Address]) -> object:
        world.chain.pool_views = views  # type: ignore[method-assign]
        await other.drain()
        return await views(operators)

    world.chain.pool_views = raced  # type: ignore[method-assign, assignment]
    await world.distribution.drain()

    assert await world.ledger.signs.noted() is None


async def test_a_rival_at_the_first_submission_is_a_sign() -> None:
    """Somebody else's bytes hold the nonce in a pool; what the counts said before is no matter."""
    world = await a_world()
    first, second = await world.receive(), await world.receive()
    world.max_in_flight = 1
    world.start()
    submit = world.chain.submit

    async def rivalled(raws: list[bytes]) -> object:
        world.chain.arrive(a_rival(nonce=0))
        return await submit(raws)

    world.chain.submit = rivalled  # type: ignore[method-assign, assignment]
    await world.distribution.drain()

    noted = await world.ledger.signs.noted()
    assert noted is not None
    assert "other bytes for nonce 0" in noted.detail
    assert await world.status(first) is OrderStatus.BOUND
    assert await world.status(second) is OrderStatus.RECEIVED


async def test_a_rival_of_our_own_is_no_sign() -> None:
    """A straggler hands over attempt 0 while attempt 1 is in the pool: another worker stored it."""
    world = await a_world()
    order = await world.receive()
    submit = world.chain.submit

    async def overtaken(raws: list[bytes]) -> object:
        world.chain.submit = submit  # type: ignore[method-assign]
        (opened,) = await world.ledger.open_transactions()
        first = opened.attempts[0]
        later = replace(first, index=1, tx_hash=a_hash("attempt 1"))
        await world.ledger.add_attempt(opened.transaction, later)
        world.chain.arrive(a_rival(nonce=0))
        return await submit(raws)

    world.chain.submit = overtaken  # type: ignore[method-assign, assignment]
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.BOUND
    assert await world.ledger.signs.noted() is None


async def test_two_that_note_or_forget_a_sign_at_once_do_it_once() -> None:
    """The first word stays, and its end is an end for both."""
    world = await a_world()
    signs = world.ledger.signs
    first = await signs.note(WaitingReason.POOL_AHEAD, "first")

    assert await signs.note(WaitingReason.NONCE_AHEAD, "second") == first
    world.rows.after_next_read(lambda: world.rows.remove("ahead"))
    await signs.forget()
    assert await signs.noted() is None
    world.rows.lose_next_answer(done=True)
    world.rows.after_next_read(lambda: None)
    assert (await signs.note(WaitingReason.POOL_AHEAD, "third")).detail == "third"


def test_a_nonce_in_a_block_counts_before_one_in_a_pool() -> None:
    """It is the graver word."""
    pool = PoolView(node="a", counts={OPERATOR: Counts(7, 9)})
    block = PoolView(node="b", counts={OPERATOR: Counts(9, 9)})

    sign = find_sign([pool, block], {OPERATOR: 8})

    assert sign is not None
    assert (sign.reason, sign.nodes) == (WaitingReason.NONCE_AHEAD, 1)
    assert "Node b counts 9" in sign.detail
    assert find_sign([pool, block], {OPERATOR: 9}) is None


async def test_a_sign_noted_by_a_clock_that_runs_ahead_pauses_all_the_same() -> None:
    """A host an hour ahead noted it; the others do not wait an hour for the minute to pass."""
    world = await a_ledger_that_went_back()
    world.clock.advance(3_600_000)
    await world.distribution.drain()
    world.clock.now_ms -= 3_600_000

    await world.distribution.drain()

    assert (await world.ledger.admin.pause_state()).paused
