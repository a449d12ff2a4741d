<?php

/**
 * A customer's wallet in the customer's orders, forgotten.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;
use Ballx\Distributor\Delivery;

defined('ABSPATH') || exit;

/**
 * WooCommerce erases an order's data only where its owner chose that; the wallet goes in any case once it is paid.
 */
final class Forgetting
{
    public function listen(): void
    {
        add_action('ballx_delivery_erased', $this->forget(...));
    }

    /** Empty the order's wallet and take it out of our notes; $delivery is as it was before it was erased. */
    private function forget(Delivery $delivery): void
    {
        $order = $delivery->wcOrder > 0 && function_exists('wc_get_order') ? wc_get_order($delivery->wcOrder) : false;
        if (!$order instanceof \WC_Order) {
            return;
        }
        $order->update_meta_data(Orders::WALLET_META, '');
        $order->delete_meta_data(CustomerWallet::BLOCK_COPY);
        $order->save();
        foreach (wc_get_order_notes(['order_id' => $order->get_id()]) as $note) {
            $without = str_ireplace($delivery->wallet, '…', $note->content);
            if ($delivery->wallet !== '' && $without !== $note->content) {
                wp_update_comment(['comment_ID' => $note->id, 'comment_content' => $without]);
            }
        }
    }
}
