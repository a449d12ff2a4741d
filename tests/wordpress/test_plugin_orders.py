"""
What the plugin reads out of a WooCommerce order, and where it gets the wallet from.

Nothing is sent here: without a webhook address orders are stored and wait, and what is stored is what would be sent.
WooCommerce is the stand-in, its hooks are raised as WooCommerce documents them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from devstack.wordpress.shop import Shop

WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
OTHER_WALLET = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
MISTYPED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed"
COMPLETED = """
$id = wp_insert_post( array( 'post_type' => 'shop_order', 'post_status' => 'wc-processing' ) );
foreach ( $meta as $key => $value ) { update_post_meta( $id, $key, $value ); }
foreach ( (array) ( $meta['_refunded'] ?? array() ) as $amount ) {
    wc_create_refund( array( 'order_id' => $id, 'amount' => $amount ) );
}
wc_get_order( $id )->update_status( 'completed' );
return (string) $id;
"""
AS_A_CUSTOMER = (
    "$user = wp_insert_user( array( 'user_login' => $login, 'user_pass' => 'x' ) ); wp_set_current_user( $user );"
)


@pytest.fixture
def waiting_shop(installed_shop: Shop) -> Iterator[Shop]:
    """The shop with WooCommerce's stand-in and half a token for each real; it does not know its distributor."""
    installed_shop.set({"woocommerce_stand_in": "1", "woocommerce_currency": "BRL", "ballx_rate": "0.5"})
    installed_shop.set({"ballx_webhook_url": "", "ballx_amount_meta": "_tokens"})
    yield installed_shop
    installed_shop.set({"woocommerce_stand_in": "", "ballx_rate": "", "ballx_amount_meta": ""})
    installed_shop.forget()


def complete(shop: Shop, meta: Mapping[str, Any]) -> str:
    """Return the id of a new order that was completed."""
    number: str = shop.site.evaluate(COMPLETED, {"meta": {"_ballx_wallet": WALLET, **meta}})
    return number


def last_note(shop: Shop, number: str) -> str:
    """Return what the order's owner reads last."""
    code = "return get_comments( array( 'post_id' => $id, 'type' => 'order_note' ) )[0]->comment_content;"
    note: str = shop.site.evaluate(code, {"id": number})
    return note


@pytest.mark.parametrize(
    ("meta", "amount"),
    [
        ({"_order_total": "29.35"}, "14.675"),
        ({"_order_total": "29.35", "_refunded": "9.35"}, "10"),
        ({"_order_total": "29.35", "_tokens": "7.000000000000000001"}, "7.000000000000000001"),
        ({"_order_total": "29.35", "_order_currency": "JPY", "_tokens": "3"}, "3"),
    ],
)
def test_the_amount_is_the_orders_own_or_what_was_paid_and_kept(
    waiting_shop: Shop, meta: Mapping[str, str], amount: str
) -> None:
    """The field goes before the rate, refunds earn nothing."""
    number = complete(waiting_shop, meta)

    assert waiting_shop.delivery(number)["amount"] == amount


@pytest.mark.parametrize(
    ("meta", "note"),
    [
        ({"_order_total": "1000", "_order_currency": "JPY"}, "BALLX: The order is not in the shop's own currency"),
        ({"_order_total": "10", "_refunded": "10"}, "BALLX: The amount is 0"),
        ({"_order_total": "10", "_tokens": "1,5"}, "BALLX: The amount must be a decimal number"),
        ({"_order_total": "-10"}, "BALLX: The amount must be a decimal number"),
    ],
)
def test_an_amount_that_is_in_doubt_is_not_sent(waiting_shop: Shop, meta: Mapping[str, str], note: str) -> None:
    """The order's note says why; nothing is guessed."""
    number = complete(waiting_shop, meta)

    assert waiting_shop.deliveries() == []
    assert last_note(waiting_shop, number).startswith(note)


def test_a_customers_wallet_becomes_the_orders_own(waiting_shop: Shop) -> None:
    """Changed in the account later, it changes no order that has it."""
    code = (
        AS_A_CUSTOMER + "update_user_meta( $user, 'ballx_wallet', $wallet ); $meta = array( '_order_total' => '10',"
        " '_customer_user' => $user );" + COMPLETED
    )
    number = waiting_shop.site.evaluate(code, {"login": "keeps", "wallet": OTHER_WALLET})
    kept = waiting_shop.site.evaluate("return get_post_meta( $id, '_ballx_wallet', true );", {"id": number})

    assert (waiting_shop.delivery(number)["wallet"], kept) == (OTHER_WALLET, OTHER_WALLET)


