<?php

/**
 * A wallet that a customer adds after the order.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\Settings;

defined('ABSPATH') || exit;

/**
 * An order whose tokens had no wallet stays open for one for some days. Whoever has the signed link may add it: the
 * customer in the account, a guest from the e-mail of the order. Once there is a wallet the link does nothing more.
 */
final class LaterWallet
{
    public const UNTIL_META = '_ballx_wallet_until';
    public const QUERY = 'ballx_wallet';

    public function __construct(private readonly Orders $orders, private readonly Settings $settings)
    {
    }

    public function listen(): void
    {
        add_action('ballx_order_not_sent', $this->open(...), 10, 2);
        add_action('woocommerce_email_after_order_table', $this->invite(...), 10, 3);
    }

    /** Begin the days when $order first has no wallet; they are not begun anew. */
    private function open(\WC_Order $order, string $problem): void
    {
        $days = $this->settings->days('ballx_wallet_days');
        if ($problem !== 'no_wallet' || $days === 0 || $order->meta_exists(self::UNTIL_META)) {
            return;
        }
        $order->update_meta_data(self::UNTIL_META, (string) (time() + $days * DAY_IN_SECONDS));
        $order->save();
        /* translators: 1: day, 2: address of a page */
        $note = __('The customer may add a wallet until %1$s: %2$s', 'ballx-distributor');
        $order->add_order_note('BALLX: ' . sprintf($note, $this->until($order), $this->link($order)));
    }

    /** Tell whether a wallet is still missing, and its days are not over. */
    public function isOpen(\WC_Order $order): bool
    {
        return (int) $order->get_meta(self::UNTIL_META) > time() && $this->orders->wants($order);
    }

    /** Return the last day, in the site's language. */
    public function until(\WC_Order $order): string
    {
        return (string) wp_date((string) get_option('date_format'), (int) $order->get_meta(self::UNTIL_META));
    }

    public function link(\WC_Order $order): string
    {
        return add_query_arg(self::QUERY, $order->get_id() . '-' . self::signature($order), home_url('/'));
    }

    /** Return the order that the link with $text is of, null when nobody signed that. */
    public function order(string $text): ?\WC_Order
    {
        $whole = preg_match('/\A([0-9]{1,18})-([0-9a-f]{40})\z/', $text, $found) === 1;
        [, $id, $signature] = $whole ? $found : ['', '0', ''];
        $order = $whole ? wc_get_order((int) $id) : false;
        return $order instanceof \WC_Order && hash_equals(self::signature($order), $signature) ? $order : null;
    }

    /** The order's key is in it, so that the number of an order tells nobody its link. */
    private static function signature(\WC_Order $order): string
    {
        $signed = 'ballx-wallet|' . $order->get_id() . '|' . $order->get_order_key();
        return substr(hash_hmac('sha256', $signed, wp_salt('auth')), 0, 40);
    }

    /**
     * Put the link below the order in the customer's letters while it is open.
     *
     * The order is read anew: the letter gets the object of before its status changed (WooCommerce 10.0).
     */
    private function invite(mixed $order, bool $toAdmin, bool $plain): void
    {
        $order = $order instanceof \WC_Order ? wc_get_order($order->get_id()) : $order;
        if ($toAdmin || !$order instanceof \WC_Order || !$this->isOpen($order)) {
            return;
        }
        /* translators: %s: day */
        $text = sprintf(__('Your order earns BALLX tokens. Add a wallet for them until %s:', 'ballx-distributor'), $this->until($order));
        if ($plain) {
            echo "\n", esc_html($text), "\n", esc_url($this->link($order)), "\n\n";
            return;
        }
        echo '<p>', esc_html($text), ' <a href="', esc_url($this->link($order)), '">',
            esc_html__('Add a wallet', 'ballx-distributor'), '</a></p>';
    }
}
