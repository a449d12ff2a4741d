"""The list of deliveries, used as a shop's owner uses it: views, search, many at once, a file."""

from __future__ import annotations

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from devstack.wordpress.shop import Shop
from tests.integration.hosted import until
from tests.wordpress.admin import Administrator
from tests.wordpress.conftest import Distributor
from tests.wordpress.test_orders import a_wallet, got
from tests.wordpress.test_trouble import a_stranger

LIST = "/wp-admin/admin.php?page=ballx-deliveries"
FORM = "form:has(input[name=action][value=ballx_list])"
STATES: dict[str, dict[str, str | int]] = {
    "L-PAID": {"state": "accepted", "status": "paid", "tx_hash": "0x" + "ab" * 32},
    "L-HELD": {"state": "accepted", "status": "held", "needs_look": 1, "due_at": 2**32},
    "L-REFUSED": {"state": "refused", "error_code": "wallet_forbidden", "http_status": 422, "needs_look": 1},
    "L-VAIN": {"state": "given_up", "error_code": "no_answer", "needs_look": 1},
    "L-WAITS": {"attempts": 2, "error_code": "no_answer"},
    "L-FRESH": {"attempts": 0},
}
ASKED = {
    "": ["L-FRESH", "L-WAITS", "L-VAIN", "L-REFUSED", "L-HELD", "L-PAID"],
    "&ballx_view=look": ["L-VAIN", "L-REFUSED", "L-HELD"],
    "&ballx_view=waiting": ["L-FRESH", "L-WAITS"],
    "&ballx_view=underway": ["L-HELD"],
    "&ballx_view=paid": ["L-PAID"],
    "&ballx_view=unpaid": ["L-VAIN", "L-REFUSED"],
    "&ballx_view=waiting&s=fresh": ["L-FRESH"],
    "&s=L-VAIN%40example.com": ["L-VAIN"],
    "&s=" + "ab" * 32: ["L-PAID"],
    "&s=%25": [],
    "&s=%C3%A7%F0%9F%98%80": [],
    "&s=' OR 1=1 --": [],
    "&ballx_view=1 OR 1": ["L-FRESH", "L-WAITS", "L-VAIN", "L-REFUSED", "L-HELD", "L-PAID"],
}


PLACED = """
foreach ( $states as $id => $row ) {
    $of = array( 'order_id' => $id, 'wallet' => $wallets[ $id ], 'email' => "$id@example.com" );
    ballx_distribute( $of + array( 'amount' => '1.5' ) );
    $due = isset( $row['state'] ) ? null : time() + 600;
    $GLOBALS['wpdb']->update( 'wp_ballx_deliveries', $row + array( 'due_at' => $due ), array( 'order_id' => $id ) );
}
wp_unschedule_hook( 'ballx_work' );
"""


@pytest.fixture
def listed(shop: Shop) -> Shop:
    """The shop with a delivery in each state; nothing of it is sent, because nobody lets time pass."""
    shop.site.evaluate(PLACED, {"states": STATES, "wallets": {name: a_wallet(name) for name in STATES}})
    return shop


def rows(html: str) -> list[str]:
    """Return the order ids of the lines, from above."""
    return re.findall(r'name="ids\[\]" value="\d+" aria-label="([^"]+)"', html)


def numbers(shop: Shop) -> dict[str, str]:
    """Return the number of each delivery by its order id."""
    return {str(delivery["order_id"]): str(delivery["id"]) for delivery in shop.deliveries()}


@pytest.mark.usefixtures("listed")
def test_views_and_search_show_what_is_asked_for(administrator: Administrator) -> None:
    """By order, e-mail, wallet or transaction, within a view; what is typed is never SQL."""
    found = {asked: rows(administrator.open(LIST + asked).html) for asked in ASKED}
    text = administrator.open(LIST).text

    assert found == ASKED
    assert ("All (6)" in text, "To look at (3)" in text) == (True, True)


