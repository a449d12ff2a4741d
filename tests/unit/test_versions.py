"""
Rows across versions: two versions of the code meet on one ledger at each deployment and each roll-back.

What this code does not know is kept, shown and left alone; it harms nothing beside it.
"""

from __future__ import annotations

import pytest

from distributor.ledger.opened import GAP_MAX
from distributor.ledger.rebuild_store import Payout, RebuildStore, RestoreResult
from distributor.model import AttemptKind, HoldReason, OrderStatus, SubmitOutcome, TransactionStatus
from distributor.payout import lifecycle
from distributor.payout.cancellation import Cancellation, Cancelled
from distributor.payout.lane import SCHEMA_LEVEL
from distributor.payout.step_kinds import Wait
from distributor.state import WaitingReason
from foundation.errors import InvariantBroken
from tests.factories import LIMITS, POLICY, a_chain_snapshot, a_hash, a_transaction, an_attempt, an_order, opened
from tests.fakes.chain import CUSTOMERS, OPERATOR
from tests.fakes.status import a_status
from tests.world import World, a_world


def change(world: World, key: str, **columns: str | int | bool) -> None:
    """Write columns of a row as a newer version would."""
    world.rows.put(key, {**world.rows.dump()[key], **columns})


# words ---------------------------------------------------------------------------------------------


def test_a_word_nobody_knows_is_itself_and_equal_to_no_member() -> None:
    """Also of the same word read twice, so that a row that did not change is not written."""
    word = OrderStatus("resting")

    assert (str(word), word.is_known, OrderStatus.PAID.is_known) == ("resting", False, True)
    assert word == OrderStatus("resting")
    assert word not in set(OrderStatus)
    with pytest.raises(ValueError, match="7"):
        OrderStatus(7)  # type: ignore[arg-type]


async def test_an_order_with_a_newer_status_is_frozen() -> None:
    """Shown with its word, answered as known, bound by no round, touched by no verb; those behind it are paid."""
    world = await a_world()
    frozen, other = await world.receive("FROZEN"), await world.receive("OTHER")
    change(world, "order:default:FROZEN", status="resting", hold_colour="red")

    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(other) is OrderStatus.PAID
    again = await world.ledger.insert(frozen)
    assert (str(again.order.status), again.new) == ("resting", False)
    shown = await a_status(world.ledger).of(frozen.key)
    assert shown is not None
    assert shown["status"] == "resting"
    for verb in (world.ledger.admin.retry, world.ledger.admin.cancel):
        with pytest.raises(InvariantBroken):
            await verb(again.order, "ana", "tries")
    assert world.rows.dump()["order:default:FROZEN"]["hold_colour"] == "red"


async def test_a_newer_hold_reason_is_shown_and_no_verb_touches_its_order() -> None:
    """What it asks for is not known here."""
    world = await a_world()
    order = await world.receive("ORD1")
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    change(world, "order:default:ORD1", hold_reason="needs_a_second_look")

    order = await world.order(order)
    shown = await a_status(world.ledger).of(order.key)
    assert shown is not None
    assert shown["held"]["reason"] == "needs_a_second_look"  # type: ignore[index]
    for verb in (world.ledger.admin.retry, world.ledger.admin.cancel):
        with pytest.raises(InvariantBroken, match="a newer version's word"):
            await verb(order, "ana", "tries")


async def test_a_newer_waiting_reason_is_shown() -> None:
    """Another host, of a newer version, said it."""
    world = await a_world()
    order = await world.receive("ORD1")
    await world.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "3 left")
    change(world, "waiting", reason="full_moon")

    shown = await a_status(world.ledger).of(order.key)

    assert shown is not None
    assert shown["waiting"]["reason"] == "full_moon"  # type: ignore[index]


@pytest.mark.parametrize("row", ["transaction", "attempt"])
async def test_a_newer_transaction_is_left_alone_and_its_operator_binds_nothing(row: str) -> None:
    """Its status, or the kind of one of its attempts."""
    world = await a_world()
    await world.receive("ORD1")
    await world.distribution.drain()
    key, column = (
        (f"tx:{OPERATOR}:{0:020d}", "status") if row == "transaction" else (f"attempt:{OPERATOR}:{0:020d}:0000", "kind")
    )
    change(world, key, **{column: "merging"})
    before = world.rows.dump()[key]
    second = await world.receive("ORD2")

    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(second) is OrderStatus.RECEIVED
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.NEWER_ROWS
    assert world.rows.dump()[key] == before


