"""Orders above the limit: held where they come in and where they are bound, until another person approves them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor import approvals
from distributor.caps import NO_CAPS, Caps
from distributor.ledger import approving, keys
from distributor.ledger.columns import decode, encode
from distributor.model import Approval, HoldReason, Order, OrderStatus
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.units import TokenUnits
from foundation.clock import UnixMs
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.ports import UNSTORED, Row, WriteConflict
from tests.factories import TOKEN, an_order
from tests.fakes.chain import CUSTOMERS, FakeSigner
from tests.world import World, a_world, tokens

NOW = UnixMs(1_800_000_000_000)
LIMIT = Caps(approval_units=TokenUnits(10 * TOKEN))
WEEK_MS = approvals.VALID_MS
BY_ANA: dict[str, Any] = {"asked_by": "Ana Lima", "batch": "june", "file_units": tokens(40)}


def approved(order: Order, by: str = "rui", at: int = NOW, **changes: Any) -> Order:
    """Return *order* with the approval that *by* gave it."""
    given = Approval(by=by, at_ms=UnixMs(at), fingerprint=approvals.content_of(order), until_ms=UnixMs(at + WEEK_MS))
    return replace(order, approval=replace(given, **changes))


async def a_limited_world(limit: int = 10, **options: object) -> World:
    """Return a world with a limit in whole tokens."""
    world = await a_world(**options)
    world.cap(approval_units=limit)
    return world


# pure ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "file_units", "caps", "needs"),
    [
        (10 * TOKEN, None, LIMIT, False),
        (10 * TOKEN + 1, None, LIMIT, True),
        (TOKEN, 10 * TOKEN, LIMIT, False),
        (TOKEN, 10 * TOKEN + 1, LIMIT, True),
        (10**30, 10**30, NO_CAPS, False),
    ],
)
def test_the_limit_holds_for_an_order_and_for_its_file(
    units: int, file_units: int | None, caps: Caps, needs: bool
) -> None:
    """What is exactly at the limit is paid; without a limit everything is."""
    whole = None if file_units is None else TokenUnits(file_units)
    order = an_order(amount_units=TokenUnits(units), file_units=whole)

    assert approvals.needs(order, caps) == approvals.lacks(order, caps, NOW) == needs


def test_an_approval_counts_for_seven_days_and_for_this_content() -> None:
    """Not a moment longer, not of another content, and not from a clock that is far ahead."""
    order = an_order()

    assert not approvals.is_approved(order, NOW)
    assert approvals.is_approved(approved(order), NOW)
    assert approvals.is_approved(approved(order), UnixMs(NOW + WEEK_MS - 1))
    assert not approvals.is_approved(approved(order), UnixMs(NOW + WEEK_MS))
    assert not approvals.is_approved(approved(order, until_ms=UnixMs(NOW)), NOW)
    assert not approvals.is_approved(approved(order, until_ms=UnixMs(NOW + 10**12)), UnixMs(NOW + WEEK_MS))
    assert not approvals.is_approved(approved(order, fingerprint="of another order"), NOW)
    assert not approvals.is_approved(approved(order, at=NOW + 30 * WEEK_MS), NOW)


@pytest.mark.parametrize(
    "by", ["Ana Lima", "ana lima", " ANA   LIMA ", "\uff21na Lima", "ana.lima@example.com", "Ana_Lima@", "ana-lima"]
)
def test_who_asked_is_known_however_the_name_is_typed(by: str) -> None:
    """Case, spaces, signs, a domain and the wide letters of a keyboard make no other person."""
    order = an_order(**BY_ANA)

    assert approvals.asked(order, by)
    assert not approvals.is_approved(approved(order, by), NOW)
    assert not approvals.asked(order, "rui.lima@example.com")
    assert not approvals.asked(an_order(), by), "an order that a shop sent was asked for by nobody here"


@pytest.mark.parametrize(
    ("asked_by", "by"),
    [
        ("Jos\u00e9 Fran\u00e7a", "jose.franca@example.com"),
        ("jose franca", "Jose\u0301 Franc\u0327a"),
        ("ana", "a\u200bna"),
        ("ana", "a\u00adna"),
    ],
)
def test_an_accent_or_a_sign_nobody_sees_makes_no_other_person(asked_by: str, by: str) -> None:
    """A name with its accents on the command line is an address without them where the platform signs people in."""
    assert approvals.asked(an_order(asked_by=asked_by), by)
    assert approvals.asked(an_order(asked_by=by), asked_by)


def test_the_detail_says_who_asked_and_that_an_approval_has_ended() -> None:
    """The amount and the wallet stand beside it everywhere."""
    ended = approved(an_order(), at=NOW - WEEK_MS)
    old = "The approval by rui does not count any more: it is old, or was for something else."

    assert approvals.why(an_order(), NOW) == ""
    assert approvals.why(an_order(**BY_ANA), NOW) == "Ana Lima uploaded it in the file june."
    assert approvals.why(ended, NOW) == old
    assert approvals.why(replace(ended, **BY_ANA), NOW) == f"Ana Lima uploaded it in the file june. {old}"
    assert approvals.why(approved(an_order()), NOW) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_units": tokens(999)},
        {"wallet": CUSTOMERS[1]},
        {"tipo": "refund"},
        {"reason": "another"},
        {"fingerprint": "another"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_row_that_was_changed_after_its_approval_is_not_paid(changes: dict[str, Any]) -> None:
    """The fingerprint in the row is as it was; what would be paid is compared, and a person looks again."""
    world = await a_limited_world(5)
    order = await world.ledger.approving.approve(await world.receive(), "rui", "asked the shop")
    world.rows.put(keys.order_row(order.key), encode(replace(order, **changes)))

    await world.distribution.drain()
    await world.settle(8)

    held = await world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.NEEDS_APPROVAL)
    assert "does not count any more" in held.hold_detail
    assert not world.transfers()


# rows ----------------------------------------------------------------------------------------------


def test_a_row_of_before_has_no_approval_and_a_torn_one_cannot_be_read() -> None:
    """A name may hold a line break."""
    order = approved(an_order(**BY_ANA), by="rui\nof the office")
    row = Row(key="order:default:ORD1", values=encode(order), version=UNSTORED)

    assert decode(Order, row) == order
    before = {name: value for name, value in row.values.items() if name not in {"approval", *BY_ANA}}
    assert decode(Order, replace(row, values=before)) == an_order()
    for torn in ("", "1\n2", "a\nb\nc\nd"):
        with pytest.raises(InvariantBroken, match="approval"):
            decode(Order, replace(row, values={**row.values, "approval": torn}))


# the ledger ----------------------------------------------------------------------------------------


async def test_what_is_above_the_limit_comes_in_held_and_an_approval_lets_it_be_paid() -> None:
    """Its shop is told both times, and the audit trail has who said so, and why."""
    world = await a_limited_world()
    order = await world.receive(amount_units=tokens(11))
    assert (order.status, order.hold_reason) == (OrderStatus.HELD, HoldReason.NEEDS_APPROVAL)
    assert (await world.distribution.drain()).bound == 0

    assert approvals.awaits(order)
    waits = await world.ledger.approving.approve(order, "rui", "looked")

    assert not approvals.awaits(waits)
    assert (waits.status, waits.hold_reason, waits.hold_detail) == (OrderStatus.RECEIVED, None, "")
    assert waits.approval == Approval(
        by="rui",
        at_ms=world.clock(),
        fingerprint=approvals.content_of(order),
        until_ms=UnixMs(world.clock() + WEEK_MS),
    )
    assert (waits.sequence or 0) > (order.sequence or 0)
    announced = [key for key in world.rows.dump() if key.startswith("call:")]
    assert len(announced) >= 2
    assert "held:default:ORD1:intake" in world.audit.entries
    (entry,) = (each for each in world.audit.entries.values() if each.get("deed") == "approve")
    assert (entry["by"], entry["why"], entry["fingerprint"]) == ("rui", "looked", order.fingerprint)
    await world.distribution.drain()
    await world.settle(5)
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_the_same_order_again_is_answered_as_held() -> None:
    """Nothing is stored and no message is sent again."""
    world = await a_limited_world()
    order = await world.receive(amount_units=tokens(11))
    before = world.rows.dump()

    again = await world.ledger.insert(replace(order, status=OrderStatus.RECEIVED, hold_reason=None), world.caps)

    assert (again.new, again.order) == (False, order)
    assert world.rows.dump() == before


async def test_only_another_person_approves_and_only_what_waits_for_it() -> None:
    """``retry`` is refused, an approval by who asked, of another reason, and of a row that was changed since."""
    world = await a_limited_world()
    order = await world.receive(amount_units=tokens(11), **BY_ANA)
    admin, approving = world.ledger.admin, world.ledger.approving

    with pytest.raises(InvariantBroken, match="is approved, and not retried"):
        await admin.retry(order, "rui", "why not")
    with pytest.raises(InvariantBroken, match="cannot approve it"):
        await approving.approve(order, "ANA  LIMA", "I am sure")
    with pytest.raises(InvariantBroken, match="does not wait for approval"):
        await approving.approve(replace(order, hold_reason=HoldReason.REVERTED), "rui", "looked")
    await admin.cancel(order, "rui", "not this one")
    with pytest.raises(Contention):
        await approving.approve(order, "rui", "looked")

    assert await world.status(order) is OrderStatus.CANCELLED


async def test_nothing_else_is_stored_as_held() -> None:
    """Every other reason is found later."""
    world = await a_world()

    with pytest.raises(InvariantBroken, match="is inserted as held"):
        await world.receive(status=OrderStatus.HELD, hold_reason=HoldReason.REVERTED)


async def test_one_that_is_held_for_another_reason_since_is_found_as_such() -> None:
    """A rebuild found its reference spent: no file of thousands hides it, and nobody is asked to approve it."""
    world = await a_limited_world()
    for at in range(3):
        await world.receive(f"FILE-{at}", amount_units=tokens(11))
    used = await world.receive("USED", amount_units=tokens(11))
    await world.ledger.exits.hold_otherwise(used, HoldReason.REFERENCE_USED, "Transaction 0x1 paid it.")

    found = await world.ledger.held_orders(limit=1)

    assert [str(each.hold_reason) for each in found.orders] == ["reference_used", "needs_approval"]


async def test_many_that_wait_for_approval_hide_no_other_held_order() -> None:
    """A file may have thousands; each kind is read from as many rows, and both are reported."""
    world = await a_limited_world()
    for at in range(5):
        await world.receive(f"FILE-{at}", amount_units=tokens(11))
    other = await world.receive("ZZZ", amount_units=tokens(1))
    await world.ledger.hold(other, HoldReason.SIMULATION, "refused")
    lowered = await world.receive("LATER", amount_units=tokens(1))
    await world.ledger.hold(lowered, HoldReason.NEEDS_APPROVAL, "")

    found = (await world.ledger.held_orders(limit=2)).orders

    assert [each.order_id for each in found] == ["ZZZ", "FILE-0", "FILE-1"]
    rows = world.rows.dump()
    assert {key for key, row in rows.items() if "waits_for" in row} == {
        *(f"held:default:FILE-{at}" for at in range(5)),
        "held:default:LATER",
    }


# rounds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guarded", [False, True])
async def test_a_lowered_limit_takes_out_what_waits_and_the_others_are_paid(guarded: bool) -> None:
    """Before the batch is made, so the one in the middle stops nobody."""
    world = await a_world(guarded=guarded)
    world.orders_per_transaction = 3 if guarded else 1
    small, big, last = [await world.receive(amount_units=tokens(units)) for units in (1, 11, 2)]
    world.cap(approval_units=10)

    for _ in range(2):  # the first round of all raises the ledger's level
        await world.distribution.drain()
    await world.settle(5)

    assert [await world.status(each) for each in (small, big, last)] == [
        OrderStatus.PAID,
        OrderStatus.HELD,
        OrderStatus.PAID,
    ]
    assert (await world.order(big)).hold_reason is HoldReason.NEEDS_APPROVAL
    assert world.alarms.codes.count("held_needs_approval") == 1


async def test_many_that_lack_an_approval_are_held_some_at_a_round_and_stop_no_other() -> None:
    """One write each; what is behind them is paid by the same drain."""
    world = await a_world()
    many = [await world.receive(amount_units=tokens(11)) for _ in range(70)]
    last = await world.receive(amount_units=tokens(1))
    world.cap(approval_units=10)

    for _ in range(2):
        await world.distribution.drain()

    assert {await world.status(each) for each in many} == {OrderStatus.HELD}
    assert await world.status(last) is OrderStatus.BOUND


async def test_an_approval_that_ended_while_it_waited_is_asked_for_again() -> None:
    """Unless the limit was raised meanwhile."""
    for raised in (False, True):
        world = await a_limited_world()
        order = await world.receive(amount_units=tokens(11))
        await world.ledger.approving.approve(order, "rui", "looked")
        world.clock.advance(WEEK_MS)
        world.cap(approval_units=20 if raised else 10)

        for _ in range(2):
            await world.distribution.drain()

        assert await world.status(order) is (OrderStatus.BOUND if raised else OrderStatus.HELD)
        told = (await world.order(order)).hold_detail
        assert ("The approval by rui does not count any more" in told) is not raised


async def test_an_approval_that_ends_while_another_order_is_signed_binds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next round looks again, and holds it."""
    world = await a_limited_world()
    orders = [await world.receive(amount_units=tokens(11)) for _ in range(2)]
    await world.ledger.approving.ask_of_all()
    for order in orders:
        await world.ledger.approving.approve(order, "rui", "looked")
    world.clock.advance(WEEK_MS - 1)
    sign = FakeSigner.sign

    async def slow(self: FakeSigner, unsigned: UnsignedTransaction) -> SignedTransaction:
        world.clock.advance(1)
        return await sign(self, unsigned)

    monkeypatch.setattr(FakeSigner, "sign", slow)
    await world.distribution.drain()

    assert [await world.status(order) for order in orders] == [OrderStatus.BOUND, OrderStatus.HELD]


