"""The caps, judged: one order by itself, and on top of what was bound today."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.caps import NO_CAPS, Cap, Caps
from distributor.state import BindingState, Spent
from distributor.units import UINT256_MAX, TokenUnits
from foundation.tablestore.ports import Version
from tests.factories import ALICE, BOB, OPERATOR, an_order

DAY = "2027-01-15"
BOOKS = BindingState(
    operator=OPERATOR,
    next_nonce=7,
    nonce_version=Version("v1"),
    committed_units=TokenUnits(50),
    commitments_version=Version("v1"),
    spent=Spent(day=DAY, units=TokenUnits(70)),
    wallets={
        ALICE: Spent(day=DAY, wallet=ALICE, units=TokenUnits(40)),
        BOB: Spent(day=DAY, wallet=BOB, units=TokenUnits(0)),
    },
)


def caps(**units: int) -> Caps:
    """Return caps in token units."""
    return Caps(**{name: TokenUnits(each) for name, each in units.items()})


def exceeded(units: int, capped: Caps) -> Cap | None:
    """Return which cap an order of alice would exceed today."""
    return capped.exceeded(BOOKS, an_order(amount_units=TokenUnits(units)))


@pytest.mark.parametrize(
    ("name", "cap"), [("order_units", Cap.ORDER), ("day_units", Cap.DAY), ("wallet_units", Cap.WALLET)]
)
def test_an_order_may_be_as_large_as_a_cap_and_no_larger(name: str, cap: Cap) -> None:
    """The cap itself is allowed."""
    assert caps(**{name: 100}).above(TokenUnits(100)) is None
    assert caps(**{name: 100}).above(TokenUnits(101)) is cap


@pytest.mark.parametrize(
    ("capped", "most", "cap"),
    [
        (caps(order_units=30), 30, Cap.ORDER),
        (caps(day_units=100), 30, Cap.DAY),
        (caps(wallet_units=50), 10, Cap.WALLET),
        (caps(order_units=9, day_units=100, wallet_units=50), 9, Cap.ORDER),
        (caps(day_units=79, wallet_units=50), 9, Cap.DAY),
    ],
)
def test_a_day_is_filled_to_its_cap_and_no_further(capped: Caps, most: int, cap: Cap) -> None:
    """70 were bound today, 40 of them to alice."""
    assert exceeded(most, capped) is None
    assert exceeded(most + 1, capped) is cap


def test_one_wallets_total_is_no_other_wallets() -> None:
    """Alice has had 40 of 50, bob nothing."""
    assert caps(wallet_units=50).exceeded(BOOKS, an_order(wallet=BOB, amount_units=TokenUnits(50))) is None


def test_without_caps_anything_goes() -> None:
    """As large as a token can count."""
    assert NO_CAPS.above(TokenUnits(UINT256_MAX)) is None
    assert exceeded(UINT256_MAX, NO_CAPS) is None
    assert not NO_CAPS.used_up(BOOKS)


def test_a_day_is_used_up_when_its_cap_is_reached() -> None:
    """Or was lowered below what is bound."""
    assert caps(day_units=70).used_up(BOOKS)
    assert caps(day_units=69).used_up(BOOKS)
    assert not caps(day_units=71).used_up(BOOKS)


def test_books_go_on_with_what_is_promised() -> None:
    """Commitments, the day and the wallet; nonce and versions are the binding's matter."""
    orders = [an_order("ORD1", amount_units=TokenUnits(3)), an_order("ORD2", wallet=BOB, amount_units=TokenUnits(4))]

    after = BOOKS.plus(orders)

    assert (after.committed_units, after.spent.units) == (57, 77)
    assert {wallet: total.units for wallet, total in after.wallets.items()} == {ALICE: 43, BOB: 4}
    same = replace(after, committed_units=BOOKS.committed_units, spent=BOOKS.spent, wallets=BOOKS.wallets)
    assert same == BOOKS