@pytest.mark.usefixtures("listed")
def test_each_line_says_what_to_do_in_the_owners_words(administrator: Administrator) -> None:
    """And not only HTTP 422 and a code; those are there for the operator, below."""
    text = administrator.open(LIST).text

    assert "Refused The wallet cannot be paid. Correct it in the order, then send again." in text
    assert "Not reached The distributor could not be reached for more than a day." in text
    assert "Held A person at the distributor has to decide. Give the operator the order id." in text
    assert "Being sent The distributor does not answer as it should; tried 2 times." in text
    assert f"{a_wallet('L-REFUSED')} · HTTP 422 · X-Error-Code: wallet_forbidden" in text


def test_many_are_stopped_and_sent_again_at_once(
    listed: Shop, distributor: Distributor, administrator: Administrator
) -> None:
    """What is in no state for it is left as it is, and the number of those is said."""
    of = numbers(listed)
    administrator.open(LIST)
    ticked = [("ids[]", of[name]) for name in ("L-FRESH", "L-WAITS", "L-PAID")]
    stopped = administrator.send_many(FORM, [("ballx_bulk", "stop"), *ticked])

    assert "Done for 2 deliveries. 1 were left as they are" in stopped.text
    fresh, waits = listed.delivery("L-FRESH"), listed.delivery("L-WAITS")
    assert (fresh["state"], fresh["error_code"], fresh["needs_look"]) == ("stopped", "stopped_by_person", "0")
    assert (waits["state"], waits["error_code"], waits["needs_look"]) == ("stopped", "stopped_late", "1")
    listed.let_time_pass()
    assert got(distributor, a_wallet("L-FRESH")) == []

    administrator.open(LIST)
    again = [("ids[]", of[name]) for name in ("L-FRESH", "L-WAITS", "L-VAIN")]
    assert "Done for 3 deliveries." in administrator.send_many(FORM, [("ballx_bulk", "send_again"), *again]).text
    for name in ("L-FRESH", "L-WAITS", "L-VAIN"):
        listed.follow(name, "paid")
        assert len(got(distributor, a_wallet(name))) == 1


def test_a_button_of_a_line_is_for_that_line(listed: Shop, administrator: Administrator) -> None:
    """Also when other lines are ticked."""
    of = numbers(listed)
    page = administrator.open(LIST)
    ticked = [("ids[]", of["L-WAITS"])]
    administrator.send_many(FORM, [("ballx_one", f"stop:{of['L-FRESH']}"), *ticked])

    assert f'value="stop:{of["L-FRESH"]}"' in page.html
    assert f'value="stop:{of["L-PAID"]}"' not in page.html
    assert f'value="send_again:{of["L-HELD"]}"' not in page.html
    assert (listed.delivery("L-FRESH")["state"], listed.delivery("L-WAITS")["state"]) == ("stopped", "waiting")


def test_without_the_nonce_nothing_is_stopped(listed: Shop, administrator: Administrator) -> None:
    """Nor exported."""
    fields = {"action": "ballx_list", "ballx_bulk": "stop", "ids[]": numbers(listed)["L-FRESH"], "_wpnonce": "0"}

    assert administrator.post("/wp-admin/admin-post.php", fields).status == 403
    assert administrator.open("/wp-admin/admin-post.php?action=ballx_export").status == 403
    assert listed.delivery("L-FRESH")["state"] == "waiting"


