"""A delivery follows its order until the distributor has taken it; what a person emptied or corrected is so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.wordpress.shop import Shop
from distributor.model import Address
from tests.wordpress.conftest import Distributor
from tests.wordpress.test_orders import a_wallet, got
from tests.wordpress.test_woocommerce import an_order, complete, notes

BLOCK = "ballx-distributor/wallet"
COPY = f"_wc_other/{BLOCK}"
CUSTOMER = (
    "$id = username_exists( $login ); $id = $id ?: wp_insert_user( array( 'user_login' => $login,"
    " 'user_pass' => 'x', 'user_email' => $login . '@example.com' ) ); "
    "delete_user_meta( $id, $copy ); update_user_meta( $id, 'ballx_wallet', $wallet ); return $id;"
)
# As a browser does: every input of the order's page is sent back, with what the owner typed into it.
SAVED_BY_THE_OWNER = """
wp_set_current_user( 1 );
$order = wc_get_order( $id );
ob_start(); do_action( 'woocommerce_admin_order_data_after_billing_address', $order ); $html = ob_get_clean();
preg_match_all( '/<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"/', $html, $inputs );
$_POST = wp_slash( array_combine( $inputs[1], $inputs[2] ) );
$own = array( $block => array( 'id' => '_wc_other/' . $block ) );
$fields = apply_filters( 'woocommerce_admin_shipping_fields', $own );
$shown = count( $inputs[1] ) + count( $fields );
if ( null !== $typed ) { $_POST[ $inputs[1][0] ] = $typed; }
do_action( 'woocommerce_process_shop_order_meta', $id );
foreach ( $fields as $key => $field ) {
    $order->update_meta_data( '_wc_other/' . $key, stand_in_block_value( $order, $key ) );
    do_action( 'woocommerce_set_additional_field_value', $key, stand_in_block_value( $order, $key ), 'other', $order );
    $order->save();
}
wc_get_order( $id )->update_status( 'completed' );
return $shown;
"""


@pytest.fixture
def woocommerce(shop: Shop) -> Iterator[Shop]:
    """The shop with the stand-in of WooCommerce on, half a token for each unit of currency."""
    shop.set({"woocommerce_stand_in": "1", "woocommerce_currency": "BRL", "ballx_rate": "0.5"})
    yield shop
    shop.set({"woocommerce_stand_in": "", "ballx_rate": ""})


@pytest.fixture
def unreachable(woocommerce: Shop, distributor: Distributor) -> Iterator[Shop]:
    """The shop while nobody answers at the distributor's address; later it does."""
    woocommerce.set({"ballx_webhook_url": "http://127.0.0.1:9/webhook"})
    yield woocommerce
    woocommerce.set({"ballx_webhook_url": distributor.url})


def customer(shop: Shop, login: str, wallet: str) -> int:
    """Return a customer who saved a wallet."""
    number: int = shop.site.evaluate(CUSTOMER, {"login": login, "wallet": wallet, "copy": COPY})
    return number


def saved_wallet(shop: Shop, user: int) -> str:
    """Return the wallet in the customer's account."""
    return str(shop.site.evaluate("return get_user_meta( $id, 'ballx_wallet', true );", {"id": user}))


def completed_by_the_owner(shop: Shop, number: int, typed: str | None = None) -> int:
    """Save the order's page with the status completed; return how many inputs for the wallet it showed."""
    arguments = {"id": number, "typed": typed, "block": BLOCK}
    shown: int = shop.site.evaluate(SAVED_BY_THE_OWNER, arguments)
    return shown


def meta(shop: Shop, number: int, key: str) -> Any:
    """Return a custom field of the order; None where there is none."""
    code = "$o = wc_get_order( $id ); return $o->meta_exists( $key ) ? $o->get_meta( $key ) : null;"
    return shop.site.evaluate(code, {"id": number, "key": key})


