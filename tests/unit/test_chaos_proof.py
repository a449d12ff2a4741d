"""The judge of a soak must see what a soak should never show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from azure.data.tables import EdmType, EntityProperty

from devstack.chaos.proof import Books, Verdict, longest_delay_s, verdict
from devstack.chaos.shop import Placed
from devstack.contract_events import TransferEvent
from distributor.model import Address
from distributor.units import TokenUnits
from foundation.clock import UnixMs
from tests.factories import ALICE, BOB, NOW_MS, RESERVE, a_hash

ONE = Placed(order_id="SOAK-1", wallet=ALICE, amount_units=TokenUnits(1), placed_ms=NOW_MS)
TWO = replace(ONE, order_id="SOAK-2", amount_units=TokenUnits(2))


def a_payout(order: Placed, name: str = "") -> TransferEvent:
    """Return the transfer that pays *order*; another *name* is another transaction."""
    return TransferEvent(
        tx_hash=a_hash(name or order.order_id),
        block_number=9,
        log_index=0,
        sender=RESERVE,
        recipient=order.wallet,
        amount_units=order.amount_units,
    )


def a_row(order: Placed, **changes: Any) -> Mapping[str, Any]:
    """Return the row of a paid order."""
    paid_ms = EntityProperty(order.placed_ms + 9_000, EdmType.INT64)
    proof = {"paid_hash": a_hash(order.order_id), "amount_units": str(order.amount_units)}
    return {"status": "paid", "updated_ms": paid_ms, **proof, **changes}


def books(*, committed: str = "0", **rows: Mapping[str, Any]) -> Books:
    """Return a ledger with the rows of both orders, and what is given in their place."""
    paid = {f"order:default:{order.order_id}": a_row(order) for order in (ONE, TWO)}
    given = {key.replace("__", ":").replace("_", "-"): row for key, row in rows.items()}
    return Books({**paid, "commitments": {"units": committed}, **given})


def test_two_orders_paid_once_are_good() -> None:
    """Once each on the chain, and the rows name the same transactions."""
    judged = verdict([ONE, TWO], [a_payout(ONE), a_payout(TWO)], books())

    assert judged == Verdict(paid_once=2, paid_twice=0, lost=0, strange=0, untrue=[], left=[])
    assert judged.good
    assert judged.figures == {"paid once": "2", "paid twice": "0", "lost": "0"}


@pytest.mark.parametrize(
    ("payouts", "ledger", "wrong"),
    [
        ([a_payout(ONE), a_payout(TWO), a_payout(TWO)], books(), {"paid_twice": 1, "paid_once": 1}),
        ([a_payout(ONE)], books(), {"lost": 1, "paid_once": 1, "untrue": ["SOAK-2"]}),
        ([a_payout(ONE), a_payout(TWO), replace(a_payout(ONE), recipient=BOB)], books(), {"strange": 1}),
        ([a_payout(ONE), a_payout(TWO, "other")], books(), {"untrue": ["SOAK-2"]}),
        (
            [a_payout(ONE), a_payout(TWO)],
            books(order__default__SOAK_2=a_row(TWO, status="held")),
            {"untrue": ["SOAK-2"]},
        ),
        ([a_payout(ONE), a_payout(TWO)], books(order__default__SOAK_2={}), {"untrue": ["SOAK-2"]}),
        ([a_payout(ONE), a_payout(TWO)], books(committed="7"), {"left": ["commitments of 7 units"]}),
        ([a_payout(ONE), a_payout(TWO)], books(opentx__0x1__9={}), {"left": ["opentx:0x1:9"]}),
        ([a_payout(ONE), a_payout(TWO)], books(open__1={}), {"left": ["open:1"]}),
    ],
    ids=["twice", "lost", "strange", "another hash", "held", "no row", "committed", "open transaction", "open order"],
)
def test_what_is_wrong_is_seen(payouts: list[TransferEvent], ledger: Books, wrong: Mapping[str, Any]) -> None:
    """Each fault alone, and by its own name."""
    judged = verdict([ONE, TWO], payouts, ledger)
    good = Verdict(paid_once=2, paid_twice=0, lost=0, strange=0, untrue=[], left=[])

    assert judged == replace(good, **wrong)
    assert not judged.good


def test_the_books_count_replacements_and_what_is_not_final() -> None:
    """The first attempt of a nonce replaces nothing; a received order is not final."""
    ledger = books(attempt__0x1__0007__0000={}, attempt__0x1__0007__0001={}, attempt__0x1__0007__0002={})
    waiting = books(order__default__SOAK_3=a_row(TWO, status="received"))

    assert (ledger.replacements, ledger.all_final, waiting.all_final) == (2, True, False)


def test_the_longest_delay_is_from_the_first_post_to_paid() -> None:
    """An order that was never paid has none."""
    early = replace(TWO, placed_ms=UnixMs(NOW_MS - 60_000))

    assert longest_delay_s([ONE, early], books()) == 69.0
    assert longest_delay_s([ONE], books(order__default__SOAK_1={})) == 0.0


def test_transactions_are_counted_by_who_signed_them() -> None:
    """So that a soak with a rotation can show that both keys paid."""
    found = books(tx__0xA__1={}, tx__0xA__2={}, tx__0xB__1={}, attempt__0xA__1__0000={})

    assert (found.bound_by(Address("0xA")), found.bound_by(Address("0xB"))) == (2, 1)