def test_what_was_stopped_on_its_way_and_was_taken_is_told(shop: Shop, administrator: Administrator) -> None:
    """The answer comes after the click: that the distributor took it is known then, and not thrown away."""
    answer, go = b'{"order_id": "L-LATE", "status": "received"}', Event()
    with a_stranger(202, {"Content-Type": "application/json"}, body=answer, go=go) as stranger:
        shop.set({"ballx_webhook_url": stranger.url})
        shop.place({"order_id": "L-LATE", "wallet": a_wallet("late"), "amount": "1"})
        with ThreadPoolExecutor(1) as sending:
            sent = sending.submit(shop.site.evaluate, "do_action( 'ballx_work' );")
            until(lambda: stranger.asked, timeout_s=60)
            administrator.open(LIST)
            administrator.send_many(FORM, [("ballx_one", f"stop:{numbers(shop)['L-LATE']}")])
            stopped = shop.delivery("L-LATE")
            go.set()
            sent.result()
    taken = shop.delivery("L-LATE")

    assert (stopped["state"], stopped["error_code"]) == ("stopped", "stopped_late")
    assert (taken["state"], taken["status"], taken["needs_look"]) == ("accepted", "received", "1")


def test_the_file_holds_what_the_list_shows(listed: Shop, administrator: Administrator) -> None:
    """The view and the search, in columns; a cell that begins like a formula is text."""
    listed.site.evaluate(
        "$GLOBALS['wpdb']->update( 'wp_ballx_deliveries', array( 'request_id' => '=1+1' ),"
        " array( 'order_id' => 'L-VAIN' ) );"
    )
    page = administrator.open(f"{LIST}&ballx_view=unpaid&s=L-")
    found = re.search(r'class="page-title-action" href="([^"]+)"', page.html)
    assert found
    address = found[1].replace("&#038;", "&").replace("&amp;", "&")
    file = administrator.open(address[address.index("/wp-admin/") :])
    lines = list(csv.DictReader(io.StringIO(file.html.removeprefix("\ufeff"))))

    assert file.html.startswith("\ufeff")
    assert [line["order_id"] for line in lines] == ["L-VAIN", "L-REFUSED"]
    assert (lines[0]["request_id"], lines[1]["error_code"]) == ("'=1+1", "wallet_forbidden")
    assert lines[1]["what_to_do"].startswith("The wallet cannot be paid.")


def test_no_form_is_in_a_paragraph(listed: Shop, administrator: Administrator) -> None:
    """A browser ends the paragraph there, and the page is drawn otherwise than it was written."""
    listed.set({"ballx_problems": "", "ballx_webhook_secret": ""})
    for path in ("/wp-admin/", LIST, "/wp-admin/admin.php?page=ballx-settings"):
        html = administrator.open(path).html

        assert "<form" in html
        assert [part for part in re.findall(r"<p\b[^>]*>.*?</p>", html, re.DOTALL) if "<form" in part] == []


def test_a_missing_setting_is_put_away_for_a_week_and_another_is_not(shop: Shop, administrator: Administrator) -> None:
    """By each user for themselves; a copied shop cannot be put away."""
    shop.set({"ballx_webhook_secret": ""})
    assert "The webhook secret is missing." in administrator.open("/wp-admin/").text
    administrator.press("/wp-admin/", "ballx_hide")
    hidden = administrator.open("/wp-admin/").text
    shop.set({"ballx_webhook_url": ""})
    other = administrator.open("/wp-admin/").text
    shop.set({"ballx_home": "elsewhere.example", "ballx_webhook_url": "https://example.com/webhook"})
    shop.set({"ballx_webhook_secret": "s" * 16})
    copied = administrator.open("/wp-admin/")
    shop.site.evaluate("delete_option( 'ballx_home' ); Ballx\\Distributor\\Settings::install();")

    assert "The webhook secret is missing." not in hidden
    assert "The webhook address is missing." in other
    assert 'value="ballx_hide"' not in copied.html


def test_the_list_of_plugins_links_to_the_settings(shop: Shop, administrator: Administrator) -> None:
    """Where an owner looks after activating it."""
    html = administrator.open("/wp-admin/plugins.php").html

    assert re.search(r'<a href="[^"]*page=ballx-settings">Settings</a>', html)
    assert "By BALLX" in administrator.open("/wp-admin/plugins.php").text
    assert shop.deliveries() == []
