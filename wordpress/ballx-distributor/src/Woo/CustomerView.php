<?php

/**
 * What the customer sees of an order's tokens.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\Delivery;
use Ballx\Distributor\ExplorerLink;
use Ballx\Distributor\Sentences;
use Ballx\Distributor\Settings;
use Ballx\Distributor\State;
use Ballx\Distributor\Wallet;

defined('ABSPATH') || exit;

/**
 * Below the order, after the purchase and in "My account", and a column in its list of orders.
 */
final class CustomerView
{
    private const COLUMN = 'ballx';

    public function __construct(
        private readonly Orders $orders,
        private readonly LaterWallet $later,
        private readonly Settings $settings,
    ) {
    }

    public function listen(): void
    {
        add_action('woocommerce_order_details_after_order_table', $this->show(...));
        add_filter('woocommerce_account_orders_columns', self::withColumn(...));
        add_action('woocommerce_my_account_my_orders_column_' . self::COLUMN, $this->cell(...));
    }

    /**
     * @param array<string, string> $columns
     * @return array<string, string> with ours before the buttons, which come last
     */
    private static function withColumn(array $columns): array
    {
        $actions = array_intersect_key($columns, ['order-actions' => 1]);
        $label = __('Tokens', 'ballx-distributor');
        return array_diff_key($columns, $actions) + [self::COLUMN => $label] + $actions;
    }

    private function cell(\WC_Order $order): void
    {
        $delivery = $this->orders->delivery($order);
        if ($delivery !== null && self::isShown($delivery)) {
            echo esc_html($delivery->amount . ' BALLX'), '<br><small>', esc_html(Sentences::forCustomer($delivery)),
                ' ', wp_kses_post(ExplorerLink::html($delivery, $this->settings)), '</small>';
        } elseif ($this->later->isOpen($order)) {
            echo '<a href="', esc_url($order->get_view_order_url()), '">', esc_html__('Add a wallet', 'ballx-distributor'), '</a>';
        }
    }

    private function show(mixed $order): void
    {
        $delivery = $order instanceof \WC_Order ? $this->orders->delivery($order) : null;
        if ($delivery !== null && self::isShown($delivery)) {
            $this->showDelivery($delivery);
        } elseif ($order instanceof \WC_Order && $this->later->isOpen($order)) {
            self::open();
            /* translators: %s: day */
            $text = __('This order earns tokens. Add a wallet for them until %s.', 'ballx-distributor');
            echo '<p>', esc_html(sprintf($text, $this->later->until($order))), '</p>';
            WalletPage::form($this->later->link($order), $order);
            echo '</section>';
        }
    }

    private function showDelivery(Delivery $delivery): void
    {
        $link = ExplorerLink::html($delivery, $this->settings);
        self::open();
        echo '<table class="woocommerce-table shop_table"><tbody><tr><th scope="row">',
            esc_html__('Amount', 'ballx-distributor'), '</th><td>', esc_html($delivery->amount . ' BALLX'),
            '</td></tr><tr><th scope="row">', esc_html__('Wallet', 'ballx-distributor'), '</th><td><code title="',
            esc_attr($delivery->wallet), '">', esc_html(Wallet::short($delivery->wallet)), '</code></td></tr>',
            '<tr><th scope="row">', esc_html__('Status', 'ballx-distributor'), '</th><td>',
            esc_html(Sentences::forCustomer($delivery)), '</td></tr>';
        if ($link !== '') {
            echo '<tr><th scope="row">', esc_html__('Transaction', 'ballx-distributor'), '</th><td>', wp_kses_post($link),
                '</td></tr>';
        }
        echo '</tbody></table></section>';
    }

    /** An order that ended by itself says so; that its tokens stopped with it is no news. */
    private static function isShown(Delivery $delivery): bool
    {
        return $delivery->state !== State::Stopped;
    }

    private static function open(): void
    {
        echo '<section class="woocommerce-ballx"><h2>', esc_html__('BALLX tokens', 'ballx-distributor'), '</h2>';
    }
}
