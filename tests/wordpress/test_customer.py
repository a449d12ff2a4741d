"""What a customer sees, gets and may add: tokens on the order, one letter, a wallet later, days of waiting."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import mechanicalsoup  # type: ignore[import-untyped]  # it comes without types
import pytest

from devstack.wordpress.shop import Shop
from tests.wordpress.admin import Administrator
from tests.wordpress.conftest import Distributor
from tests.wordpress.test_orders import a_wallet, got
from tests.wordpress.test_woocommerce import an_order, complete, notes

DAY_S = 86400
LETTERS_ON = "update_option( 'woocommerce_ballx_tokens_sent_settings', array( 'enabled' => $on ) );"
SEEN = "ob_start(); do_action( $hook, wc_get_order( $id ) ); return ob_get_clean();"


@pytest.fixture
def woocommerce(shop: Shop) -> Iterator[Shop]:
    """The shop with the stand-in of WooCommerce on, half a token for each unit of currency, and no letter yet."""
    shop.set({"woocommerce_stand_in": "1", "woocommerce_currency": "BRL", "ballx_rate": "0.5"})
    yield shop
    shop.set({"woocommerce_stand_in": "", "ballx_rate": "", "ballx_delay_days": "0", "ballx_wallet_days": "30"})
    shop.site.evaluate(
        "array_map( 'delete_option', array( 'stand_in_letters', 'stand_in_letter', 'ballx_letters_since',"
        " 'woocommerce_ballx_tokens_sent_settings' ) );"
    )


def letters(shop: Shop) -> list[dict[str, Any]]:
    """Return every letter "tokens sent", the first one first."""
    return list(shop.option("stand_in_letters") or [])


def switch(shop: Shop, on: str) -> None:
    """Switch the letter on ("yes") or off ("no"), as WooCommerce's page of letters does."""
    shop.site.evaluate(LETTERS_ON, {"on": on})


def seen(shop: Shop, number: int, hook: str = "woocommerce_order_details_after_order_table") -> str:
    """Return what the customer's page shows of the order."""
    html: str = shop.site.evaluate(SEEN, {"id": number, "hook": hook})
    return html


def invited(shop: Shop) -> str:
    """Return the link in the last letter of an order that was completed, '' when there was none."""
    found = re.search(r"http\S+ballx_wallet=\S+", str(shop.option("stand_in_letter") or ""))
    return found[0] if found else ""


# Tokens on the customer's pages ------------------------------------------------------------------


def test_a_customer_sees_amount_wallet_and_transaction(woocommerce: Shop) -> None:
    """On the order and in the list of orders; and only words a customer knows."""
    wallet = a_wallet("customer-sees")
    number = an_order(woocommerce, {"_ballx_wallet": wallet, "_order_total": "29.35"})
    before = seen(woocommerce, number)
    complete(woocommerce, number)
    waits = seen(woocommerce, number)
    paid = woocommerce.follow(str(number), "paid")
    after = seen(woocommerce, number)
    cell = seen(woocommerce, number, "woocommerce_my_account_my_orders_column_ballx")

    assert before == ""
    assert "On their way" in waits
    for part in ("14.675 BALLX", wallet, "Sent", f'href="https://polygonscan.com/tx/{paid["tx_hash"]}"'):
        assert part in after
    assert "14.675 BALLX" in cell
    assert str(paid["tx_hash"]) in cell
    columns = "return array_keys( apply_filters( 'woocommerce_account_orders_columns', $columns ) );"
    known = {"order-number": "Order", "order-total": "Total", "order-actions": "Actions"}
    shown = woocommerce.site.evaluate(columns, {"columns": known})
    assert shown == ["order-number", "order-total", "ballx", "order-actions"]


# The letter ------------------------------------------------------------------------------------------


def test_one_letter_is_sent_when_the_tokens_are_paid(woocommerce: Shop) -> None:
    """With the amount, the wallet and the transaction; asked again, it is not sent again."""
    switch(woocommerce, "yes")
    wallet = a_wallet("letter")
    number = an_order(woocommerce, {"_ballx_wallet": wallet, "_order_total": "5", "_billing_email": "ana@example.com"})
    complete(woocommerce, number)
    paid = woocommerce.follow(str(number), "paid")
    again = (
        "$d = Ballx\\Distributor\\Delivery::fromRow( $GLOBALS['wpdb']->get_row( 'SELECT * FROM wp_ballx_deliveries"
        " ORDER BY id DESC LIMIT 1', ARRAY_A ) ); do_action( 'ballx_delivery_changed', $d, $d );"
    )
    woocommerce.site.evaluate(again)

    (letter,) = letters(woocommerce)
    assert (letter["to"], letter["subject"]) == (
        "ana@example.com",
        f"Your BALLX shop order {number}: 2.5 BALLX tokens were sent",
    )
    html, _, plain = letter["message"].partition("\n=====\n")
    for text in (html, plain):
        assert f"2.5 BALLX tokens of your order {number} are in your wallet:" in text
        assert wallet in text
        assert f"https://polygonscan.com/tx/{paid['tx_hash']}" in text


