"""Guards that rest on an order of reading, or on what is counted: each is seen to be missed when it is taken away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.ledger import keys
from distributor.model import AttemptKind, Fees, OrderStatus, TransactionStatus
from distributor.payout.settlement import _lowest_in_flight
from distributor.recovery.fence import _still_stands
from foundation.tablestore.ports import Row
from tests.factories import OPERATOR as SOMEBODY
from tests.factories import a_block, a_chain_snapshot, a_transaction, opened
from tests.world import World, a_world


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, world: World, method: str, first: str, then: Callable[[], Awaitable[object]]
) -> None:
    """Let *then* happen right after the first reading whose key begins with *first*."""
    real = getattr(world.rows, method)
    done: list[bool] = []

    async def reading(key: str, *about: Any, **named: Any) -> Any:
        found: Row | Sequence[Row] | None = await real(key, *about, **named)
        if key.startswith(first) and not done:
            done.append(True)
            await then()
        return found

    monkeypatch.setattr(world.rows, method, reading)


async def test_a_pause_between_the_two_readings_of_a_round_stops_its_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nonce row is read before the switch: a pause after that writes it anew, and the binding loses."""
    world = await a_world()
    order = await world.receive()

    async def pause() -> None:
        await world.ledger.admin.pause("ana", "looks")

    meanwhile(monkeypatch, world, "get", keys.CONTROL, pause)

    drained = await world.distribution.drain()

    assert drained.bound == 0
    assert await world.status(order) is OrderStatus.RECEIVED


@pytest.mark.parametrize("first", ["tx:", "attempt:"])
async def test_an_attempt_stored_between_two_readings_is_one_too_many_and_none_too_few(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """The transactions are read before their attempts: what one counts is there, whatever is stored meanwhile."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    (each,) = (await world.ledger.opened()).transactions
    last = each.attempts[-1]
    dearer = Fees(max_fee_wei=last.fees.max_fee_wei, tip_wei=last.fees.tip_wei)
    replacement = replace(last, index=1, kind=AttemptKind.PAY, fees=dearer)

    async def replaced() -> None:
        await world.ledger.add_attempt(each.transaction, replacement)

    meanwhile(monkeypatch, world, "scan", first, replaced)

    found = await world.ledger.opened()

    assert found.unreadable == []
    assert [len(one.attempts) for one in found.transactions] == [1]


async def test_a_transaction_closed_after_its_slot_was_read_is_open_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slot was listed, its row says final: it is neither open nor broken."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    await world.settle(2)
    world.chain.mine(5)
    closing = world.a_settlement(world.distribution)

    async def closed() -> None:
        await closing.turn()

    meanwhile(monkeypatch, world, "scan", "opentx:", closed)

    found = await world.ledger.opened()

    assert (found.transactions, found.unreadable) == ([], [])


def test_what_is_mined_holds_up_no_nonce_behind_it() -> None:
    """The lowest nonce in flight is the lowest that is not mined: only that one's fees can be the cause."""
    mined = opened(a_transaction(7, status=TransactionStatus.MINED))
    stuck = [opened(a_transaction(nonce, status=TransactionStatus.SUBMITTED)) for nonce in (8, 9)]

    assert _lowest_in_flight([mined, *stuck]) == {SOMEBODY: 8}
    assert _lowest_in_flight([mined]) == {}


def test_a_quiet_moment_ends_with_its_block_or_with_a_nonce() -> None:
    """What a fence saw as quiet holds only while that block is in the chain and no nonce was spent since."""
    mark = a_chain_snapshot(100, nonce=7)
    later = replace(a_chain_snapshot(110, nonce=7), canonical={100: mark.head.block_hash})

    assert _still_stands(mark, later)
    assert not _still_stands(mark, replace(later, canonical={100: a_block(100, "fork").block_hash}))
    assert not _still_stands(mark, replace(later, canonical={}))
    assert not _still_stands(mark, replace(later, nonces={SOMEBODY: 8}))
