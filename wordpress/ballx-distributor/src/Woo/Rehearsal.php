<?php

/**
 * What would have become of the shop's latest orders.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

defined('ABSPATH') || exit;

/**
 * Reads orders and sends nothing: settings with which no order is ever sent are seen before the first customer writes.
 */
final class Rehearsal
{
    private const ORDERS = 10;

    public function __construct(private readonly Orders $orders)
    {
    }

    public function listen(): void
    {
        add_filter('ballx_trial_lines', $this->add(...));
    }

    /**
     * @param list<array{string, string}> $lines kind of notice and sentence
     * @return list<array{string, string}>
     */
    private function add(array $lines): array
    {
        return function_exists('wc_get_orders') ? [...$lines, ...$this->lines()] : $lines;
    }

    /** @return list<array{string, string}> */
    private function lines(): array
    {
        $asked = ['type' => 'shop_order', 'limit' => self::ORDERS, 'orderby' => 'ID', 'order' => 'DESC'];
        $latest = wc_get_orders($asked + ['status' => array_keys(wc_get_order_statuses())]);
        $reasons = [];
        foreach (array_filter((array) $latest, fn (mixed $order): bool => $order instanceof \WC_Order) as $order) {
            $reasons[$this->orders->obstacle($order)][] = '#' . $order->get_order_number();
        }
        $sent = count($reasons[''] ?? []);
        /* translators: 1: number of orders that would be sent, 2: number of orders looked at */
        $headline = __('Of the latest %2$d orders, %1$d would be sent as the settings are now.', 'ballx-distributor');
        $all = array_sum(array_map(count(...), $reasons));
        $lines = [[$sent > 0 ? 'success' : 'warning', sprintf($headline, $sent, $all)]];
        foreach (array_diff_key($reasons, ['' => 1]) as $why => $numbers) {
            $lines[] = ['info', implode(', ', $numbers) . ': ' . $why];
        }
        return $lines;
    }
}
