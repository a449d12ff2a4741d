"""What stays of a customer who wants to be forgotten, and of a plugin that is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.wordpress import site as wordpress_site
from devstack.wordpress.database import Database
from devstack.wordpress.parts import Parts
from devstack.wordpress.shop import Shop
from devstack.wordpress.site import PLUGIN_FILE, Site
from tests.wordpress.admin import Administrator
from tests.wordpress.test_orders import a_wallet

MAIL = "customer@example.com"
SECRET = "a-secret-of-wp-config"
REMAINS = """
global $wpdb;
return array_merge(
    $wpdb->get_col( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE '%ballx%'" ),
    $wpdb->get_col( "SELECT meta_key FROM {$wpdb->usermeta} WHERE meta_key LIKE '%ballx%'" ),
    $wpdb->get_col( "SHOW TABLES LIKE '%ballx%'" ),
    array_filter( array_keys( array_merge( ...array_values( array_filter( _get_cron_array(), 'is_array' ) ) ) ),
        fn( $hook ) => str_contains( $hook, 'ballx' ) )
);
"""


@pytest.fixture
def another_site(parts: Parts, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A WordPress of its own, whose wp-config.php says where the distributor is and what the secret is."""
    constants = {"BALLX_WEBHOOK_URL": "https://example.com/webhook", "BALLX_WEBHOOK_SECRET": SECRET}
    with wordpress_site.site(parts, database, tmp_path_factory.mktemp("another"), constants=constants) as started:
        yield started


def call(shop: Shop, kind: str) -> Any:
    """Run the plugin's exporter or eraser for the customer, as WordPress's privacy tools do."""
    code = (
        "$all = apply_filters( 'wp_privacy_personal_data_' . $kind, array() );"
        "return ( $all['ballx-distributor']['callback'] )( $mail, 1 );"
    )
    return shop.site.evaluate(code, {"kind": kind, "mail": MAIL})


def test_a_customer_gets_a_copy_and_is_forgotten(shop: Shop) -> None:
    """What is still on its way is kept until it ended; then nothing names the customer any more."""
    wallet = a_wallet("privacy")
    too_precise = "0.0000000000000000001"
    shop.place({"order_id": "PRIVACY-1", "wallet": wallet, "amount": too_precise, "email": MAIL})
    too_early = call(shop, "erasers")
    shop.let_time_pass()
    assert shop.delivery("PRIVACY-1")["state"] == "refused"
    exported = call(shop, "exporters")
    erased = call(shop, "erasers")

    assert (too_early["items_removed"], too_early["items_retained"]) == (False, True)
    (item,) = exported["data"]
    assert {"name": "Wallet", "value": wallet} in item["data"]
    assert (erased["items_removed"], erased["items_retained"], erased["done"]) == (True, False, True)
    left = shop.delivery("PRIVACY-1")
    assert (left["email"], left["wallet"], left["body"]) == ("", "", "")
    assert call(shop, "exporters")["data"] == []


def test_constants_of_wp_config_go_first_and_a_deleted_plugin_leaves_nothing(another_site: Site) -> None:
    """The owner cannot type over a constant, and its value is in no page; "Delete" takes everything."""
    shop = Shop(site=another_site)
    shop.place({"order_id": "LAST-1", "wallet": a_wallet("last"), "amount": "1"})
    with Administrator(another_site.url, another_site.password) as administrator:
        page = administrator.open("/wp-admin/admin.php?page=ballx-settings")
    before = another_site.evaluate(REMAINS)
    another_site.evaluate(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php';"
        "deactivate_plugins( $plugin ); uninstall_plugin( $plugin );",
        {"plugin": PLUGIN_FILE},
    )

    assert page.html.count("Set in wp-config.php") == 2
    assert 'name="ballx_webhook_secret"' not in page.html
    assert SECRET not in page.html
    assert {"wp_ballx_deliveries", "ballx_webhook_url", "ballx_work", "ballx_sweep"} <= set(before)
    assert another_site.evaluate(REMAINS) == []