def block_checkout(shop: Shop, number: int, typed: str) -> None:
    """Let the customer order at the block checkout."""
    code = "stand_in_block_checkout( wc_get_order( $id ), $block, $typed );"
    shop.site.evaluate(code, {"id": number, "block": BLOCK, "typed": typed})


def waiting(shop: Shop, total: str = "29.35", **more: Any) -> tuple[int, Address]:
    """Return a completed order that is not sent yet, and its wallet."""
    wallet = a_wallet(f"follow-{total}-{more}")
    number = an_order(shop, {"_ballx_wallet": wallet, "_order_total": total, **more})
    complete(shop, number)
    assert shop.delivery(str(number))["state"] == "waiting"
    return number, wallet


# E1, E2, E5: one wallet, one place ----------------------------------------------------------------


def test_completing_an_order_keeps_the_wallet_its_customer_saved(woocommerce: Shop) -> None:
    """WooCommerce saves the customer in the same request: a name that two forms share erased the account's wallet."""
    user = customer(woocommerce, "carla", a_wallet("carla"))
    number = an_order(woocommerce, {"_order_total": "10", "_customer_user": user})
    completed_by_the_owner(woocommerce, number)

    assert saved_wallet(woocommerce, user) == a_wallet("carla")
    assert woocommerce.delivery(str(number))["wallet"] == a_wallet("carla")


def test_an_owners_correction_is_not_written_into_the_customers_account(woocommerce: Shop) -> None:
    """It is for this order."""
    user = customer(woocommerce, "davi", a_wallet("davi"))
    number = an_order(woocommerce, {"_order_total": "10", "_customer_user": user})
    completed_by_the_owner(woocommerce, number, a_wallet("corrected"))

    assert saved_wallet(woocommerce, user) == a_wallet("davi")
    assert woocommerce.delivery(str(number))["wallet"] == a_wallet("corrected")


def test_a_correction_wins_over_what_the_block_checkout_kept(woocommerce: Shop) -> None:
    """One input on the order's page, and one place that holds what it says."""
    user = customer(woocommerce, "eva", "")
    number = an_order(woocommerce, {"_order_total": "10", "_customer_user": user})
    block_checkout(woocommerce, number, a_wallet("typed"))
    before = [meta(woocommerce, number, key) for key in ("_ballx_wallet", COPY)]
    shown = completed_by_the_owner(woocommerce, number, a_wallet("put-right"))

    assert before == [a_wallet("typed"), None]
    assert shown == 1
    assert woocommerce.delivery(str(number))["wallet"] == a_wallet("put-right")
    assert woocommerce.site.evaluate("return metadata_exists( 'user', $u, $k );", {"u": user, "k": COPY}) is False


def test_a_wallet_emptied_at_the_checkout_is_empty(woocommerce: Shop) -> None:
    """The one that was saved before is not taken instead."""
    user = customer(woocommerce, "fabio", a_wallet("fabio"))
    number = an_order(woocommerce, {"_order_total": "10", "_customer_user": user})
    block_checkout(woocommerce, number, "")
    complete(woocommerce, number)

    assert woocommerce.deliveries() == []
    assert notes(woocommerce, number)[-1].startswith("BALLX: There is no wallet")


def test_an_owner_who_empties_the_wallet_pays_nobody(woocommerce: Shop) -> None:
    """Not the customer's saved one either."""
    user = customer(woocommerce, "gil", a_wallet("gil"))
    number = an_order(woocommerce, {"_order_total": "10", "_customer_user": user})
    completed_by_the_owner(woocommerce, number, "")

    assert woocommerce.deliveries() == []
    assert saved_wallet(woocommerce, user) == a_wallet("gil")


# E3: a delivery follows its order -----------------------------------------------------------------

