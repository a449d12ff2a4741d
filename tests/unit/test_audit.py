"""The ledger compared with the chain: every way in which the two can differ is reported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from distributor.errors import ChainUnavailable
from distributor.ledger.columns import encode
from distributor.ledger.rebuild_store import Payout, RebuildStore
from distributor.model import Address, Hash, HoldReason, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.recovery import audit
from distributor.recovery.audit import Audit, Findings, Mismatch
from distributor.recovery.payouts import KnownParties
from distributor.units import TokenUnits
from tests.factories import POLICY, TOKEN, a_hash, an_address
from tests.fakes.chain import AUTHORITY, CUSTOMERS, OPERATOR
from tests.fakes.history import FakeHistory
from tests.world import World, a_world

SOMEBODY = an_address("somebody")
LONG = "A-name-of-more-than-thirty-two-characters"


async def audited(
    world: World,
    first_block: int = 0,
    *,
    operators: Collection[Address] = (OPERATOR,),
    accepted: Collection[Hash] = (),
    said: list[str] | None = None,
) -> Findings:
    """Hold the ledger of *world* against its chain."""
    use_case = Audit(
        rebuild_store=RebuildStore(world.rows, world.clock),
        chain=world.chain,
        history=FakeHistory(world.chain),
        policy=POLICY,
        known=KnownParties(authority=AUTHORITY, operators=operators, accepted=dict.fromkeys(accepted)),
        say=(said if said is not None else []).append,
    )
    return await use_case.run(first_block)


async def a_paid_world(*order_ids: str) -> World:
    """Return a world that has paid orders, to their end."""
    world = await a_world()
    for order_id in order_ids:
        await world.receive(order_id, ref_id=ref_id("default", order_id))
    await world.distribution.drain()
    await world.settle(10)
    return world


async def rewrite(world: World, order_id: str, **changes: Any) -> None:
    """Edit an order's row past every rule."""
    order = await world.ledger.order(OrderKey("default", order_id))
    assert order is not None
    world.rows.put(f"order:default:{order_id}", encode(replace(order, **changes)))


def kinds(findings: Findings) -> list[tuple[Mismatch, str]]:
    """Return what differs, and in what."""
    return [(each.kind, each.subject) for each in findings.differences]


async def test_a_ledger_and_its_chain_agree() -> None:
    """Both ways, with the counts."""
    world = await a_paid_world("ORD1", "ORD2", LONG)
    said: list[str] = []

    findings = await audited(world, said=said)

    assert findings.differences == []
    assert (findings.orders, findings.payouts, findings.paid_units) == (3, 3, 30 * TOKEN)
    assert said == [f"Blocks 0 to {findings.last_block}: 3 payouts, 0 strangers."]


async def test_what_waits_or_is_in_flight_is_no_difference() -> None:
    """Also a payout that is final on the chain and not closed in the ledger."""
    world = await a_world()
    await world.receive("ORD1")
    await world.distribution.drain()
    world.chain.mine(10)
    await world.receive("ORD2")

    findings = await audited(world)

    assert findings.payouts == 1
    assert findings.differences == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"wallet": SOMEBODY}, Mismatch.OTHER_WALLET),
        ({"amount_units": TokenUnits(1)}, Mismatch.OTHER_AMOUNT),
        ({"status": OrderStatus.RECEIVED}, Mismatch.NOT_PAID),
        ({"status": OrderStatus.HELD, "hold_reason": HoldReason.REVERTED}, Mismatch.NOT_PAID),
        ({"paid_block": 10_000}, Mismatch.NOT_FINAL),
    ],
)
async def test_an_order_that_says_otherwise_is_told(changes: dict[str, Any], kind: Mismatch) -> None:
    """The other orders are not."""
    world = await a_paid_world("ORD1", "ORD2")
    paid_hash = world.chain.receipts[0].tx_hash
    await rewrite(world, "ORD1", **changes)

    findings = await audited(world)

    assert kinds(findings) == [(kind, "default:ORD1")]
    assert findings.differences[0].tx_hash == paid_hash
    assert "block" in findings.differences[0].detail or CUSTOMERS[0] in findings.differences[0].detail


async def test_a_paid_order_without_its_transfer_is_told() -> None:
    """And the transfer that is there instead, of the same reference."""
    world = await a_paid_world("ORD1")
    await rewrite(world, "ORD1", paid_hash=a_hash("nothing"))

    assert kinds(await audited(world)) == [
        (Mismatch.NO_TRANSFER, "default:ORD1"),
        (Mismatch.PAID_TWICE, "default:ORD1"),
    ]


async def test_a_paid_order_the_chain_never_paid_is_told() -> None:
    """The row was made by hand."""
    world = await a_paid_world("ORD1")
    order = await world.receive("ORD2")
    await rewrite(world, "ORD2", status=OrderStatus.PAID, paid_hash=a_hash("nothing"), paid_block=1)

    assert kinds(await audited(world)) == [(Mismatch.NO_TRANSFER, str(order.key))]