@pytest.mark.parametrize(
    "checkout",
    [
        # the classic checkout, and the block one
        (
            "$_POST['ballx_checkout_wallet'] = $typed;"
            "do_action( 'woocommerce_checkout_create_order', $order, array( 'ballx_checkout_wallet' => $typed ) );"
        ),
        "do_action( 'woocommerce_set_additional_field_value', 'ballx-distributor/wallet', $typed, 'other', $order );",
    ],
)
def test_a_wallet_typed_at_the_checkout_is_kept(waiting_shop: Shop, checkout: str) -> None:
    """With its checksum, in the order and for the customer's next one; a mistyped one is not."""
    login = f"buyer{len(checkout)}"
    code = (
        AS_A_CUSTOMER + "$id = wp_insert_post( array( 'post_type' => 'shop_order', 'post_status' => 'wc-pending',"
        " 'meta_input' => array( '_customer_user' => $user ) ) ); $order = wc_get_order( $id );"
        f"$typed = $right; {checkout} $typed = $wrong; {checkout} $order->save();"
        "return array( get_post_meta( $id, '_ballx_wallet', true ), get_user_meta( $user, 'ballx_wallet', true ) );"
    )
    arguments = {"login": login, "right": OTHER_WALLET.lower(), "wrong": MISTYPED}

    assert waiting_shop.site.evaluate(code, arguments) == [OTHER_WALLET, OTHER_WALLET]


def test_a_mistyped_wallet_stops_the_checkout(waiting_shop: Shop) -> None:
    """Before the customer pays, and in words; an empty one is WooCommerce's own matter when it is required."""
    code = (
        "$said = array(); foreach ( $typed as $wallet ) { $errors = new WP_Error();"
        "do_action( 'woocommerce_after_checkout_validation', array( 'ballx_checkout_wallet' => $wallet ), $errors );"
        "$said[] = $errors->get_error_message(); } return $said;"
    )
    wrong, right, none = waiting_shop.site.evaluate(code, {"typed": [MISTYPED, OTHER_WALLET, ""]})

    assert wrong.startswith("The wallet has a wrong checksum")
    assert (right, none) == ("", "")


def test_the_checkout_asks_for_the_wallet(waiting_shop: Shop) -> None:
    """With what the customer entered before, and required when the owner says so."""
    waiting_shop.set({"ballx_wallet_required": "1"})
    code = (
        AS_A_CUSTOMER + "update_user_meta( $user, 'ballx_wallet', $wallet );"
        "return apply_filters( 'woocommerce_checkout_fields', array() )['billing']['ballx_checkout_wallet'];"
    )
    field = waiting_shop.site.evaluate(code, {"login": "returns", "wallet": OTHER_WALLET})
    waiting_shop.set({"ballx_wallet_required": "0"})

    assert (field["type"], field["required"], field["default"]) == ("text", True, OTHER_WALLET)


def test_the_account_keeps_a_right_wallet_and_refuses_a_wrong_one(waiting_shop: Shop) -> None:
    """The same rule as at the checkout."""
    code = (
        AS_A_CUSTOMER + "$said = array(); foreach ( $typed as $wallet ) { $_POST['ballx_account_wallet'] = $wallet;"
        "$errors = new WP_Error(); do_action( 'woocommerce_save_account_details_errors', $errors, null );"
        "if ( ! $errors->has_errors() ) { do_action( 'woocommerce_save_account_details', $user ); }"
        "$said[] = get_user_meta( $user, 'ballx_wallet', true ); } return $said;"
    )
    kept = waiting_shop.site.evaluate(code, {"login": "account", "typed": [MISTYPED, OTHER_WALLET, MISTYPED, ""]})

    assert kept == ["", OTHER_WALLET, OTHER_WALLET, ""]


def test_a_refused_order_is_read_anew_when_it_is_sent_again(waiting_shop: Shop) -> None:
    """The owner corrected the wallet: the corrected order is what goes out."""
    number = complete(waiting_shop, {"_order_total": "10"})
    waiting_shop.site.evaluate(
        "$GLOBALS['wpdb']->update( 'wp_ballx_deliveries', array( 'state' => 'refused', 'due_at' => null ),"
        " array( 'order_id' => $id ) ); update_post_meta( $id, '_ballx_wallet', $wallet );"
        "do_action( 'woocommerce_order_action_ballx_send', wc_get_order( $id ) );",
        {"id": number, "wallet": OTHER_WALLET},
    )
    delivery = waiting_shop.delivery(number)

    assert (delivery["state"], delivery["attempts"], delivery["wallet"]) == ("waiting", "0", OTHER_WALLET)
    assert OTHER_WALLET in (delivery["body"] or "")