ENDINGS = {
    "refunded": "wc_create_refund( array( 'order_id' => $id, 'amount' => '29.35' ) );",
    "cancelled": "wc_get_order( $id )->update_status( 'cancelled' );",
    "failed": "wc_get_order( $id )->update_status( 'failed' );",
    "trashed": "wc_get_order( $id )->delete();",
    "trashed in the list": "wp_trash_post( $id );",
    "deleted": "wc_get_order( $id )->delete( true );",
    "emptied": "$o = wc_get_order( $id ); $o->update_meta_data( '_ballx_wallet', '' ); $o->save();",
    "deleted behind our back": (
        "global $wpdb; $wpdb->delete( $wpdb->posts, array( 'ID' => $id ) ); clean_post_cache( $id );"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_order_that_ends_before_it_is_sent_is_not_paid(
    woocommerce: Shop, distributor: Distributor, ending: str
) -> None:
    """Each of these was paid in full."""
    number, wallet = waiting(woocommerce, _ending=ending)
    woocommerce.site.evaluate(ENDINGS[ending], {"id": number})
    woocommerce.let_time_pass()
    woocommerce.let_time_pass()

    stopped = woocommerce.delivery(str(number))
    assert (stopped["state"], stopped["attempts"], stopped["due_at"], stopped["needs_look"]) == (
        "stopped",
        "0",
        None,
        "0",
    )
    assert got(distributor, wallet) == []


@pytest.mark.parametrize("made", ["now", "by the version before"])
def test_a_shop_in_portuguese_stops_what_is_not_owed(woocommerce: Shop, made: str) -> None:
    """A table of two charsets takes no letter outside ASCII: the stop was refused, and the old wallet paid."""
    if made != "now":
        woocommerce.site.evaluate(
            "$GLOBALS['wpdb']->query( 'ALTER TABLE wp_ballx_deliveries MODIFY order_id varchar(64) CHARACTER SET ascii"
            " COLLATE ascii_bin NOT NULL' ); update_option( 'ballx_schema', '2' );"
        )
    number, _ = waiting(woocommerce, _made=made)
    in_portuguese = "switch_to_locale( 'pt_BR' ); " + ENDINGS["emptied"]
    woocommerce.site.evaluate(in_portuguese, {"id": number})

    stopped = woocommerce.delivery(str(number))
    assert (stopped["state"], stopped["error_code"]) == ("stopped", "no_wallet")
    assert str(stopped["detail"]).startswith("Não há carteira")


def test_a_partial_refund_is_subtracted_and_a_deleted_one_is_not(woocommerce: Shop, distributor: Distributor) -> None:
    """At the moment it is sent, the order says how much."""
    number, wallet = waiting(woocommerce)
    woocommerce.site.evaluate(
        "wc_create_refund( array( 'order_id' => $id, 'amount' => '9.35' ) );"
        "wc_create_refund( array( 'order_id' => $id, 'amount' => '5.00' ) )->delete();",
        {"id": number},
    )
    woocommerce.follow(str(number), "paid")

    assert got(distributor, wallet) == [10 * 10**18]


def test_a_corrected_wallet_is_paid_and_not_the_old_one(woocommerce: Shop, distributor: Distributor) -> None:
    """Also after a try that reached nobody."""
    number, old = waiting(woocommerce, total="8")
    code = "$o = wc_get_order( $id ); $o->update_meta_data( '_ballx_wallet', $wallet ); $o->save();"
    woocommerce.site.evaluate(code, {"id": number, "wallet": a_wallet("corrected-later")})
    paid = woocommerce.follow(str(number), "paid")

    assert paid["wallet"] == a_wallet("corrected-later")
    assert (got(distributor, old), got(distributor, a_wallet("corrected-later"))) == ([], [4 * 10**18])


def test_an_order_whose_total_was_changed_pays_what_it_is_worth(woocommerce: Shop, distributor: Distributor) -> None:
    """A line was added or taken away on its page; what was stored first is not what is owed."""
    number, wallet = waiting(woocommerce, total="9")
    code = "update_post_meta( $id, '_order_total', '12' ); wc_get_order( $id )->save();"
    woocommerce.site.evaluate(code, {"id": number})
    paid = woocommerce.follow(str(number), "paid")

    assert (paid["amount"], got(distributor, wallet)) == ("6", [6 * 10**18])


def test_a_refund_without_an_amount_holds_the_order(woocommerce: Shop, distributor: Distributor) -> None:
    """Never the full sum."""
    number, wallet = waiting(woocommerce, total="7")
    woocommerce.site.evaluate("wc_create_refund( array( 'order_id' => $id, 'amount' => '' ) );", {"id": number})
    woocommerce.let_time_pass()

    assert (woocommerce.delivery(str(number))["error_code"], got(distributor, wallet)) == ("refund_without_amount", [])


def test_an_order_that_may_have_been_taken_is_stopped_with_a_notice(unreachable: Shop) -> None:
    """Nobody answered: only the operator knows, and the notice says what to give him."""
    number, _ = waiting(unreachable, total="6")
    unreachable.let_time_pass()
    assert unreachable.delivery(str(number))["attempts"] == "1"
    complete_and_cancel = "wc_get_order( $id )->update_status( 'cancelled' );"
    unreachable.site.evaluate(complete_and_cancel, {"id": number})

    stopped = unreachable.delivery(str(number))
    assert (stopped["state"], stopped["needs_look"], stopped["error_code"]) == ("stopped", "1", "stopped_uncertain")
    assert "Give the operator the order id" in str(stopped["detail"])


def test_a_refund_after_the_distributor_took_the_order_is_told_once(woocommerce: Shop) -> None:
    """Nothing here can stop it any more."""
    number, _ = waiting(woocommerce, total="20")
    woocommerce.let_time_pass()
    assert woocommerce.delivery(str(number))["state"] == "accepted"
    refund = "wc_create_refund( array( 'order_id' => $id, 'amount' => '1' ) );"
    for _ in range(2):
        woocommerce.site.evaluate(refund, {"id": number})

    told = woocommerce.option("ballx_problems")
    assert [line.split(":")[0] for line in told] == [str(number)]
    assert woocommerce.delivery(str(number))["needs_look"] == "1"


def test_cancelled_and_completed_again_is_paid_once(woocommerce: Shop, distributor: Distributor) -> None:
    """Under the same id, with what it is worth then."""
    number, wallet = waiting(woocommerce, total="30")
    woocommerce.site.evaluate(ENDINGS["cancelled"], {"id": number})
    woocommerce.site.evaluate("wc_create_refund( array( 'order_id' => $id, 'amount' => '10' ) );", {"id": number})
    complete(woocommerce, number)
    woocommerce.follow(str(number), "paid")
    complete(woocommerce, number)
    woocommerce.let_time_pass()

    assert got(distributor, wallet) == [10 * 10**18]


def test_tokens_are_not_sent_by_hand_for_an_order_that_ended(woocommerce: Shop) -> None:
    """The order says why."""
    number = an_order(woocommerce, {"_ballx_wallet": a_wallet("ended"), "_order_total": "5"})
    woocommerce.site.evaluate(ENDINGS["cancelled"], {"id": number})
    woocommerce.site.evaluate(
        "do_action( 'woocommerce_order_action_ballx_send', wc_get_order( $id ) );", {"id": number}
    )

    assert woocommerce.deliveries() == []
    assert notes(woocommerce, number)[-1].startswith("BALLX: The order is cancelled, refunded or failed")


def test_what_was_never_asked_about_is_asked_about_after_the_update(woocommerce: Shop) -> None:
    """A version before had no function key, so that it never learned what was paid; a key it had is deleted."""
    number, _ = waiting(woocommerce)
    woocommerce.follow(str(number), "paid")
    woocommerce.site.evaluate(
        "$GLOBALS['wpdb']->query( \"UPDATE wp_ballx_deliveries SET due_at = NULL, asks = 0, status = 'received',"
        " tx_hash = ''\" ); update_option( 'ballx_status_key', 'of-before' ); update_option( 'ballx_schema', '3' );"
    )

    paid = woocommerce.follow(str(number), "paid")
    assert str(paid["tx_hash"]).startswith("0x")
    assert woocommerce.option("ballx_status_key") in {None, "", False}
