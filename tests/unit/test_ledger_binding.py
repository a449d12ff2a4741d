"""What the ledger refuses to write: an entry whose parts do not say the same."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from distributor.caps import NO_CAPS, Caps
from distributor.day_totals import DayTotals
from distributor.ledger.binding import (
    MAX_ORDERS_PER_TRANSACTION,
    Binding,
    add_attempt,
    bind_orders,
    fits_one_group,
    hold_order,
    insert_order,
    rows_of,
)
from distributor.ledger.closing import ClosingTotals, Ending, closing_rows
from distributor.ledger.ending import close_transactions
from distributor.ledger.records import Total
from distributor.model import (
    Address,
    AttemptKind,
    HoldReason,
    Order,
    OrderKey,
    OrderStatus,
    SubmitOutcome,
    TransactionStatus,
)
from distributor.state import BindingState, Spent, Stats
from distributor.units import TokenUnits
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from foundation.tablestore.atomic import ROWS_MAX, in_groups
from foundation.tablestore.ports import InsertRow, ReplaceRow, RowWrite, Value, Version
from tests.factories import ALICE, BOB, NOW_MS, OPERATOR, TOKEN, a_transaction, an_address, an_attempt, an_order
from tests.fakes.bench import a_closing

V1 = Version("v1")
ONE_ORDER_LESS, TWO_ORDERS_LESS = TokenUnits(10 * TOKEN - 1), TokenUnits(20 * TOKEN - 1)
WAITS = an_order("ORD1", version=V1)
BOUND = an_order("ORD1", version=V1, status=OrderStatus.BOUND, operator=OPERATOR, nonce=7)
SPENT = Spent(day="2027-01-15", units=TokenUnits(10 * TOKEN), version=V1)
PAID_TO_ALICE = Spent(day="2027-01-15", wallet=ALICE, units=TokenUnits(10 * TOKEN), version=V1)
BOOKS = BindingState(
    operator=OPERATOR,
    next_nonce=7,
    nonce_version=V1,
    committed_units=TokenUnits(0),
    commitments_version=V1,
    spent=SPENT,
    wallets={ALICE: PAID_TO_ALICE},
)
STANDING = ClosingTotals(
    committed=Total(units=TokenUnits(10 * TOKEN), version=V1),
    spent=[SPENT, PAID_TO_ALICE],
    stats=Stats(),
    stats_version=V1,
)


def bind(**changes: Any) -> None:
    """Draw up a binding that is right but for *changes*."""
    orders, caps = changes.pop("orders", [WAITS]), changes.pop("caps", NO_CAPS)
    transaction = replace(a_transaction(), **changes.pop("transaction", {}))
    attempt = replace(an_attempt(), **changes.pop("attempt", {}))
    bind_orders(replace(BOOKS, **changes), [Binding(orders, transaction, attempt)], caps)


def close(totals: ClosingTotals = STANDING, order: Order = BOUND, **changes: Any) -> None:
    """Draw up a settlement that is right but for *changes*."""
    ending = Ending(a_transaction(version=V1), [order], replace(a_closing("ORD1"), **changes))
    close_transactions([ending], totals, NOW_MS)


def test_entries_that_agree_are_drawn_up() -> None:
    """The refusals below are about their one difference."""
    bind()
    close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"orders": []}, "carries 0 orders"),
        ({"orders": [WAITS] * 31}, "carries 31 orders"),
        ({"orders": [BOUND]}, "bind order default:ORD1 again"),
        ({"orders": [replace(WAITS, nonce=3)]}, "bind order default:ORD1 again"),
        ({"orders": [replace(WAITS, operator=BOB)]}, "bind order default:ORD1 again"),
        ({"orders": [replace(WAITS, status=OrderStatus.HELD)]}, "bind order default:ORD1 again"),
        ({"orders": [replace(WAITS, order_id="ORD2")]}, "names other orders"),
        ({"orders": [replace(WAITS, amount_units=TokenUnits(1))]}, "commits another sum"),
        ({"next_nonce": 8}, "is not the next one, 8"),
        ({"operator": BOB}, "is not the next one"),
        ({"attempt": {"index": 1}}, "without its attempt 0"),
        ({"attempt": {"nonce": 8}}, "without its attempt 0"),
        ({"attempt": {"operator": BOB}}, "without its attempt 0"),
        ({"transaction": {"attempts": 2}}, "is bound as signed with 2 attempts"),
        ({"transaction": {"status": TransactionStatus.MINED}}, "is bound as mined"),
        ({"transaction": {"bound_day": "2027-01-16"}}, "is bound on 2027-01-16 by other books"),
        ({"caps": Caps(order_units=ONE_ORDER_LESS)}, "bound above MAX_ORDER_TOKENS"),
        ({"caps": Caps(day_units=TWO_ORDERS_LESS)}, "bound above MAX_DAILY_TOKENS"),
        ({"caps": Caps(wallet_units=TWO_ORDERS_LESS)}, "bound above MAX_DAILY_WALLET_TOKENS"),
        ({"caps": Caps(approval_units=ONE_ORDER_LESS)}, "bound without approval"),
    ],
)
def test_a_binding_whose_parts_differ_is_refused(changes: dict[str, Any], said: str) -> None:
    """It names the transaction and what is wrong."""
    with pytest.raises(InvariantBroken, match=said):
        bind(**changes)


def test_an_order_is_not_bound_twice_in_one_transaction() -> None:
    """Even where the sums agree."""
    twice = {"orders": (WAITS.key, WAITS.key), "committed_units": TokenUnits(20 * TOKEN)}

    with pytest.raises(InvariantBroken, match="written twice"):
        bind(orders=[WAITS, WAITS], transaction=twice)


@pytest.mark.parametrize(
    "changes",
    [
        {"paid": []},
        {"paid": [OrderKey("default", "ORD1"), OrderKey("default", "ORD2")]},
        {"paid": [OrderKey("default", "ORD1")] * 2},
        {"paid": [OrderKey("loja", "ORD1")]},
        {"held": {OrderKey("default", "ORD1"): HoldReason.REVERTED}},
    ],
    ids=["none", "one too many", "one twice", "another's", "paid and held"],
)
def test_a_closing_says_of_each_order_once_what_became_of_it(changes: dict[str, Any]) -> None:
    """No order is left out, none is both paid and held."""
    with pytest.raises(InvariantBroken, match="not about its orders"):
        close(**changes)


@pytest.mark.parametrize(
    "order",
    [
        WAITS,
        replace(BOUND, nonce=8),
        replace(BOUND, operator=BOB),
        replace(BOUND, status=OrderStatus.PAID),
    ],
)
def test_a_closing_touches_only_orders_bound_to_its_nonce(order: Order) -> None:
    """Anything else is a bug, whatever the receipt says."""
    with pytest.raises(InvariantBroken, match="not bound to it"):
        close(order=order)


def test_no_total_falls_below_zero() -> None:
    """It would let more be bound than there is."""
    few = TokenUnits(10 * TOKEN - 1)

    with pytest.raises(InvariantBroken, match="commitments holds"):
        close(replace(STANDING, committed=Total(units=few, version=V1)))
    held = a_closing(held=["ORD1"])
    with pytest.raises(InvariantBroken, match="spent:2027-01-15 holds"):
        close(replace(STANDING, spent=[replace(SPENT, units=few)]), paid=held.paid, held=held.held)
    with pytest.raises(InvariantBroken, match=f"spent:2027-01-15:{ALICE} holds"):
        close(replace(STANDING, spent=[replace(PAID_TO_ALICE, units=few)]), paid=held.paid, held=held.held)


def test_the_largest_entries_fit_one_group() -> None:
    """As many orders as a transaction may carry, each to a wallet of its own; a table takes 100 rows."""
    orders = [
        an_order(f"ORD{each}", wallet=an_address(f"wallet {each}"), version=V1)
        for each in range(MAX_ORDERS_PER_TRANSACTION)
    ]
    totals = {order.wallet: Spent(day="2027-01-15", wallet=order.wallet) for order in orders}
    names, units = tuple(order.key for order in orders), TokenUnits(10 * TOKEN * len(orders))
    transaction = a_transaction(orders=names, committed_units=units)
    bound = [replace(order, status=OrderStatus.BOUND, operator=OPERATOR, nonce=7) for order in orders]
    spent = [replace(total, units=units, version=V1) for total in (SPENT, *totals.values())]
    all_held = replace(a_closing(held=[order.order_id for order in orders]), alone=True)
    inputs = replace(STANDING, spent=spent, committed=Total(units=units, version=V1))
    inputs = replace(inputs, day=DayTotals(day="2027-01-15", version=V1))

    binding = Binding(orders, transaction, an_attempt())
    group, _ = bind_orders(replace(BOOKS, wallets=totals), [binding], NO_CAPS)
    ending = Ending(replace(transaction, version=V1), bound, all_held)
    closed = close_transactions([ending], inputs, NOW_MS)

    assert len(group.writes) == rows_of([binding]) == 3 * MAX_ORDERS_PER_TRANSACTION + 7 <= ROWS_MAX
    assert len(closed.writes) == 3 * MAX_ORDERS_PER_TRANSACTION + 8 <= ROWS_MAX


def test_twenty_four_single_payments_close_in_one_group() -> None:
    """Each may rest on one node; what they commit is freed together, and the day and the operator count all."""
    endings = [
        Ending(
            a_transaction(nonce, orders=(name,), committed_units=TokenUnits(TOKEN), version=V1),
            [replace(BOUND, order_id=name.order_id, nonce=nonce, amount_units=TokenUnits(TOKEN))],
            replace(a_closing(name.order_id), alone=True),
        )
        for nonce, name in ((nonce, OrderKey("default", f"ORD{nonce}")) for nonce in range(24))
    ]
    committed = Total(units=TokenUnits(30 * TOKEN), version=V1)
    totals = replace(STANDING, spent=[], committed=committed, day=DayTotals(day="2027-01-15", version=V1))

    written = {write.key: write for write in close_transactions(endings, totals, NOW_MS).writes}

    assert len(written) == closing_rows(24, 24) == ROWS_MAX
    left, stats, day = (_values(written[key]) for key in ("commitments", f"stats:{OPERATOR}", "day:2027-01-15"))
    assert left["units"] == str(6 * TOKEN)
    assert (stats["transactions"], stats["orders_paid"], day["orders"]) == (24, 24, 24)


def test_what_is_not_paid_frees_the_day_it_was_bound_on() -> None:
    """Two transactions of two days in one group: each day gets its own back."""
    days = ("2027-01-14", "2027-01-15")
    endings = [
        Ending(
            a_transaction(nonce, orders=(name,), bound_day=day, version=V1),
            [replace(BOUND, order_id=name.order_id, nonce=nonce)],
            a_closing(held=[name.order_id]),
        )
        for nonce, (day, name) in enumerate(zip(days, (OrderKey("default", each) for each in "AB"), strict=True))
    ]
    spent = [
        Spent(day=day, units=TokenUnits(units * TOKEN), version=V1) for day, units in zip(days, (11, 12), strict=True)
    ]
    totals = replace(STANDING, spent=spent, committed=Total(units=TokenUnits(30 * TOKEN), version=V1))

    written = {write.key: write for write in close_transactions(endings, totals, NOW_MS).writes}

    assert [_values(written[f"spent:{day}"])["units"] for day in days] == [str(TOKEN), str(2 * TOKEN)]


def _values(write: RowWrite) -> Mapping[str, Value]:
    assert isinstance(write, InsertRow | ReplaceRow)
    return write.values


def test_bindings_are_parted_into_as_few_groups_as_a_table_takes() -> None:
    """Sixteen single ones to wallets of their own need two; to one wallet, one."""

    def single(nonce: int, wallet: Address) -> Binding:
        order = an_order(f"ORD{nonce}", wallet=wallet, version=V1)
        transaction = a_transaction(nonce, orders=(order.key,), committed_units=order.amount_units)
        return Binding([order], transaction, an_attempt(nonce=nonce))

    apart = [single(nonce, an_address(f"wallet {nonce}")) for nonce in range(7, 23)]
    together = [single(nonce, ALICE) for nonce in range(7, 23)]
    wallets = {each.orders[0].wallet for each in [*apart, *together]}
    books = replace(BOOKS, wallets={wallet: Spent(day=SPENT.day, wallet=wallet) for wallet in wallets})

    assert [len(group) for group in in_groups(apart, fits_one_group)] == [13, 3]
    assert [len(group) for group in in_groups(together, fits_one_group)] == [16]
    for group in [*in_groups(apart, fits_one_group), *in_groups(together, fits_one_group)]:
        written, _ = bind_orders(replace(books, next_nonce=group[0].transaction.nonce), group, NO_CAPS)
        assert len(written.writes) == rows_of(group) <= ROWS_MAX
    assert list(in_groups([], fits_one_group)) == []


@pytest.mark.parametrize("status", [status for status in OrderStatus if status is not OrderStatus.RECEIVED])
def test_only_a_waiting_order_is_inserted_or_held(status: OrderStatus) -> None:
    """A bound one is held by its closing alone."""
    order = replace(WAITS, status=status)

    with pytest.raises(InvariantBroken, match=f"inserted as {status}"):
        insert_order(order)
    with pytest.raises(InvariantBroken, match=f"cannot be held, it is {status}"):
        hold_order(order, HoldReason.SIMULATION, "", UnixMs(0))


@pytest.mark.parametrize("attempt", [an_attempt(0), an_attempt(2), an_attempt(1, nonce=8), an_attempt(1, operator=BOB)])
def test_attempts_are_numbered_without_gaps(attempt: Any) -> None:
    """The next one, of this nonce, and no other."""
    with pytest.raises(InvariantBroken, match="is not the next"):
        add_attempt(a_transaction(version=V1), attempt)


def add(attempt: Any, **transaction: Any) -> TransactionStatus:
    """Add *attempt* to a transaction that is right but for its changes; return the status it gets."""
    return add_attempt(a_transaction(version=V1, **transaction), attempt)[1].status


def test_after_a_cancellation_only_cancellations_follow() -> None:
    """A payment signed later could win although people were informed that it was cancelled."""
    cancel = an_attempt(1, kind=AttemptKind.CANCEL)
    again = replace(cancel, index=2)

    assert add(cancel) is add(again, attempts=2, status=TransactionStatus.CANCELLING) is TransactionStatus.CANCELLING
    with pytest.raises(InvariantBroken, match="being cancelled"):
        add(an_attempt(2), attempts=2, status=TransactionStatus.CANCELLING)


@pytest.mark.parametrize("status", [TransactionStatus.MINED, TransactionStatus.FINAL])
def test_what_is_in_a_block_needs_no_other_attempt(status: TransactionStatus) -> None:
    """Its nonce is used."""
    with pytest.raises(InvariantBroken, match="needs no attempt"):
        add(an_attempt(1), status=status)


def test_a_new_attempt_was_never_handed_over() -> None:
    """What the nodes said was about the one before."""
    refused = a_transaction(version=V1, last_outcome=SubmitOutcome.REFUSED)

    assert add_attempt(refused, an_attempt(1))[1].last_outcome is None
