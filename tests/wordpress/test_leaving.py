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
from tests.wordpress.conftest import STAND_IN
from tests.wordpress.test_orders import a_wallet

MAIL = "customer@example.com"
SECRET = "a-secret-of-wp-config"
STAND_INS = [STAND_IN, STAND_IN.with_name("action-scheduler-stand-in.php")]
EVERYWHERE = """
global $wpdb;
$order = wp_insert_post( array( 'post_type' => 'shop_order', 'post_status' => 'wc-processing', 'meta_input' => array(
    '_ballx_wallet' => $wallet, '_wc_other/ballx-distributor/wallet' => $wallet, '_order_total' => '10',
    '_billing_email' => $mail ) ) );
update_user_meta( 1, 'ballx_wallet', $wallet );
update_user_meta( 1, '_wc_other/ballx-distributor/wallet', $wallet );
$wpdb->query( "CREATE TABLE {$wpdb->prefix}wc_orders_meta ( id bigint NOT NULL auto_increment PRIMARY KEY,"
    . ' order_id bigint, meta_key varchar(255), meta_value text )' );
foreach ( array( '_ballx_wallet', '_wc_other/ballx-distributor/wallet', '_another' ) as $key ) {
    $row = array( 'order_id' => 9, 'meta_key' => $key, 'meta_value' => $wallet );
    $wpdb->insert( $wpdb->prefix . 'wc_orders_meta', $row );
}
set_transient( 'ballx_test_1', array( array( 'error', 'never shown' ) ), 300 );
wc_get_order( $order )->update_status( 'completed' );
wc_get_order( $order )->add_order_note( "BALLX: Paid · 5 BALLX → $wallet · 0x" . str_repeat( 'ab', 32 ) );
as_unschedule_all_actions( 'ballx_work' ); // one that is called off stays in Action Scheduler's table
as_schedule_single_action( time() + 60, 'ballx_work', array( time() + 60 ), 'ballx-distributor' );
as_schedule_single_action( time() + 60, 'another_hook', array(), 'another' );
"""
REMAINS = """
global $wpdb;
wp_cache_flush();
return array_merge(
    $wpdb->get_col( "SELECT meta_key FROM {$wpdb->postmeta} WHERE meta_key LIKE '%ballx%'" ),
    $wpdb->get_col( "SELECT meta_key FROM {$wpdb->prefix}wc_orders_meta WHERE meta_key LIKE '%ballx%'" ),
    $wpdb->get_col( "SELECT hook FROM {$wpdb->prefix}actionscheduler_actions WHERE hook LIKE '%ballx%'" ),
    $wpdb->get_col( "SELECT slug FROM {$wpdb->prefix}actionscheduler_groups WHERE slug LIKE '%ballx%'" ),
    $wpdb->get_col( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE '%ballx%'" ),
    $wpdb->get_col( "SELECT comment_content FROM {$wpdb->comments}"
        . " WHERE comment_content REGEXP '0x[0-9a-fA-F]{40}($|[^0-9a-fA-F])'" ),
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
    folder = tmp_path_factory.mktemp("another")
    with wordpress_site.site(parts, database, folder, constants=constants, additions=STAND_INS) as started:
        yield started


def call(shop: Shop, kind: str, name: str = "ballx-distributor", page: int = 1) -> Any:
    """Run the plugin's exporter or eraser for the customer, as WordPress's privacy tools do."""
    code = (
        "$all = apply_filters( 'wp_privacy_personal_data_' . $kind, array() );"
        "return ( $all[ $name ]['callback'] )( $mail, $page );"
    )
    return shop.site.evaluate(code, {"kind": kind, "mail": MAIL, "name": name, "page": page})


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
    shop.set({"woocommerce_stand_in": "1", "ballx_rate": "0.5"})
    another_site.evaluate(EVERYWHERE, {"wallet": a_wallet("everywhere"), "mail": MAIL})
    before = another_site.evaluate(REMAINS)
    another_site.evaluate(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php';"
        "deactivate_plugins( $plugin ); uninstall_plugin( $plugin );",
        {"plugin": PLUGIN_FILE},
    )

    assert page.html.count("Set in wp-config.php") == 2
    assert 'name="ballx_webhook_secret"' not in page.html
    assert SECRET not in page.html
    assert {"wp_ballx_deliveries", "ballx_webhook_url", "ballx_work", "ballx_sweep", "_ballx_wallet"} <= set(before)
    assert {"_wc_other/ballx-distributor/wallet", "_transient_ballx_test_1", "ballx-distributor"} <= set(before)
    assert another_site.evaluate(REMAINS) == []
    kept = (
        'global $wpdb; return array( $wpdb->get_col( "SELECT hook FROM {$wpdb->prefix}actionscheduler_actions" ),'
        ' $wpdb->get_col( "SELECT meta_key FROM {$wpdb->prefix}wc_orders_meta" ),'
        ' $wpdb->get_col( "SELECT comment_content FROM {$wpdb->comments}"'
        " . \" WHERE comment_content LIKE 'BALLX: Paid%'\" ) );"
    )
    note = f"BALLX: Paid · 5 BALLX → … · 0x{'ab' * 32}"  # what was paid stays in the shop's accounts
    assert another_site.evaluate(kept) == [["another_hook"], ["_another"], [note]]


@pytest.fixture
def a_network(another_site: Site) -> Site:
    """A network of two sites, the plugin active on both; each has its own tables."""
    another_site.evaluate(
        "foreach ( array( 'upgrade', 'network' ) as $part ) { require_once ABSPATH . \"wp-admin/includes/$part.php\"; }"
        "foreach ( $GLOBALS['wpdb']->tables( 'ms_global' ) as $name => $table ) { $GLOBALS['wpdb']->$name = $table; }"
        "install_network(); populate_network( 1, 'localhost', 'admin@example.com', 'Network', '/', false );"
    )
    config = another_site.root / "wp-config.php"
    network = (
        "define( 'MULTISITE', true ); define( 'SUBDOMAIN_INSTALL', false ); define( 'PATH_CURRENT_SITE', '/' );"
        "define( 'DOMAIN_CURRENT_SITE', 'localhost' ); define( 'SITE_ID_CURRENT_SITE', 1 );"
        "define( 'BLOG_ID_CURRENT_SITE', 1 ); $_SERVER['HTTP_HOST'] = $_SERVER['HTTP_HOST'] ?? 'localhost';\n"
    )
    config.write_text(config.read_text("utf-8").replace("$table_prefix", network + "$table_prefix"), "utf-8")
    another_site.evaluate(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins( $plugin );"
        "wpmu_create_blog( 'localhost', '/two/', 'Two', 1 ); activate_plugin( $plugin, '', true );",
        {"plugin": PLUGIN_FILE},
    )
    return another_site


def test_a_plugin_deleted_from_a_network_leaves_nothing_on_any_site(a_network: Site) -> None:
    """Tables, settings and events of the second site too."""
    on_both = (
        "$found = array(); foreach ( array( 1, 2 ) as $site ) { switch_to_blog( $site );"
        "$install = new ReflectionMethod( Ballx\\Distributor\\Plugin::class, 'install' ); $install->invoke( null );"
        "restore_current_blog(); }"
    )
    a_network.evaluate(on_both)
    tables = "return $GLOBALS['wpdb']->get_col( \"SHOW TABLES LIKE '%ballx%'\" );"
    options = (
        "return $GLOBALS['wpdb']->get_col( \"SELECT option_name FROM wp_2_options WHERE option_name LIKE '%ballx%'\" );"
    )
    before = a_network.evaluate(tables)
    a_network.evaluate(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php';"
        "deactivate_plugins( $plugin ); uninstall_plugin( $plugin );",
        {"plugin": PLUGIN_FILE},
    )

    assert before == ["wp_2_ballx_deliveries", "wp_ballx_deliveries"]
    assert (a_network.evaluate(tables), a_network.evaluate(options)) == ([], [])


def test_erasing_takes_the_wallet_out_of_the_customers_orders_and_notes(shop: Shop) -> None:
    """The block checkout's copy as well; the order itself is WooCommerce's to keep or erase."""
    shop.set({"woocommerce_stand_in": "1", "woocommerce_currency": "BRL", "ballx_rate": "0.5"})
    wallet = a_wallet("erased")
    number = shop.site.evaluate(
        "$id = wp_insert_post( array( 'post_type' => 'shop_order', 'post_status' => 'wc-processing',"
        " 'meta_input' => array( '_ballx_wallet' => $wallet, '_order_total' => '10', '_billing_email' => $mail ) ) );"
        "wc_get_order( $id )->update_status( 'completed' );"
        "add_post_meta( $id, '_wc_other/ballx-distributor/wallet', $wallet ); return $id;",
        {"wallet": wallet, "mail": MAIL},
    )
    shop.follow(str(number), "paid")
    places = (
        "return array( get_post_meta( $id, '_ballx_wallet', true ), get_post_meta( $id, $copy, true ),"
        " implode( ' ', wp_list_pluck( wc_get_order_notes( array( 'order_id' => $id ) ), 'content' ) ) );"
    )
    arguments = {"id": number, "copy": "_wc_other/ballx-distributor/wallet"}
    before = shop.site.evaluate(places, arguments)
    erased = call(shop, "erasers")
    after = shop.site.evaluate(places, arguments)
    shop.set({"woocommerce_stand_in": "", "ballx_rate": ""})

    assert (before[0], wallet in before[2]) == (wallet, True)
    assert (erased["items_removed"], erased["items_retained"]) == (True, False)
    assert (after[0], after[1], wallet in after[2]) == ("", "", False)


def test_erasing_takes_the_wallet_out_of_orders_that_sent_nothing(shop: Shop) -> None:
    """Cancelled before it was sent, the wallet stood in the order for good; one that may still be sent keeps it."""
    shop.set({"woocommerce_stand_in": "1", "woocommerce_currency": "BRL", "ballx_rate": "0.5"})
    orders = {
        "cancelled": {"_billing_email": MAIL},
        "refunded": {"_customer_user": "1"},
        "processing": {"_billing_email": MAIL},
        "failed": {"_billing_email": "another@example.com"},
    }
    place = (
        "return wp_insert_post( array( 'post_type' => 'shop_order', 'post_status' => 'wc-' . $status,"
        " 'meta_input' => array( '_ballx_wallet' => $wallet, '_order_total' => '10' ) + $meta ) );"
    )
    numbers = {
        status: shop.site.evaluate(place, {"status": status, "wallet": a_wallet("silent"), "meta": meta})
        for status, meta in orders.items()
    }
    shop.site.evaluate("wp_update_user( array( 'ID' => 1, 'user_email' => $mail ) );", {"mail": MAIL})

    erased = call(shop, "erasers", "ballx-distributor-orders")
    left = [
        status
        for status, number in numbers.items()
        if shop.site.evaluate("return get_post_meta( $id, '_ballx_wallet', true );", {"id": number})
    ]
    again = call(shop, "erasers", "ballx-distributor-orders", page=2)
    shop.site.evaluate("wp_update_user( array( 'ID' => 1, 'user_email' => 'admin@example.com' ) );")
    shop.set({"woocommerce_stand_in": "", "ballx_rate": ""})

    assert left == ["processing", "failed"]
    assert (erased["items_removed"], erased["items_retained"], erased["done"]) == (True, True, True)
    assert ["Erase again" in message for message in erased["messages"]] == [True]
    assert again == {"items_removed": False, "items_retained": False, "messages": [], "done": True}


def test_search_and_replace_in_a_copied_database_hides_no_copy(shop: Shop) -> None:
    """It rewrites every address it finds; what is kept of the shop's own is no text of it."""
    copied = shop.site.evaluate(
        "global $wpdb; $old = preg_replace( '~^https?://~', '', get_option( 'home' ) ); $new = 'staging.example';"
        "$replace = function ( $from, $to ) use ( $wpdb ) { $wpdb->query( $wpdb->prepare("
        '    "UPDATE {$wpdb->options} SET option_value = REPLACE( option_value, %s, %s )", $from, $to ) );'
        "    wp_cache_flush(); };"
        "$replace( $old, $new ); add_filter( 'option_home', fn() => 'https://' . $new, 99 );"
        "$copied = ( new Ballx\\Distributor\\Settings() )->isCopy(); remove_all_filters( 'option_home', 99 );"
        "$replace( $new, $old ); return array( $copied, ( new Ballx\\Distributor\\Settings() )->isCopy() );"
    )

    assert copied == [True, False]