def test_no_letter_is_sent_where_it_is_off_or_for_what_is_older_than_the_switch(woocommerce: Shop) -> None:
    """Off at first; switched on, yesterday's orders are no news; switched on again, those in between are none."""
    first = an_order(woocommerce, {"_ballx_wallet": a_wallet("off"), "_order_total": "5"})
    complete(woocommerce, first)
    woocommerce.follow(str(first), "paid")
    assert letters(woocommerce) == []

    second = an_order(woocommerce, {"_ballx_wallet": a_wallet("older"), "_order_total": "5"})
    complete(woocommerce, second)
    woocommerce.site.evaluate(
        "$GLOBALS['wpdb']->query( 'UPDATE wp_ballx_deliveries SET created_at = created_at - 9' );"
    )
    switch(woocommerce, "yes")
    woocommerce.follow(str(second), "paid")
    assert letters(woocommerce) == []


def test_the_letter_is_in_the_shops_language(woocommerce: Shop) -> None:
    """Its name, subject and text are translated."""
    code = (
        "switch_to_locale( 'pt_BR' ); $letter = WC()->mailer()->get_emails()['Ballx_Tokens_Sent'];"
        "return array( $letter->title, $letter->get_default_subject(), $letter->is_enabled() );"
    )
    title, subject, enabled = woocommerce.site.evaluate(code)

    assert (title, enabled) == ("Tokens BALLX enviados", False)
    assert subject == "Seu pedido {order_number} em {site_title}: {amount} tokens BALLX foram enviados"


# A wallet after the order ----------------------------------------------------------------------------


@pytest.fixture
def guest() -> Iterator[mechanicalsoup.StatefulBrowser]:
    """Somebody who is not logged in."""
    with mechanicalsoup.StatefulBrowser(soup_config={"features": "html.parser"}) as browser:
        yield browser


def test_a_guest_adds_a_wallet_by_the_link_of_the_letter(
    woocommerce: Shop, distributor: Distributor, guest: mechanicalsoup.StatefulBrowser
) -> None:
    """A mistyped one is refused in words; once there is one, the link changes nothing more."""
    number = an_order(woocommerce, {"_order_total": "12", "_billing_email": "guest@example.com"})
    complete(woocommerce, number)
    link = invited(woocommerce)
    assert [note for note in notes(woocommerce, number) if link in note]
    assert "Add a wallet for them until" in seen(woocommerce, number)

    page = guest.open(link)
    assert (page.status_code, page.headers["Referrer-Policy"]) == (200, "no-referrer")
    for typed, said in (
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", "The wallet has a wrong checksum"),
        ("", "The wallet must be 0x and 40 hexadecimal digits."),
        (a_wallet("guest"), "Thank you. Tokens are sent to this wallet."),
    ):
        guest.select_form("form.ballx-later-wallet")
        guest["ballx_later_wallet"] = typed
        answered = guest.submit_selected()
        assert said in answered.text
        shown = answered.soup.select_one("input[name=ballx_later_wallet]")
        assert shown is None or shown["value"] == typed  # a digit is put right; 42 of them are not typed again
    late = guest.post(link, data={"ballx_later_wallet": a_wallet("thief")})

    assert "This order has its wallet." in late.text
    woocommerce.follow(str(number), "paid")
    assert (got(distributor, a_wallet("guest")), got(distributor, a_wallet("thief"))) == ([6 * 10**18], [])
    assert "Add a wallet" not in seen(woocommerce, number)


@pytest.mark.parametrize(
    "ending",
    [
        "update_post_meta( $id, '_ballx_wallet_until', (string) ( time() - 1 ) );",
        "wc_get_order( $id )->update_status( 'cancelled' );",
        "wc_create_refund( array( 'order_id' => $id, 'amount' => '12' ) );",
        "update_option( 'woocommerce_currency', 'EUR' ); update_post_meta( $id, '_order_currency', 'BRL' );",
    ],
)
def test_a_link_whose_order_is_over_takes_no_wallet(
    woocommerce: Shop, guest: mechanicalsoup.StatefulBrowser, ending: str
) -> None:
    """After its days, and for an order that is owed nothing any more."""
    number = an_order(woocommerce, {"_order_total": "12"})
    complete(woocommerce, number)
    link = invited(woocommerce)
    woocommerce.site.evaluate(ending, {"id": number})
    said = guest.post(link, data={"ballx_later_wallet": a_wallet("late-guest")}).text

    assert "The time for adding a wallet to this order is over." in said
    assert woocommerce.deliveries() == []


