"""A marketplace's order and its parts are paid once: whichever of them is completed, cancelled, refunded or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.wordpress.shop import Shop
from tests.wordpress.conftest import Distributor
from tests.wordpress.test_following import ENDINGS
from tests.wordpress.test_orders import a_wallet, got
from tests.wordpress.test_woocommerce import NEW_ORDER, an_order, complete, notes

DELETED = ("wc_get_order( $id )->delete( true );", "wp_delete_post( $id, true );")
RESTORE = "wp_untrash_post( $id ); wc_get_order( $id )->update_status( 'completed' );"
REFUND = "wc_create_refund( array( 'order_id' => $id, 'amount' => $amount ) );"
MOVE = "wp_update_post( array( 'ID' => $id, 'post_parent' => $parent ) );"


@pytest.fixture
def woocommerce(shop: Shop) -> Iterator[Shop]:
    """The shop with the stand-in of WooCommerce on, half a token for each unit of currency."""
    shop.set({"woocommerce_stand_in": "1", "woocommerce_currency": "BRL", "ballx_rate": "0.5"})
    yield shop
    shop.set({"woocommerce_stand_in": "", "ballx_rate": "", "ballx_order_level": "parent", "ballx_amount_meta": ""})


def a_tree(shop: Shop, wallet: str) -> tuple[int, list[int]]:
    """Return an order of 30 and its two parts of 10 and 20, one for each vendor."""
    whole = an_order(shop, {"_ballx_wallet": wallet, "_order_total": "30"})
    part = NEW_ORDER.replace("'post_status'", "'post_parent' => $parent, 'post_status'")
    parts = [
        shop.site.evaluate(part, {"parent": whole, "meta": {"_ballx_wallet": wallet, "_order_total": total}})
        for total in ("10", "20")
    ]
    return whole, parts


@pytest.mark.parametrize(("level", "sent"), [("parent", ["15"]), ("sub", ["5", "10"])])
def test_a_marketplaces_order_is_paid_once(woocommerce: Shop, level: str, sent: list[str]) -> None:
    """The whole or its parts, never both; completed in whatever order."""
    woocommerce.set({"ballx_order_level": level})
    whole, parts = a_tree(woocommerce, a_wallet(f"tree-{level}"))
    for number in (parts[0], whole, parts[1]):
        complete(woocommerce, number)

    assert [delivery["amount"] for delivery in woocommerce.deliveries()] == sent


def test_a_cancelled_part_is_subtracted_from_the_whole(woocommerce: Shop, distributor: Distributor) -> None:
    """Also when it is cancelled after the whole was completed."""
    wallet = a_wallet("tree-cancelled")
    whole, parts = a_tree(woocommerce, wallet)
    complete(woocommerce, whole)
    woocommerce.site.evaluate(ENDINGS["cancelled"], {"id": parts[1]})
    woocommerce.follow(str(whole), "paid")

    assert got(distributor, wallet) == [5 * 10**18]


def a_part(shop: Shop, parent: int, wallet: str, total: str) -> int:
    """Return an order of *total* below *parent*."""
    part = NEW_ORDER.replace("'post_status'", "'post_parent' => $parent, 'post_status'")
    meta = {"_ballx_wallet": wallet, "_order_total": total}
    number: int = shop.site.evaluate(part, {"parent": parent, "meta": meta})
    return number


def do(shop: Shop, code: str, number: int, **more: Any) -> None:
    """Run *code* with the order."""
    shop.site.evaluate(code, {"id": number, **more})


def amounts(shop: Shop) -> list[tuple[str, str]]:
    """Return amount and state of each delivery, the oldest first, as its order is at its next attempt."""
    shop.let_time_pass()
    return [(str(one["amount"]), str(one["error_code"])) for one in shop.deliveries()]


# Three levels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "sent"), [("parent", ["15"]), ("sub", ["5", "3", "7"])])
def test_of_three_levels_one_is_sent(woocommerce: Shop, level: str, sent: list[str]) -> None:
    """A vendor's part is split once more: the whole is sent, or what is split no further."""
    woocommerce.set({"ballx_order_level": level})
    wallet = a_wallet(f"three-{level}")
    whole, parts = a_tree(woocommerce, wallet)
    smallest = [a_part(woocommerce, parts[1], wallet, total) for total in ("6", "14")]
    for number in (parts[1], parts[0], whole, *smallest):
        complete(woocommerce, number)

    assert [delivery["amount"] for delivery in woocommerce.deliveries()] == sent


