"""WooCommerce's completed orders become tokens: with a stand-in of WooCommerce, everything else real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from devstack.wordpress.shop import Shop
from tests.wordpress.conftest import Distributor
from tests.wordpress.test_orders import a_wallet, got

NEW_ORDER = """
$id = wp_insert_post( array( 'post_type' => 'shop_order', 'post_status' => 'wc-processing' ) );
foreach ( $meta as $key => $value ) { update_post_meta( $id, $key, $value ); }
return $id;
"""
NOTES = (
    "return wp_list_pluck( get_comments( array( 'post_id' => $id, 'type' => 'order_note',"
    " 'order' => 'ASC', 'orderby' => 'comment_ID' ) ), 'comment_content' );"
)


@pytest.fixture
def woocommerce(shop: Shop) -> Iterator[Shop]:
    """The shop with the stand-in of WooCommerce on, half a token for each unit of currency."""
    shop.set({"woocommerce_stand_in": "1", "woocommerce_currency": "BRL", "ballx_rate": "0.5"})
    yield shop
    shop.set({"woocommerce_stand_in": "", "ballx_rate": ""})


def an_order(shop: Shop, meta: Mapping[str, Any]) -> int:
    """Return a new order in status "processing"."""
    number: int = shop.site.evaluate(NEW_ORDER, {"meta": meta})
    return number


def complete(shop: Shop, number: int) -> None:
    """Mark the order as completed, as the shop's owner does."""
    shop.site.evaluate("wc_get_order( $id )->update_status( 'completed' );", {"id": number})


def notes(shop: Shop, number: int) -> Sequence[str]:
    """Return the order's notes, oldest first."""
    found: Sequence[str] = shop.site.evaluate(NOTES, {"id": number})
    return found


def test_a_completed_order_is_paid_and_its_notes_say_so(woocommerce: Shop, distributor: Distributor) -> None:
    """The total times the rate, exactly; completed twice is paid once."""
    wallet = a_wallet("woocommerce")
    number = an_order(woocommerce, {"_ballx_wallet": wallet, "_order_total": "29.35"})
    complete(woocommerce, number)
    complete(woocommerce, number)
    paid = woocommerce.follow(str(number), "paid")
    complete(woocommerce, number)
    woocommerce.let_time_pass()

    assert (paid["amount"], paid["wc_order"]) == ("14.675", str(number))
    assert got(distributor, wallet) == [14_675 * 10**15]
    last = notes(woocommerce, number)[-1]
    assert last.startswith(f"BALLX: Paid · 14.675 BALLX → {wallet} · {paid['tx_hash']}")


def test_an_order_not_yet_completed_is_not_sent(woocommerce: Shop) -> None:
    """Only the status that the owner chose counts."""
    number = an_order(woocommerce, {"_ballx_wallet": a_wallet("pending"), "_order_total": "10"})
    woocommerce.site.evaluate("wc_get_order( $id )->update_status( 'processing' );", {"id": number})

    assert woocommerce.deliveries() == []


@pytest.mark.parametrize(
    ("meta", "note"),
    [
        ({"_order_total": "10"}, "BALLX: There is no wallet, so no tokens were sent."),
        ({"_order_total": "10", "_ballx_wallet": "0x12"}, "BALLX: The wallet must be 0x and 40 hexadecimal digits."),
        (
            {"_order_total": "10", "_ballx_wallet": "0x52908400098527886E0F7030069857D2E4169Ee7"},
            "BALLX: The wallet has a wrong checksum",
        ),
    ],
)
def test_an_order_that_cannot_be_sent_says_why(woocommerce: Shop, meta: Mapping[str, str], note: str) -> None:
    """In the order's notes, where the owner looks."""
    number = an_order(woocommerce, meta)
    complete(woocommerce, number)

    assert woocommerce.deliveries() == []
    assert notes(woocommerce, number)[-1].startswith(note)
