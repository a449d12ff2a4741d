<?php

/**
 * The wallet and the delivery on the administration's order pages.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;
use Ballx\Distributor\ExplorerLink;
use Ballx\Distributor\Sentences;
use Ballx\Distributor\Settings;
use Ballx\Distributor\Wallet;

defined('ABSPATH') || exit;

/**
 * Hooks of both order storages: posts, and WooCommerce's own tables.
 */
final class OrderScreen
{
    private const COLUMN = 'ballx';

    public function __construct(private readonly Orders $orders, private readonly Settings $settings)
    {
    }

    public function listen(): void
    {
        $column = fn (array $columns): array => $columns + [self::COLUMN => 'BALLX'];
        add_filter('manage_edit-shop_order_columns', $column);
        add_filter('manage_woocommerce_page_wc-orders_columns', $column);
        add_action('manage_shop_order_posts_custom_column', $this->cell(...), 10, 2);
        add_action('manage_woocommerce_page_wc-orders_custom_column', $this->cell(...), 10, 2);
        add_action('woocommerce_admin_order_data_after_billing_address', $this->show(...));
        add_action('woocommerce_process_shop_order_meta', $this->save(...));
        // The block checkout's own input for the same wallet: two inputs undo each other's corrections.
        add_filter('woocommerce_admin_shipping_fields', function (array $fields): array {
            unset($fields[CustomerWallet::BLOCK_FIELD]);
            return $fields;
        }, 20);
    }

    public function cell(string $column, int|\WC_Order $order): void
    {
        $order = $column !== self::COLUMN || $order instanceof \WC_Order ? $order : wc_get_order($order);
        $delivery = $column === self::COLUMN && $order instanceof \WC_Order ? $this->orders->delivery($order) : null;
        if ($delivery !== null) {
            echo esc_html(Sentences::standing($delivery)), ' ',
                wp_kses_post(ExplorerLink::html($delivery, $this->settings));
        }
    }

    public function show(\WC_Order $order): void
    {
        echo '<p class="form-field form-field-wide"><label for="', esc_attr(CustomerWallet::OF_ORDER), '">',
            esc_html(CustomerWallet::label()), '</label><input type="text" id="', esc_attr(CustomerWallet::OF_ORDER),
            '" name="', esc_attr(CustomerWallet::OF_ORDER), '" value="',
            esc_attr($this->orders->walletShown($order)), '" style="font-family:monospace;font-size:11px"></p>',
            '<p class="form-field form-field-wide"><strong>BALLX:</strong> ',
            esc_html($this->orders->outlook($order)), '</p>';
    }

    /** WooCommerce has checked the order form's nonce. */
    public function save(int $orderId): void
    {
        $typed = CustomerWallet::typed(CustomerWallet::OF_ORDER);
        $order = $typed === null ? false : wc_get_order($orderId);
        if (!$order instanceof \WC_Order || $typed === $this->orders->walletShown($order)) {
            return;
        }
        $problem = CustomerWallet::problem($typed);
        if ($problem !== '') {
            $order->add_order_note('BALLX: ' . $problem);
            return;
        }
        $order->update_meta_data(Orders::WALLET_META, $typed === '' ? '' : Wallet::parse($typed));
        $order->save();
    }
}