def test_what_is_cancelled_two_levels_down_is_subtracted(woocommerce: Shop) -> None:
    """Once: also where the part above it is cancelled afterwards."""
    wallet = a_wallet("three-cancelled")
    whole, parts = a_tree(woocommerce, wallet)
    smallest = [a_part(woocommerce, parts[1], wallet, total) for total in ("6", "14")]
    woocommerce.set({"ballx_delay_days": "1"})
    complete(woocommerce, whole)
    do(woocommerce, ENDINGS["cancelled"], smallest[0])
    before = worth(woocommerce, whole)
    do(woocommerce, ENDINGS["cancelled"], parts[1])
    woocommerce.set({"ballx_delay_days": "0"})

    assert (before, worth(woocommerce, whole)) == ("12", "5")


def worth(shop: Shop, number: int) -> str:
    """Return what the order would be sent as now: its tokens, or the beginning of why it is not."""
    code = (
        "$settings = new Ballx\\Distributor\\Settings();"
        "$amounts = new Ballx\\Distributor\\Woo\\Amounts( $settings ); $order = wc_get_order( $id );"
        "try { $amounts->check( $order ); return $amounts->of( $order ); }"
        "catch ( Ballx\\Distributor\\InvalidOrder $e ) { return $e->problem; }"
    )
    return str(shop.site.evaluate(code, {"id": number}))


# Refunds ------------------------------------------------------------------------------------------------


def test_a_refund_of_a_part_is_subtracted_from_the_whole(woocommerce: Shop) -> None:
    """The vendor gave it back; nothing on the whole says so."""
    whole, parts = a_tree(woocommerce, a_wallet("tree-refund"))
    do(woocommerce, REFUND, parts[1], amount="4")

    assert worth(woocommerce, whole) == "13"


def test_a_whole_refunded_after_a_part_was_cancelled_is_held(woocommerce: Shop, distributor: Distributor) -> None:
    """The same money twice, or two sums: subtracted twice it is too little, once it may be too much."""
    wallet = a_wallet("tree-both")
    whole, parts = a_tree(woocommerce, wallet)
    complete(woocommerce, whole)
    do(woocommerce, ENDINGS["cancelled"], parts[0])
    do(woocommerce, REFUND, whole, amount="10")
    held = woocommerce.delivery(str(whole))

    assert (held["state"], held["error_code"]) == ("stopped", "refund_and_parts")
    woocommerce.set({"ballx_amount_meta": "tokens"})
    named = "$o = wc_get_order( $id ); $o->update_meta_data( 'tokens', '10' ); $o->save();"
    do(woocommerce, named + "do_action( 'woocommerce_order_action_ballx_send', wc_get_order( $id ) );", whole)
    woocommerce.follow(str(whole), "paid")
    assert got(distributor, wallet) == [10 * 10**18]


def test_a_refund_of_a_part_without_an_amount_holds_the_whole(woocommerce: Shop) -> None:
    """Never the full sum."""
    whole, parts = a_tree(woocommerce, a_wallet("tree-no-amount"))
    do(woocommerce, REFUND, parts[1], amount="")

    assert worth(woocommerce, whole) == "refund_without_amount"


def test_a_refund_of_the_whole_holds_the_parts_that_do_not_show_it(woocommerce: Shop) -> None:
    """Where parts are sent, nobody can tell whose money it was; where a part shows it too, the part is less by it."""
    woocommerce.set({"ballx_order_level": "sub"})
    whole, parts = a_tree(woocommerce, a_wallet("sub-refund"))
    do(woocommerce, REFUND, whole, amount="4")
    held = [worth(woocommerce, part) for part in parts]
    do(woocommerce, REFUND, parts[1], amount="4")

    assert held == ["refund_of_whole", "refund_of_whole"]
    assert [worth(woocommerce, part) for part in parts] == ["5", "8"]


def test_parts_of_a_whole_that_ended_are_not_sent(woocommerce: Shop) -> None:
    """The customer paid the whole, and has it all back."""
    woocommerce.set({"ballx_order_level": "sub"})
    whole, parts = a_tree(woocommerce, a_wallet("sub-ended"))
    smallest = a_part(woocommerce, parts[1], a_wallet("sub-ended"), "20")
    complete(woocommerce, parts[0])
    do(woocommerce, ENDINGS["cancelled"], whole)

    assert amounts(woocommerce) == [("5", "order_ended")]
    assert worth(woocommerce, smallest) == "order_ended"


# The trash, and what is deleted -------------------------------------------------------------------------


def test_a_part_in_the_trash_is_subtracted_until_it_is_restored(woocommerce: Shop) -> None:
    """As the order is when it is sent."""
    whole, parts = a_tree(woocommerce, a_wallet("tree-trash"))
    do(woocommerce, ENDINGS["trashed in the list"], parts[1])
    trashed = worth(woocommerce, whole)
    do(woocommerce, RESTORE, parts[1])

    assert (trashed, worth(woocommerce, whole)) == ("5", "15")


