"""Orders placed inside a real WordPress, paid on a real chain, and reported to the shop."""

from __future__ import annotations

import json

from devstack.wordpress.shop import Shop
from distributor.addresses import keccak256, parse_address
from distributor.model import Address
from distributor.units import TokenUnits
from tests.wordpress.admin import Administrator
from tests.wordpress.conftest import Distributor

ONE_AND_A_HALF = TokenUnits(15 * 10**17)


def a_wallet(name: str) -> Address:
    """Return a wallet that never held a token."""
    return parse_address("0x" + keccak256(name.encode()).hex()[-40:])


def got(distributor: Distributor, wallet: Address) -> list[int]:
    """Return every amount that *wallet* got, from the token's own events."""
    return [event.amount_units for event in distributor.chain.payouts() if event.recipient == wallet]


def test_an_order_placed_inside_wordpress_is_paid_and_shown(
    shop: Shop, distributor: Distributor, administrator: Administrator
) -> None:
    """From do_action() to the tokens, and back to the list of deliveries with the transaction's hash."""
    wallet = a_wallet("happy")
    shop.place({"order_id": "WP-1", "wallet": wallet, "amount": "1.5", "reason": "Promoção de São João 😀 a/b"})
    paid = shop.follow("WP-1", "paid")

    (event,) = [event for event in distributor.chain.distributed_events() if event.recipient == wallet]
    assert (event.amount_units, event.reason) == (ONE_AND_A_HALF, "Promoção de São João 😀 a/b")
    assert (paid["tx_hash"], paid["http_status"], paid["needs_look"]) == (event.tx_hash, "200", "0")
    page = administrator.open("/wp-admin/admin.php?page=ballx-deliveries")
    assert f"WP-1 Show more details Paid {wallet}" in page.text
    assert f'href="https://polygonscan.com/tx/{event.tx_hash}"' in page.html


def test_what_php_writes_is_what_is_signed_and_read(shop: Shop) -> None:
    """WordPress escapes slashes and everything that is not ASCII; the bytes stored are the bytes signed."""
    shop.place({"order_id": "WP-2", "wallet": a_wallet("quirks"), "amount": "10.0", "reason": "ç/😀"})
    accepted = shop.follow("WP-2", "received")

    body = accepted["body"] or ""
    assert r'"reason":"\u00e7\/\ud83d\ude00"' in body
    assert json.loads(body)["amount"] == "10"


def test_a_float_never_becomes_an_order(shop: Shop, administrator: Administrator) -> None:
    """0.1 + 0.2 in PHP is 0.30000000000000004: the owner gets a message, and nothing is stored."""
    shop.place({"order_id": "WP-3", "wallet": a_wallet("float"), "amount": 0.1 + 0.2})

    assert "WP-3" not in {delivery["order_id"] for delivery in shop.deliveries()}
    notice = administrator.open("/wp-admin/").text
    assert 'WP-3: The amount must be a text such as "10.5" or an integer' in notice


def test_the_same_order_placed_again_pays_once(shop: Shop, distributor: Distributor) -> None:
    """Placed twice, sent once; and sent again after the shop lost what it knew, paid once all the same."""
    wallet = a_wallet("twice")
    order = {"order_id": "WP-4", "wallet": wallet, "amount": "1.5"}
    shop.place(order)
    shop.place(order)
    shop.follow("WP-4", "paid")
    shop.place(order)
    shop.lose_the_answer("WP-4")
    again = shop.follow("WP-4", "paid")

    assert (again["state"], again["attempts"]) == ("accepted", "2")
    assert got(distributor, wallet) == [ONE_AND_A_HALF]


def test_an_order_changed_after_sending_is_not_sent_again(shop: Shop, administrator: Administrator) -> None:
    """What was sent first is kept, and the owner is told."""
    first, second = a_wallet("first"), a_wallet("second")
    shop.place({"order_id": "WP-5", "wallet": first, "amount": "1.5"})
    shop.follow("WP-5", "received")
    shop.place({"order_id": "WP-5", "wallet": second, "amount": "1.5"})
    shop.let_time_pass()

    kept = shop.delivery("WP-5")
    assert (kept["wallet"], kept["attempts"]) == (first, "1")
    assert "The order was sent before with another wallet, amount or kind." in administrator.open("/wp-admin/").text