def test_no_step_is_decided_for_a_newer_word() -> None:
    """Neither of a status nor of an attempt's kind."""
    strange = a_transaction(status=TransactionStatus("merging"))
    kind = an_attempt(kind=AttemptKind("merge"))
    for each in (opened(strange), opened(a_transaction(), kind)):
        step = lifecycle.decide(
            each, a_chain_snapshot(nonce=9), POLICY, LIMITS, lowest=True, now_ms=an_attempt().signed_ms
        )
        assert isinstance(step, Wait)


async def test_a_newer_transaction_is_not_cancelled_here() -> None:
    """The version that wrote it knows how."""
    world = await a_world()
    await world.receive("ORD1")
    await world.distribution.drain()
    change(world, f"tx:{OPERATOR}:{0:020d}", status="merging")
    cancellation = Cancellation(
        ledger=world.ledger,
        chain=world.chain,
        guard=world.guard,
        signers={OPERATOR: world.signer},
        clock=world.clock,
        limits=LIMITS,
        chain_id=31337,
    )

    assert await cancellation.cancel(OPERATOR, 0, by="ana", why="stuck") is Cancelled.NEWER


async def test_an_outcome_of_a_newer_version_stays_as_it_is() -> None:
    """It is a hint, and one nobody understands does not count."""
    world = await a_world()
    order = await world.receive("ORD1")
    await world.distribution.drain()
    change(world, f"tx:{OPERATOR}:{0:020d}", last_outcome="postponed")
    assert (await world.ledger.open_transactions())[0].transaction.last_outcome == SubmitOutcome("postponed")

    await world.settle(8)

    assert await world.status(order) is OrderStatus.PAID


async def test_a_frozen_order_blocks_a_rebuild_and_is_not_marked_paid() -> None:
    """Nobody here knows what its word means."""
    world = await a_world()
    await world.receive("ORD1")
    change(world, "order:default:ORD1", status="resting")
    order = an_order("ORD1", wallet=CUSTOMERS[0])
    payout = Payout(
        ref_id=order.ref_id,
        key=order.key,
        wallet=order.wallet,
        amount_units=order.amount_units,
        reason=order.reason,
        operator=OPERATOR,
        nonce=4,
        tx_hash=a_hash("paid"),
        block_number=8,
    )

    assert await RebuildStore(world.rows, world.clock).restore(payout) is RestoreResult.FROZEN


async def test_a_rule_of_binding_that_this_code_lacks_stops_it() -> None:
    """A new cap is not counted by older code; so the ledger says which rules it asks for."""
    world = await a_world()
    order = await world.receive()
    world.rows.put("schema", {"level": SCHEMA_LEVEL + 1})
    await world.distribution.drain()
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.NEWER_ROWS
    world.rows.put("schema", {"level": 2})

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.BOUND


# columns -------------------------------------------------------------------------------------------


async def test_columns_of_a_newer_version_come_back_with_every_write() -> None:
    """Of the order, its transaction, the operator's nonce, the totals and the switch, through a whole life."""
    world = await a_world()
    order = await world.receive("ORD1")
    rows = ["order:default:ORD1", f"nonce:{OPERATOR}", "commitments", "control"]
    for key in rows:
        change(world, key, colour="red")

    await world.distribution.drain()
    change(world, f"tx:{OPERATOR}:{0:020d}", colour="red")
    await world.settle(8)
    await world.ledger.admin.pause("ana", "lunch")
    await world.ledger.admin.resume("ana", "fed")

    assert await world.status(order) is OrderStatus.PAID
    dump = world.rows.dump()
    assert {key: dump[key].get("colour") for key in [*rows, f"tx:{OPERATOR}:{0:020d}"]} == dict.fromkeys(
        [*rows, f"tx:{OPERATOR}:{0:020d}"], "red"
    )


# rows that cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["gone", "unreadable", "dangling"])
async def test_one_bad_row_of_the_line_harms_itself_alone(trouble: str) -> None:
    """The others are paid, and the row is named in an alarm."""
    world = await a_world()
    await world.receive("BAD")
    good = await world.receive("GOOD")
    (bad_key, _) = [key for key in world.rows.dump() if key.startswith("open:")]
    match trouble:
        case "gone":
            world.rows.remove("order:default:BAD")
        case "unreadable":
            change(world, "order:default:BAD", amount_units="a lot")
        case _:
            world.rows.put(bad_key, {"source": "default"})

    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(good) is OrderStatus.PAID
    assert {alarm.subject for alarm in world.alarms.raised if alarm.code == "row_unreadable"} == {bad_key}
    await world.ledger.admin.pause("ana", "this works too")