@pytest.mark.parametrize("way", DELETED)
def test_a_cancelled_part_stays_subtracted_when_it_is_deleted(woocommerce: Shop, way: str) -> None:
    """The trash is emptied by itself after thirty days: the whole was worth its full sum again."""
    whole, parts = a_tree(woocommerce, a_wallet("tree-deleted"))
    do(woocommerce, ENDINGS["cancelled"], parts[0])
    do(woocommerce, way, parts[0])

    assert worth(woocommerce, whole) == "10"


def test_parts_that_are_made_anew_cost_nothing(woocommerce: Shop) -> None:
    """A marketplace deletes what it made at the first try of the payment."""
    wallet = a_wallet("tree-anew")
    whole, parts = a_tree(woocommerce, wallet)
    for part in parts:
        do(woocommerce, ENDINGS["deleted"], part)
    a_part(woocommerce, whole, wallet, "30")

    assert worth(woocommerce, whole) == "15"


# What was sent before --------------------------------------------------------------------------------------


def test_a_part_made_after_its_whole_was_sent_is_not_sent(woocommerce: Shop, distributor: Distributor) -> None:
    """Where parts are sent: the order had none when it was completed."""
    woocommerce.set({"ballx_order_level": "sub"})
    wallet = a_wallet("tree-later")
    whole = an_order(woocommerce, {"_ballx_wallet": wallet, "_order_total": "30"})
    complete(woocommerce, whole)
    woocommerce.follow(str(whole), "paid")
    part = a_part(woocommerce, whole, wallet, "30")
    complete(woocommerce, part)
    woocommerce.let_time_pass()

    assert got(distributor, wallet) == [15 * 10**18]
    assert notes(woocommerce, part)[-1].startswith("BALLX: The whole order, or a part of it, was sent before.")


def test_a_whole_that_was_made_after_its_part_was_sent_is_not_sent(woocommerce: Shop) -> None:
    """Orders joined afterwards, or the setting changed when half of them were paid."""
    woocommerce.set({"ballx_order_level": "sub"})
    whole, parts = a_tree(woocommerce, a_wallet("tree-joined"))
    smallest = a_part(woocommerce, parts[1], a_wallet("tree-joined"), "20")
    complete(woocommerce, smallest)
    woocommerce.let_time_pass()
    woocommerce.set({"ballx_order_level": "parent"})
    complete(woocommerce, whole)

    assert [one["wc_order"] for one in woocommerce.deliveries()] == [str(smallest)]


@pytest.mark.parametrize("way", DELETED)
def test_a_part_whose_whole_was_paid_and_deleted_is_not_sent(woocommerce: Shop, way: str) -> None:
    """Where orders are posts its parts stay, and WooCommerce says of them that they have no whole."""
    whole, parts = a_tree(woocommerce, a_wallet("tree-orphan"))
    smallest = a_part(woocommerce, parts[1], a_wallet("tree-orphan"), "20")
    complete(woocommerce, whole)
    woocommerce.let_time_pass()
    do(woocommerce, way, whole)
    do(woocommerce, way, parts[1])
    complete(woocommerce, parts[0])
    complete(woocommerce, smallest)

    assert [one["wc_order"] for one in woocommerce.deliveries()] == [str(whole)]


def test_the_owner_is_told_when_a_part_is_cancelled_after_the_whole_was_taken(woocommerce: Shop) -> None:
    """Only the operator can still stop it."""
    whole, parts = a_tree(woocommerce, a_wallet("tree-told"))
    complete(woocommerce, whole)
    woocommerce.let_time_pass()
    assert woocommerce.delivery(str(whole))["state"] == "accepted"
    do(woocommerce, ENDINGS["cancelled"], parts[0])

    assert [line.split(":")[0] for line in woocommerce.option("ballx_problems")] == [str(whole)]


def test_orders_that_are_above_themselves_are_read_once(woocommerce: Shop) -> None:
    """What a damaged database says must not keep the shop from answering."""
    whole, parts = a_tree(woocommerce, a_wallet("tree-circle"))
    woocommerce.site.evaluate(
        "global $wpdb; $wpdb->update( $wpdb->posts, array( 'post_parent' => $part ), array( 'ID' => $whole ) );"
        "clean_post_cache( $whole );",
        {"whole": whole, "part": parts[0]},
    )
    found = dict.fromkeys(("parent", "sub"), "")
    for level in found:
        woocommerce.set({"ballx_order_level": level})
        found[level] = worth(woocommerce, whole)

    assert found == {"parent": "part_of_order", "sub": "sent_in_parts"}
