<?php

/**
 * A delivery follows its order.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\Courier;
use Ballx\Distributor\Deliveries;
use Ballx\Distributor\Delivery;
use Ballx\Distributor\InvalidOrder;
use Ballx\Distributor\Order;
use Ballx\Distributor\Problems;
use Ballx\Distributor\Sentences;
use Ballx\Distributor\State;

defined('ABSPATH') || exit;

/**
 * The order is asked right before its delivery is sent, whatever happened to it since. The hooks below only stop a
 * delivery at once, so that the shop's owner sees it, and tell what came too late.
 */
final class Following
{
    public function __construct(
        private readonly Orders $orders,
        private readonly Deliveries $deliveries,
        private readonly Courier $courier,
        private readonly Problems $problems,
    ) {
    }

    public function listen(): void
    {
        add_filter('ballx_order_of_delivery', $this->now(...), 10, 2);
        // Seen with WooCommerce 10.0: a refund saves the order before the refund exists, so both hooks are needed.
        foreach (['order_refunded', 'update_order', 'trash_order', 'delete_order'] as $event) {
            add_action('woocommerce_' . $event, $this->changed(...), 20, 1);
        }
        add_action('woocommerce_refund_deleted', fn (mixed $refund, mixed $id) => $this->changed($id), 20, 2);
        // The list of orders moves posts to the trash without WooCommerce's own functions.
        foreach (['trashed_post', 'deleted_post'] as $event) {
            add_action($event, $this->changed(...), 20, 1);
        }
    }

    /**
     * Return what $delivery stands for now: itself, its order with other content, or why nothing is owed any more.
     *
     * Null where nobody can tell, because WooCommerce is away.
     */
    public function now(mixed $found, Delivery $delivery): Delivery|Order|InvalidOrder|null
    {
        if ($delivery->wcOrder === 0 || $delivery->erased()) {
            return $delivery;
        }
        if (!function_exists('wc_get_order')) {
            return null;
        }
        $order = wc_get_order($delivery->wcOrder);
        try {
            return $order instanceof \WC_Order ? $this->orders->read($order) : new InvalidOrder('order_deleted');
        } catch (InvalidOrder $problem) {
            return $problem;
        }
    }

    /** What an order is worth, its whole is worth less, and its parts may be paid or not. */
    private function changed(mixed $orderId): void
    {
        $order = function_exists('wc_get_order') ? wc_get_order((int) $orderId) : false;
        $tree = $order instanceof \WC_Order ? [...Tree::above($order), ...Tree::below($order)] : [];
        foreach ([(int) $orderId, ...$tree] as $id) {
            array_map($this->look(...), $this->deliveries->ofWooOrder($id));
        }
    }

    private function look(Delivery $delivery): void
    {
        $waits = $delivery->state === State::Waiting;
        $now = $waits || ($delivery->open() && !$delivery->changed) ? $this->now($delivery, $delivery) : $delivery;
        if ($waits && $now instanceof InvalidOrder) {
            $this->courier->stop($delivery, $now);
        } elseif (!$waits && self::differs($now, $delivery)) {
            $this->tellTooLate($delivery);
        }
    }

    private static function differs(mixed $now, Delivery $delivery): bool
    {
        return $now instanceof InvalidOrder || ($now instanceof Order && $now->orderId === $delivery->orderId
            && $now->fingerprint() !== $delivery->fingerprint);
    }

    /** What the distributor has taken only its operator can end; said once for each delivery. */
    private function tellTooLate(Delivery $delivery): void
    {
        if ($this->deliveries->update($delivery, ['changed' => 1, 'needs_look' => 1])) {
            $this->problems->remember($delivery->orderId, Sentences::order('taken_before_change'));
        }
    }
}
