<?php

/**
 * The wallet in an order is personal data of its customer.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;

defined('ABSPATH') || exit;

/**
 * WooCommerce exports and erases its orders itself; it is told of one more field.
 */
final class Privacy
{
    public function listen(): void
    {
        add_filter('woocommerce_privacy_export_order_personal_data_meta', fn (array $meta): array => $meta + [
            Orders::WALLET_META => CustomerWallet::label(),
            CustomerWallet::BLOCK_COPY => CustomerWallet::label(),
        ]);
        add_filter('woocommerce_privacy_remove_order_personal_data_meta', fn (array $meta): array => $meta + [
            Orders::WALLET_META => 'text',
            CustomerWallet::BLOCK_COPY => 'text',
        ]);
    }
}