def test_a_link_that_nobody_signed_is_none(woocommerce: Shop, guest: mechanicalsoup.StatefulBrowser) -> None:
    """Another order's number, a cut link, nonsense."""
    number = an_order(woocommerce, {"_order_total": "12"})
    other = an_order(woocommerce, {"_order_total": "99"})
    complete(woocommerce, number)
    complete(woocommerce, other)
    link = invited(woocommerce)
    assert f"ballx_wallet={other}-" in link
    for wrong in (link.replace(f"={other}-", f"={number}-"), link[:-1], f"{woocommerce.site.url}/?ballx_wallet=x"):
        page = guest.post(wrong, data={"ballx_later_wallet": a_wallet("forger")})

        assert (page.status_code, "This link is not valid." in page.text) == (404, True)
    assert woocommerce.deliveries() == []


def test_wrong_links_of_one_network_are_bounded(woocommerce: Shop) -> None:
    """Trying costs the shop little, from whichever address; the counters hold no address, and the time ends it."""
    forget = "Ballx\\Distributor\\Woo\\LinkGuard::forget(); wp_cache_flush();"
    woocommerce.site.evaluate(forget)
    number = an_order(woocommerce, {"_order_total": "12"})
    complete(woocommerce, number)
    link = invited(woocommerce)
    wrong = [f"/?ballx_wallet={number}-{guess:040x}" for guess in range(20)]
    answers = [asked(woocommerce, path, "127.0.0.2") for path in wrong]
    bounded = [asked(woocommerce, path, "127.0.0.2") for path in (wrong[0], link.split("/", 3)[3])]
    counters = (
        "return $GLOBALS['wpdb']->get_col( \"SELECT option_name FROM wp_options WHERE option_name LIKE"
        " '_transient_ballx%wrong%'\" );"
    )
    counted = woocommerce.site.evaluate(counters)
    others = asked(woocommerce, link.split("/", 3)[3], "127.0.0.3")
    woocommerce.site.evaluate(forget)

    assert answers == [(404, None)] * 20
    assert bounded == [(429, "600")] * 2
    assert others == (200, None)
    assert len(counted) == 1
    assert re.fullmatch(r"_transient_ballx_wrong_\d{1,4}", counted[0])
    assert asked(woocommerce, link.split("/", 3)[3], "127.0.0.2") == (200, None)


def asked(shop: Shop, path: str, address: str) -> tuple[int, str | None]:
    """Look at a page from another *address* of this machine; return status and Retry-After."""
    site = urlsplit(shop.site.url)
    wire = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30, source_address=(address, 0))
    with closing(wire):
        wire.request("GET", "/" + path.lstrip("/"), headers={"Host": site.netloc})
        reply = wire.getresponse()
        return reply.status, reply.getheader("Retry-After")


def test_no_wallet_is_asked_for_where_the_owner_wants_none(woocommerce: Shop) -> None:
    """0 days: never; and the days of an order do not begin anew when it is completed once more."""
    woocommerce.set({"ballx_wallet_days": "0"})
    number = an_order(woocommerce, {"_order_total": "12"})
    complete(woocommerce, number)
    assert (invited(woocommerce), seen(woocommerce, number)) == ("", "")

    woocommerce.set({"ballx_wallet_days": "3"})
    complete(woocommerce, number)
    woocommerce.site.evaluate("update_post_meta( $id, '_ballx_wallet_until', '5000000000' );", {"id": number})
    complete(woocommerce, number)
    kept = woocommerce.site.evaluate("return get_post_meta( $id, '_ballx_wallet_until', true );", {"id": number})
    assert kept == "5000000000"


# Days of waiting --------------------------------------------------------------------------------------


