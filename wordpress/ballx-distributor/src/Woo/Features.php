<?php

/**
 * What this plugin tells WooCommerce about itself.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

defined('ABSPATH') || exit;

/**
 * Orders in WooCommerce's own tables (HPOS) and the block checkout are fine with us.
 *
 * Source: https://developer.woocommerce.com/docs/features/high-performance-order-storage/recipe-book/
 */
final class Features
{
    public static function declare(string $pluginFile): void
    {
        if (!class_exists(\Automattic\WooCommerce\Utilities\FeaturesUtil::class)) {
            return;
        }
        foreach (['custom_order_tables', 'cart_checkout_blocks'] as $feature) {
            \Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility($feature, $pluginFile, true);
        }
    }
}