async def test_the_first_round_with_a_limit_asks_every_host_for_the_rules_of_approval() -> None:
    """A round that read the nonces before loses; without a limit nothing is asked."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    assert await world.ledger.schema_level() == 0
    before = await world.ledger.binding_state(world.signer.address)

    world.cap(approval_units=10)
    await world.receive()
    await world.distribution.drain()

    after = await world.ledger.binding_state(world.signer.address)
    assert await world.ledger.schema_level() == approving.LEVEL
    assert before is not None
    assert after is not None
    assert after.nonce_version != before.nonce_version
    rows = world.rows.dump()
    await world.ledger.approving.ask_of_all()
    assert world.rows.dump() == rows, "asked once"


async def test_asking_gives_way_to_bindings_and_gives_up_after_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one that slips in between changes a nonce that the group would write."""
    world = await a_world()
    monkeypatch.setattr(world.rows, "_troubles", [(False, WriteConflict())] * 3)
    await world.ledger.approving.ask_of_all()
    assert await world.ledger.schema_level() == approving.LEVEL

    other = await a_world()
    monkeypatch.setattr(other.rows, "_troubles", [(False, WriteConflict())] * 64)
    with pytest.raises(Contention, match="bindings kept going on"):
        await other.ledger.approving.ask_of_all()
    assert await other.ledger.schema_level() == 0


async def test_a_ledger_that_is_not_ours_is_asked_nothing() -> None:
    """Its rows are another service's."""
    world = await a_limited_world()
    await world.receive()
    world.identity = replace(world.identity, ledger_id="another")
    world.start()

    await world.distribution.drain()

    assert await world.ledger.schema_level() == 0