@pytest.mark.parametrize("trouble", ["gone", "unreadable", "dangling", "attempt"])
async def test_one_bad_open_transaction_harms_its_operator_alone(trouble: str) -> None:
    """It binds nothing, what else is open is settled, and a rebuild is not begun over it."""
    world = await a_world()
    await world.receive("BAD")
    good = await world.receive("GOOD")
    await world.distribution.drain()
    late = await world.receive("LATE")
    key = f"tx:{OPERATOR}:{0:020d}"
    match trouble:
        case "gone":
            world.rows.remove(key)
        case "unreadable":
            change(world, key, bound_ms="soon")
        case "attempt":
            world.rows.remove(f"attempt:{OPERATOR}:{0:020d}:0000")
        case _:
            world.rows.put(f"opentx:{OPERATOR}:{0:020d}", {"operator": OPERATOR})

    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(good) is OrderStatus.PAID
    assert await world.status(late) is OrderStatus.RECEIVED
    assert "row_unreadable" in world.alarms.codes
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.NEWER_ROWS
    assert await world.ledger.any_open()


async def test_a_nonce_that_stays_open_costs_no_scan_of_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found-faults A13: more rows between the lowest and the highest open nonce than one scan takes."""
    monkeypatch.setattr("foundation.tablestore.queries.PAGE_ROWS", 3)
    world = await a_world()
    for _ in range(GAP_MAX + 3):
        await world.receive()
    await world.distribution.drain()
    await world.distribution.drain()
    stuck = dict(world.rows.dump())
    world.chain.mine()
    await world.settle(8)
    await world.distribution.drain()
    for prefix in ("tx", "opentx"):
        world.rows.put(f"{prefix}:{OPERATOR}:{0:020d}", stuck[f"{prefix}:{OPERATOR}:{0:020d}"])

    found = await world.ledger.opened()

    nonces = [each.transaction.nonce for each in found.transactions]
    assert nonces[0] == 0
    assert all(nonce > GAP_MAX for nonce in nonces[1:] or [99])
    assert not found.unreadable


async def test_a_line_of_bad_rows_alone_is_looked_along_to_its_end() -> None:
    """However small the page."""
    world = await a_world()
    for name in ("A", "B", "C"):
        await world.receive(name)
        world.rows.remove(f"order:default:{name}")
    await world.receive("D")

    page = await world.ledger.waiting(limit=1)

    assert [order.order_id for order in page.orders] == ["D"]
    assert len(page.unreadable) == 3


# the switch ----------------------------------------------------------------------------------------


async def test_without_its_switch_a_ledger_pays_nothing() -> None:
    """A table that lost rows must not; a person who says so brings it back."""
    world = await a_world()
    order = await world.receive()
    world.rows.remove("control")

    await world.distribution.drain()
    assert await world.status(order) is OrderStatus.RECEIVED
    assert (await world.ledger.admin.pause("ana", "looks")).paused_by == "ana"
    world.rows.remove("control")
    await world.ledger.admin.resume("ana", "looked")
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.BOUND


async def test_a_switch_of_a_newer_version_is_closed_and_only_that_version_opens_it() -> None:
    """Its row is not written over."""
    world = await a_world()
    order = await world.receive()
    change(world, "control", paused="until noon")
    before = world.rows.dump()["control"]

    await world.distribution.drain()
    await world.ledger.admin.pause("ana", "also")
    for verb in (world.ledger.admin.halt, world.ledger.admin.resume):
        with pytest.raises(InvariantBroken, match="with that version"):
            await verb("ana", "tries")

    assert await world.status(order) is OrderStatus.RECEIVED
    assert world.rows.dump()["control"] == before


async def test_a_line_of_bad_rows_without_end_is_looked_along_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round ends; the next one goes on where this one stopped."""
    monkeypatch.setattr("distributor.ledger.backlog.PAGES_MAX", 2)
    world = await a_world()
    for name in ("A", "B", "C"):
        await world.receive(name)
        world.rows.remove(f"order:default:{name}")
    await world.receive("D")

    page = await world.ledger.waiting(limit=1)
    rest = await world.ledger.waiting(limit=1, after=page.after)

    assert (list(page.orders), len(page.unreadable)) == ([], 2)
    assert [order.order_id for order in rest.orders] == ["D"]