async def test_a_payout_without_its_order_is_told() -> None:
    """The row was removed by hand."""
    world = await a_paid_world("ORD1", LONG)
    world.rows.remove("order:default:ORD1")
    world.rows.remove(f"order:default:{LONG}")

    assert kinds(await audited(world)) == [
        (Mismatch.NO_ORDER, "default:ORD1"),
        (Mismatch.NO_ORDER, ref_id("default", LONG)),
    ]


async def test_what_somebody_else_did_is_told_until_it_is_accepted() -> None:
    """With who did it."""
    world = await a_paid_world("ORD1")
    (receipt,) = world.chain.receipts

    findings = await audited(world, operators=())

    assert kinds(findings) == [
        (Mismatch.STRANGER, f"block {receipt.block.number}"),
        (Mismatch.NO_TRANSFER, "default:ORD1"),
    ]
    assert OPERATOR in findings.differences[0].detail
    accepted = await audited(world, operators=(), accepted=[receipt.tx_hash])
    assert kinds(accepted) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"paid_hash": a_hash("the first")}, Mismatch.PAID_TWICE),
        ({"status": OrderStatus.HELD, "hold_reason": HoldReason.REFERENCE_USED, "wallet": SOMEBODY}, Mismatch.NOT_PAID),
        ({"status": OrderStatus.CANCELLED, "wallet": SOMEBODY}, Mismatch.NOT_PAID),
    ],
)
async def test_a_conflict_that_a_person_has_accepted_is_no_difference(changes: dict[str, Any], kind: Mismatch) -> None:
    """Nothing ends it: the audit never ended with 0 again, and no guard could ever be adopted."""
    world = await a_paid_world("ORD1")
    paid_hash = world.chain.receipts[0].tx_hash
    await rewrite(world, "ORD1", **changes)

    assert (kind, "default:ORD1") in kinds(await audited(world))
    assert (kind, "default:ORD1") not in kinds(await audited(world, accepted=[paid_hash]))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": OrderStatus.RECEIVED, "wallet": SOMEBODY},
        {"status": OrderStatus.HELD, "hold_reason": HoldReason.REVERTED, "wallet": SOMEBODY},
        {"status": OrderStatus.HELD, "hold_reason": HoldReason.REFERENCE_USED},
        {"status": OrderStatus.CANCELLED},
    ],
)
async def test_what_may_be_paid_again_or_was_paid_as_it_says_is_told_though_it_is_accepted(
    changes: dict[str, Any],
) -> None:
    """The one is to be held or cancelled, the other settled."""
    world = await a_paid_world("ORD1")
    await rewrite(world, "ORD1", **changes)

    findings = await audited(world, accepted=[world.chain.receipts[0].tx_hash])

    assert kinds(findings) == [(Mismatch.NOT_PAID, "default:ORD1")]


async def test_a_rebuilt_ledger_agrees_with_its_chain() -> None:
    """Also by the references of orders whose names the chain does not show."""
    world = await a_paid_world("ORD1", LONG)
    rebuild_store = RebuildStore(world.rows, world.clock)
    lost = World(chain=world.chain)
    for order_id in ("ORD1", LONG):
        order = await world.ledger.order(OrderKey("default", order_id))
        assert order is not None
        assert order.operator is not None
        assert order.nonce is not None
        assert order.paid_hash is not None
        assert order.paid_block is not None
        payout = Payout(
            ref_id=order.ref_id,
            key=None if order_id == LONG else order.key,
            wallet=CUSTOMERS[0],
            amount_units=order.amount_units,
            reason=order.reason,
            operator=order.operator,
            nonce=order.nonce,
            tx_hash=order.paid_hash,
            block_number=order.paid_block,
        )
        await replace(rebuild_store, rows=lost.rows).restore(payout)

    findings = await audited(lost)

    assert findings.differences == []
    assert findings.orders == 2


async def test_only_the_blocks_asked_for_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit goes on where the last one ended, page by page."""
    monkeypatch.setattr(audit, "PAGE_BLOCKS", 2)
    world = await a_paid_world("ORD1")
    await rewrite(world, "ORD1", amount_units=TokenUnits(1))
    said: list[str] = []

    findings = await audited(world, first_block=2, said=said)

    assert findings.differences == []
    assert (findings.orders, findings.payouts) == (0, 0)
    assert said[0] == "Blocks 2 to 3: 0 payouts, 0 strangers."


async def test_without_a_final_block_there_is_nothing_to_hold_it_against() -> None:
    """The node knows of none."""
    world = await a_paid_world("ORD1")
    world.chain.miss_finality()

    with pytest.raises(ChainUnavailable, match="no final block"):
        await audited(world)
