<?php

/**
 * A customer's wallet in the customer's orders, forgotten.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;
use Ballx\Distributor\Delivery;
use Ballx\Distributor\Settings;

defined('ABSPATH') || exit;

/**
 * WooCommerce erases an order's data only where its owner chose that; the wallet goes in any case once it is paid.
 */
final class Forgetting
{
    private const PER_PAGE = 50;

    public function __construct(private readonly Orders $orders, private readonly Settings $settings)
    {
    }

    public function listen(): void
    {
        add_action('ballx_delivery_erased', $this->forget(...));
        // After the one of deliveries: what ended has emptied its order by then.
        add_filter('wp_privacy_personal_data_erasers', fn (array $erasers): array => $erasers + [
            'ballx-distributor-orders' => [
                'eraser_friendly_name' => __('BALLX: wallets of orders that sent nothing', 'ballx-distributor'),
                'callback' => $this->erase(...),
            ],
        ], 11);
    }

    /**
     * Empty the wallets of a person's orders that have nothing to send any more.
     *
     * @return array{items_removed: bool, items_retained: bool, messages: list<string>, done: bool}
     */
    private function erase(string $email, int $page = 1): array
    {
        $user = get_user_by('email', $email);
        $orders = function_exists('wc_get_orders') ? wc_get_orders([
            'customer' => $user ? [$email, $user->ID] : [$email],
            'type' => 'shop_order', 'limit' => self::PER_PAGE, 'page' => $page, 'orderby' => 'ID', 'order' => 'ASC',
        ]) : [];
        $wallet = fn (\WC_Order $order): string => (string) $order->get_meta(Orders::WALLET_META);
        $named = array_filter($orders, fn (\WC_Order $order): bool => $wallet($order) !== '');
        $over = array_filter($named, $this->isOver(...));
        array_map(self::emptied(...), $over);
        $kept = count($named) > count($over);
        $later = __('An order of this person may still send tokens. Erase again when it has ended.', 'ballx-distributor');
        return [
            'items_removed' => $over !== [],
            'items_retained' => $kept,
            'messages' => $kept ? [$later] : [],
            'done' => count($orders) < self::PER_PAGE,
        ];
    }

    /** Tell whether $order sends nothing any more by itself. */
    private function isOver(\WC_Order $order): bool
    {
        $delivery = $this->orders->delivery($order);
        $reached = in_array($order->get_status(), $this->settings->statuses(), true);
        return $delivery === null ? $reached || Tree::ended($order) : $delivery->ended();
    }

    private static function emptied(\WC_Order $order): void
    {
        $order->update_meta_data(Orders::WALLET_META, '');
        $order->delete_meta_data(CustomerWallet::BLOCK_COPY);
        $order->save();
    }

    /** Empty the order's wallet and take it out of our notes; $delivery is as it was before it was erased. */
    private function forget(Delivery $delivery): void
    {
        $order = $delivery->wcOrder > 0 && function_exists('wc_get_order') ? wc_get_order($delivery->wcOrder) : false;
        if (!$order instanceof \WC_Order) {
            return;
        }
        self::emptied($order);
        foreach (wc_get_order_notes(['order_id' => $order->get_id()]) as $note) {
            $without = str_ireplace($delivery->wallet, '…', $note->content);
            if ($delivery->wallet !== '' && $without !== $note->content) {
                wp_update_comment(['comment_ID' => $note->id, 'comment_content' => $without]);
            }
        }
    }
}
