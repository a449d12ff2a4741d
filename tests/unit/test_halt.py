"""A halt: nothing signed leaves the house, but for what a person does by hand; what is mined is followed on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from distributor.chain_types import Submitted
from distributor.ledger import Ledger
from distributor.model import OrderStatus, TransactionStatus
from distributor.payout.cancellation import Cancellation, Cancelled
from distributor.state import WaitingReason
from distributor.units import Wei
from tests.factories import GWEI
from tests.fakes.chain import OPERATOR, FakeChain
from tests.fakes.signer import FakeSigner
from tests.world import World, a_world


async def attempts(world: World, nonce: int = 0) -> int:
    """Return how many attempts one nonce has."""
    return len(await world.ledger.attempts(OPERATOR, nonce))


async def handed_over(world: World) -> bool:
    """Say whether bytes of nonce 0 were ever handed to a node."""
    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    return transaction.submitted_ms is not None


class HaltedBehindTheBinding(Ledger):
    """A ledger that a person halts as soon as something is bound: the round has signed and stored already."""

    async def bind(self, *parts):  # type: ignore[no-untyped-def]  # noqa: ANN002, ANN201 -- the port
        bound = await super().bind(*parts)
        await self.admin.halt("ana", "the key leaked")
        return bound


async def a_halted_world() -> World:
    """Return a world halted between the binding of its one order and the submission."""
    world = await a_world()
    world.ledger = HaltedBehindTheBinding(world.rows, world.audit, clock=world.clock)
    world.start()
    await world.receive()
    await world.distribution.drain()
    return world


async def test_while_halted_nothing_is_bound_and_orders_say_why() -> None:
    """Who halted, and why, is the detail of the waiting reason."""
    world = await a_world()
    order = await world.receive()
    await world.ledger.admin.halt("ana", "the key leaked")

    await world.distribution.drain()

    waiting = await world.ledger.service.why_waiting()
    assert await world.status(order) is OrderStatus.RECEIVED
    assert (waiting.reason, waiting.detail) == (WaitingReason.HALTED, "By ana: the key leaked")
    assert world.alarms.codes == ["waiting_halted"]
    assert not world.chain.calls


async def test_a_halt_keeps_a_round_in_progress_from_submitting_what_it_has_bound() -> None:
    """The switch is looked at last of all, before the bytes go out."""
    world = await a_halted_world()

    await world.settle(20)

    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    assert (transaction.status, transaction.submitted_ms) == (TransactionStatus.SIGNED, None)
    assert not world.chain.handed


async def test_what_was_signed_before_a_halt_is_submitted_after_it() -> None:
    """The stored bytes, by settlement; the order is paid once."""
    world = await a_halted_world()
    await world.settle(5)
    await world.ledger.admin.resume("ana", "a false alarm")

    await world.settle(10)

    assert list((await world.statuses()).values()) == [OrderStatus.PAID]
    assert (await attempts(world), len(world.transfers())) == (1, 1)


async def test_while_halted_nothing_is_submitted_again_or_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long halt raises no price and uses no attempt up; the first turn after it replaces."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    _make_dear(world)
    await world.ledger.admin.halt("ana", "the key leaked")
    calls = _submissions(monkeypatch)

    await world.settle(60)
    assert (await attempts(world), calls) == (1, [])

    await world.ledger.admin.resume("ana", "rotated")
    await world.settle(1)
    assert (await attempts(world), calls) == (2, [1])


def _make_dear(world: World) -> None:
    """Let the network ask more than what is in the pool offers, and less than a replacement may."""
    world.chain.rules.least_tip_wei = Wei(30 * GWEI)
    world.chain.set_base_fee(Wei(25 * GWEI))


def _submissions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of the batches that reach the nodes from now on."""
    calls: list[int] = []
    submit = FakeChain.submit

    async def counted(self: FakeChain, raws: Sequence[bytes]) -> Sequence[Submitted]:
        calls.append(len(raws))
        return await submit(self, raws)

    monkeypatch.setattr(FakeChain, "submit", counted)
    return calls


async def test_a_replacement_signed_when_the_halt_came_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stored and counted; after the halt its bytes go out as they are."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    _make_dear(world)
    world.clock.advance(world.policy.replace_after_ms)
    add_attempt = Ledger.add_attempt

    async def halted_behind(self: Ledger, *parts: object) -> object:
        stored = await add_attempt(self, *parts)  # type: ignore[arg-type]  # handed on
        await self.admin.halt("ana", "the key leaked")
        return stored

    monkeypatch.setattr(Ledger, "add_attempt", halted_behind)
    calls = _submissions(monkeypatch)

    await world.settle(60)
    assert (await attempts(world), calls) == (2, [])

    await world.ledger.admin.resume("ana", "rotated")
    await world.settle(10)
    assert (await attempts(world), list((await world.statuses()).values())) == (2, [OrderStatus.PAID])


async def test_while_halted_what_is_mined_is_followed_to_its_end() -> None:
    """A halt takes nothing back: what the nodes have may be mined, and is closed as paid."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    await world.ledger.admin.halt("ana", "the key leaked")
    world.chain.mine()

    await world.settle(10)

    assert await world.status(order) is OrderStatus.PAID
    assert not await world.ledger.any_open()


async def test_while_halted_a_block_that_leaves_is_noticed_and_nothing_is_resubmitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The transaction is open again in the ledger; its bytes stay in the house until the halt ends."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    world.chain.mine()
    await world.settle(1)
    await world.ledger.admin.halt("ana", "the key leaked")
    world.chain.reorg(2, keep=False)
    calls = _submissions(monkeypatch)

    await world.settle(20)
    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    assert (transaction.status, calls) == (TransactionStatus.SUBMITTED, [])

    await world.ledger.admin.resume("ana", "a false alarm")
    await world.settle(10)
    assert await world.status(order) is OrderStatus.PAID


async def test_a_person_may_cancel_a_nonce_while_halted() -> None:
    """What is done by hand goes out: it may be why the halt was called."""
    world = await a_halted_world()
    world.chain.pause_authority()
    cancellation = Cancellation(
        ledger=world.ledger,
        chain=world.chain,
        guard=world.guard,
        signers={OPERATOR: FakeSigner(OPERATOR)},
        clock=world.clock,
        limits=world.limits,
        chain_id=world.identity.chain_id,
    )

    outcome = await cancellation.cancel(OPERATOR, 0, by="ana", why="the key leaked")

    assert outcome is Cancelled.SUBMITTED
    assert await handed_over(world)