def test_an_order_that_waits_is_sent_as_it_is_now(waiting_shop: Shop) -> None:
    """Completed once more with another wallet, before anything was sent: no notice, and the new content."""
    number = complete(waiting_shop, {"_order_total": "10"})
    waiting_shop.site.evaluate(
        "update_post_meta( $id, '_ballx_wallet', $wallet ); wc_get_order( $id )->update_status( 'completed' );",
        {"id": number, "wallet": OTHER_WALLET},
    )
    delivery = waiting_shop.delivery(number)

    assert (delivery["state"], delivery["wallet"], delivery["changed"]) == ("waiting", OTHER_WALLET, "0")
    assert OTHER_WALLET in (delivery["body"] or "")


@pytest.mark.parametrize("state", ["accepted", "given_up"])
def test_an_order_that_may_have_been_taken_is_never_replaced(waiting_shop: Shop, state: str) -> None:
    """What was sent first is kept, and the owner hears of it."""
    number = complete(waiting_shop, {"_order_total": "10"})
    waiting_shop.site.evaluate(
        "$GLOBALS['wpdb']->update( 'wp_ballx_deliveries', array( 'state' => $state ), array( 'order_id' => $id ) );"
        "update_post_meta( $id, '_ballx_wallet', $wallet ); wc_get_order( $id )->update_status( 'completed' );",
        {"id": number, "wallet": OTHER_WALLET, "state": state},
    )
    delivery = waiting_shop.delivery(number)

    assert (delivery["state"], delivery["wallet"], delivery["changed"]) == (state, WALLET, "1")
    assert last_note(waiting_shop, number).startswith("BALLX: The order was sent before with another wallet")


def test_ids_that_differ_in_case_are_two_orders(waiting_shop: Shop) -> None:
    """As they are for the distributor; MySQL's usual collations would call them one."""
    for order_id in ("A1", "a1"):
        waiting_shop.place({"order_id": order_id, "wallet": WALLET, "amount": "1"})

    assert [delivery["order_id"] for delivery in waiting_shop.deliveries()] == ["A1", "a1"]


def test_a_delivery_that_was_tried_in_vain_is_given_up(waiting_shop: Shop) -> None:
    """After the eighth attempt it waits for a person; sent again it counts as tried: it may have been taken before."""
    waiting_shop.set({"ballx_webhook_url": "http://127.0.0.1:9/webhook", "ballx_webhook_secret": "s" * 16})
    waiting_shop.place({"order_id": "VAIN", "wallet": WALLET, "amount": "1"})
    waiting_shop.site.evaluate("$GLOBALS['wpdb']->query( 'UPDATE wp_ballx_deliveries SET attempts = 6' );")
    waiting_shop.let_time_pass()
    seventh = waiting_shop.delivery("VAIN")
    waiting_shop.let_time_pass()
    given_up = waiting_shop.delivery("VAIN")
    waiting_shop.place({"order_id": "VAIN", "wallet": WALLET, "amount": "1"})
    again = waiting_shop.delivery("VAIN")

    assert (seventh["state"], seventh["attempts"], seventh["needs_look"]) == ("waiting", "7", "0")
    assert (given_up["state"], given_up["attempts"], given_up["due_at"]) == ("given_up", "8", None)
    assert given_up["needs_look"] == "1"
    assert (again["state"], again["attempts"], again["needs_look"]) == ("waiting", "1", "0")


def test_a_brazilian_reads_portuguese(waiting_shop: Shop) -> None:
    """WordPress finds the plugin's own translation."""
    code = "switch_to_locale( 'pt_BR' ); $r = ballx_distribute( array() ); return $r->get_error_message();"

    assert waiting_shop.site.evaluate(code) == (
        "O id do pedido deve ter de 1 a 64 dos caracteres A-Z a-z 0-9 . _ - e começar com uma letra ou um dígito."
    )


def test_a_name_that_cannot_be_looked_up_for_a_while_is_no_wrong_setting(waiting_shop: Shop) -> None:
    """A name server that is down costs an attempt, which is repeated in seconds, and not an hour until the sweep."""
    waiting_shop.set({"ballx_webhook_url": "http://shop.invalid/webhook", "ballx_webhook_secret": "s" * 16})
    waiting_shop.place({"order_id": "DNS", "wallet": WALLET, "amount": "1"})
    waiting_shop.let_time_pass()
    delivery = waiting_shop.delivery("DNS")

    assert (delivery["state"], delivery["attempts"], delivery["error_code"]) == ("waiting", "1", "no_answer")
