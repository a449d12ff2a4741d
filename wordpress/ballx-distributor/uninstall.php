<?php

/**
 * Deleting the plugin deletes what it stored: deliveries, settings, wallets.
 */

declare(strict_types=1);

use Ballx\Distributor\CallBacks;
use Ballx\Distributor\CustomerWallet;
use Ballx\Distributor\Notices;
use Ballx\Distributor\Problems;
use Ballx\Distributor\Scheduler;
use Ballx\Distributor\Schema;
use Ballx\Distributor\Settings;
use Ballx\Distributor\Trial;
use Ballx\Distributor\Woo\LaterWallet;
use Ballx\Distributor\Woo\Letters;
use Ballx\Distributor\Woo\LinkGuard;
use Ballx\Distributor\Woo\Orders;
use Ballx\Distributor\Woo\Tree;

defined('WP_UNINSTALL_PLUGIN') || exit;

require_once __DIR__ . '/src/autoload.php';

/** Take the wallets out of our notes in the orders. What was sent stays there: it is the shop's account. */
$ballx_forget_notes = static function (): void {
    global $wpdb;
    $last = 0;
    do {
        $sql = "SELECT comment_ID, comment_content FROM {$wpdb->comments} WHERE comment_ID > %d"
            . " AND comment_type = 'order_note' AND comment_content LIKE %s ORDER BY comment_ID LIMIT 500";
        $notes = $wpdb->get_results($wpdb->prepare($sql, $last, 'BALLX: %0x%'));
        foreach ($notes as $note) {
            $last = (int) $note->comment_ID;
            $without = preg_replace('/0x[0-9a-fA-F]{40}(?![0-9a-fA-F])/', '…', $note->comment_content);
            $wpdb->update($wpdb->comments, ['comment_content' => $without], ['comment_ID' => $last]);
        }
    } while ($notes !== []);
};

/** Delete what this site stored. */
$ballx_forget_site = static function () use ($ballx_forget_notes): void {
    global $wpdb;
    Scheduler::stop();
    Scheduler::forget();
    Schema::drop();
    Settings::remove();
    Problems::forget();
    Trial::forget();
    LinkGuard::forget();
    array_map(delete_option(...), [Letters::SINCE, Letters::OPTION, CallBacks::LAST]);
    $ballx_meta = [
        Orders::WALLET_META,
        CustomerWallet::BLOCK_COPY,
        LaterWallet::UNTIL_META,
        Tree::LOST_META,
        Tree::FORMER_META,
    ];
    array_map(delete_post_meta_by_key(...), $ballx_meta);
    $ballx_forget_notes();
    $orders_meta = $wpdb->prefix . 'wc_orders_meta';
    if ($wpdb->get_var($wpdb->prepare('SHOW TABLES LIKE %s', $wpdb->esc_like($orders_meta))) === $orders_meta) {
        array_map(fn (string $key) => $wpdb->delete($orders_meta, ['meta_key' => $key]), $ballx_meta);
    }
};

if (is_multisite()) {
    foreach (get_sites(['fields' => 'ids', 'number' => 0]) as $ballx_site) {
        switch_to_blog($ballx_site);
        $ballx_forget_site();
        restore_current_blog();
    }
} else {
    $ballx_forget_site();
}
delete_metadata('user', 0, CustomerWallet::USER_META, '', true);
delete_metadata('user', 0, CustomerWallet::BLOCK_COPY, '', true);
delete_metadata('user', 0, Notices::HIDDEN_META, '', true);