def test_tokens_wait_for_the_chosen_days_and_a_refund_ends_them(
    woocommerce: Shop, distributor: Distributor, administrator: Administrator
) -> None:
    """Counted from the day the order was completed; the list says when, and a click sends at once."""
    woocommerce.set({"ballx_delay_days": "7"})
    refunded, sent = (
        an_order(woocommerce, {"_ballx_wallet": a_wallet(name), "_order_total": "12"})
        for name in ("wait-no", "wait-yes")
    )
    complete(woocommerce, refunded)
    complete(woocommerce, sent)
    due = [int(woocommerce.delivery(str(number))["due_at"] or 0) for number in (refunded, sent)]
    woocommerce.site.run_cron()

    assert all(abs(at - time.time() - 7 * DAY_S) < 300 for at in due)
    assert [delivery["attempts"] for delivery in woocommerce.deliveries()] == ["0", "0"]
    assert (
        "unless the order is refunded before." in administrator.open("/wp-admin/admin.php?page=ballx-deliveries").text
    )
    woocommerce.site.evaluate("wc_create_refund( array( 'order_id' => $id, 'amount' => '12' ) );", {"id": refunded})
    one = f"send_again:{woocommerce.delivery(str(sent))['id']}"
    administrator.open("/wp-admin/admin.php?page=ballx-deliveries")
    administrator.send_many("form:has(input[name=action][value=ballx_list])", [("ballx_one", one)])
    woocommerce.site.run_cron()

    assert woocommerce.delivery(str(refunded))["state"] == "stopped"
    assert woocommerce.delivery(str(sent))["state"] == "accepted"
    assert got(distributor, a_wallet("wait-no")) == []


def test_what_a_person_stopped_is_not_sent_when_its_order_is_completed_once_more(
    woocommerce: Shop, administrator: Administrator
) -> None:
    """Only a person sends it: by the order's own action."""
    number = an_order(woocommerce, {"_ballx_wallet": a_wallet("by-hand"), "_order_total": "12"})
    complete(woocommerce, number)
    one = f"stop:{woocommerce.delivery(str(number))['id']}"
    administrator.open("/wp-admin/admin.php?page=ballx-deliveries")
    administrator.send_many("form:has(input[name=action][value=ballx_list])", [("ballx_one", one)])
    complete(woocommerce, number)
    stopped = woocommerce.delivery(str(number))["state"]
    by_hand = "do_action( 'woocommerce_order_action_ballx_send', wc_get_order( $id ) );"
    woocommerce.site.evaluate(by_hand, {"id": number})

    assert (stopped, woocommerce.delivery(str(number))["state"]) == ("stopped", "waiting")


# What each order says ---------------------------------------------------------------------------------


def test_each_order_says_why_nothing_was_sent(woocommerce: Shop) -> None:
    """On its page in the administration, beside the wallet."""
    shown = "ob_start(); do_action( 'woocommerce_admin_order_data_after_billing_address', wc_get_order( $id ) );"
    shown += "return wp_strip_all_tags( ob_get_clean() );"
    early = an_order(woocommerce, {"_ballx_wallet": a_wallet("early"), "_order_total": "12"})
    nobody = an_order(woocommerce, {"_order_total": "12"})
    foreign = an_order(woocommerce, {"_ballx_wallet": a_wallet("yen"), "_order_total": "12", "_order_currency": "JPY"})
    said = [woocommerce.site.evaluate(shown, {"id": number}) for number in (early, nobody, foreign)]
    complete(woocommerce, early)
    sent = woocommerce.site.evaluate(shown, {"id": early})

    assert "Nothing was sent yet: tokens are sent when the order is Completed." in said[0]
    assert "There is no wallet, so no tokens were sent." in said[1]
    assert "The order is not in the shop's own currency" in said[2].replace("&#039;", "'")
    assert "Being sent." in sent


def test_the_test_says_how_many_of_the_latest_orders_would_be_sent_and_why_not_the_others(
    woocommerce: Shop, administrator: Administrator
) -> None:
    """Settings with which nothing is ever sent are seen before the first customer writes; nothing is sent by it."""
    woocommerce.site.evaluate(
        "array_map( 'wp_delete_post', get_posts( array( 'post_type' => 'shop_order', 'numberposts' => -1,"
        " 'fields' => 'ids',"
        " 'post_status' => array_merge( array_keys( wc_get_order_statuses() ), array( 'trash' ) ) ) ),"
        " array_fill( 0, 999, true ) );"
    )
    wallet = a_wallet("rehearsal")
    for total in range(9):
        number = an_order(woocommerce, {"_ballx_wallet": wallet, "_order_total": str(total + 1)})
        woocommerce.site.evaluate(
            "wp_update_post( array( 'ID' => $id, 'post_status' => 'wc-completed' ) );", {"id": number}
        )
    nobody = an_order(woocommerce, {"_order_total": "12"})
    early = an_order(woocommerce, {"_ballx_wallet": wallet, "_order_total": "12"})
    text = administrator.press("/wp-admin/admin.php?page=ballx-settings", "ballx_test").text

    assert "Of the latest 10 orders, 8 would be sent as the settings are now." in text
    assert f"#{nobody}: There is no wallet" in text
    assert f"#{early}: Nothing was sent yet: tokens are sent when the order is Completed." in text
    assert woocommerce.deliveries() == []
