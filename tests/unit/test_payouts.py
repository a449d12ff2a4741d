"""Which transfers out of the reserve are ours."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from distributor.model import Address, Hash, OrderKey
from distributor.names import ref_id
from distributor.payout.history import Distribution, Origin, Outflow, order_of
from distributor.recovery.payouts import Known, Sorted, Why, sort
from distributor.units import TokenUnits
from tests.factories import ALICE, AUTHORITY, BOB, OPERATOR, TOKEN, a_block, a_hash

ASKED = Distribution(
    wallet=ALICE, amount_units=TokenUnits(10 * TOKEN), ref_id=ref_id("default", "ORD1"), reason="Reward"
)
KNOWN = Known(authority=AUTHORITY, operators=[OPERATOR])


def an_outflow(wallet: Address = ALICE, units: int = 10 * TOKEN, *, name: str = "paid", log_index: int = 0) -> Outflow:
    """Return a transfer out of the reserve."""
    return Outflow(
        tx_hash=a_hash(name), block=a_block(90), log_index=log_index, wallet=wallet, amount_units=TokenUnits(units)
    )


def an_origin(
    sender: Address = OPERATOR, to: Address | None = AUTHORITY, asked: Distribution | None = ASKED, name: str = "paid"
) -> Origin:
    """Return the transaction behind it."""
    return Origin(tx_hash=a_hash(name), sender=sender, nonce=3, to=to, distribution=asked)


def whys(found: Sorted) -> Sequence[Why]:
    """Return why each stranger is one."""
    return [stranger.why for stranger in found.strangers]


def test_what_our_operator_asked_for_is_a_payout() -> None:
    """With the order that its reference names."""
    found = sort([an_outflow()], {a_hash("paid"): an_origin()}, KNOWN)

    assert [(each.key, each.nonce, each.block_number) for each in found.payouts] == [
        (OrderKey("default", "ORD1"), 3, 90)
    ]
    assert found.strangers == []


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        (an_origin(sender=BOB), Why.UNKNOWN_SENDER),
        (an_origin(asked=None), Why.NO_DISTRIBUTION),
        (an_origin(to=BOB), Why.NO_DISTRIBUTION),
        (an_origin(to=None, asked=None), Why.NO_DISTRIBUTION),
    ],
)
def test_whatever_else_left_the_reserve_is_a_stranger(origin: Origin, why: Why) -> None:
    """A person says what it was."""
    found = sort([an_outflow()], {a_hash("paid"): origin}, KNOWN)

    assert (found.payouts, whys(found)) == ([], [why])


def test_more_than_was_asked_is_told_beside_the_payout() -> None:
    """Whichever of the two transfers comes first."""
    moved = [an_outflow(BOB), an_outflow(log_index=1)]

    found = sort(moved, {a_hash("paid"): an_origin()}, KNOWN)

    assert [each.wallet for each in found.payouts] == [ALICE]
    assert [(each.outflow.wallet, each.why) for each in found.strangers] == [(BOB, Why.MORE_THAN_ASKED)]


@pytest.mark.parametrize("outflow", [an_outflow(BOB), an_outflow(units=1)])
def test_another_wallet_or_amount_than_asked_spends_the_reference_and_is_told(outflow: Outflow) -> None:
    """The payout is what really moved."""
    found = sort([outflow], {a_hash("paid"): an_origin()}, KNOWN)

    assert [(each.wallet, each.amount_units) for each in found.payouts] == [(outflow.wallet, outflow.amount_units)]
    assert whys(found) == [Why.NOT_AS_ASKED]


def test_what_a_person_has_explained_is_no_stranger() -> None:
    """By its transaction."""
    known = Known(authority=AUTHORITY, operators=[OPERATOR], accepted=[a_hash("paid")])
    moved = [an_outflow(), an_outflow(name="by hand")]
    origins = {a_hash(name): an_origin(sender=BOB, name=name) for name in ("paid", "by hand")}

    found = sort(moved, origins, known)

    assert [stranger.outflow.tx_hash for stranger in found.strangers] == [a_hash("by hand")]


@pytest.mark.parametrize("key", [OrderKey("default", "A-1"), OrderKey("loja", "A.b_1"), OrderKey("default", "x" * 32)])
def test_a_reference_names_its_order(key: OrderKey) -> None:
    """As anyone reads it in an explorer."""
    assert order_of(ref_id(*key)) == key


@pytest.mark.parametrize(
    "reference",
    [
        ref_id("default", "x" * 33),
        Hash("0x" + b"default:A-1".hex().ljust(64, "0")),
        Hash("0x" + b"LOJA:A-1".hex().ljust(64, "0")),
        Hash("0x" + b"A 1".hex().ljust(64, "0")),
        Hash("0x" + b"A\0B".hex().ljust(64, "0")),
        Hash("0x" + "0" * 64),
    ],
)
def test_a_reference_that_names_no_order_of_ours_is_kept_as_it_is(reference: Hash) -> None:
    """A hash, or bytes we would never have written."""
    assert order_of(reference) is None
