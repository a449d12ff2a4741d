<?php

/**
 * An order, the orders it is a part of, and its parts.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\SettingRules;

defined('ABSPATH') || exit;

/**
 * A marketplace makes an order for each vendor below the customer's; some split those again. What the database says may
 * be wrong: an order that is its own ancestor is looked at once.
 */
final class Tree
{
    /** On an order: the total of each part that had ended and was then deleted, by the part's id. */
    public const LOST_META = '_ballx_lost_parts';

    /** On an order: the numbers of the orders it was a part of, of which one was deleted. */
    public const FORMER_META = '_ballx_former_wholes';

    public static function listen(): void
    {
        // The list of orders deletes posts without WooCommerce's own functions.
        foreach (['woocommerce_before_delete_order', 'before_delete_post'] as $event) {
            add_action($event, self::remember(...), 10, 1);
        }
    }

    /** Tell whether nothing is owed for $order any more. */
    public static function ended(\WC_Order $order): bool
    {
        return in_array($order->get_status(), SettingRules::NOTHING_OWED, true);
    }

    /** @return list<int> from the parent upwards; also of orders that are gone */
    public static function above(\WC_Order $order): array
    {
        $found = [];
        $next = self::named($order);
        while ($next !== []) {
            $id = array_shift($next);
            if ($id !== $order->get_id() && !in_array($id, $found, true)) {
                $found[] = $id;
                $whole = wc_get_order($id);
                $next = [...$next, ...($whole instanceof \WC_Order ? self::named($whole) : [])];
            }
        }
        return $found;
    }

    /** @return list<int> the wholes that $order itself names */
    private static function named(\WC_Order $order): array
    {
        $former = $order->get_meta(self::FORMER_META);
        $numbers = [$order->get_parent_id(), ...array_map(intval(...), is_array($former) ? $former : [])];
        return array_values(array_filter($numbers, fn (int $id): bool => $id > 0));
    }

    /** @return list<\WC_Order> those of self::above() that are there */
    public static function wholes(\WC_Order $order): array
    {
        $orders = array_map(wc_get_order(...), self::above($order));
        return array_values(array_filter($orders, fn (mixed $one): bool => $one instanceof \WC_Order));
    }

    /** @return list<\WC_Order> the parts of $order, in the trash too; theirs are not among them */
    public static function parts(\WC_Order $order): array
    {
        $statuses = [...array_keys(wc_get_order_statuses()), 'trash'];
        $asked = ['parent' => $order->get_id(), 'type' => 'shop_order', 'limit' => -1, 'status' => $statuses];
        $ours = fn (mixed $part): bool => $part instanceof \WC_Order && $part->get_id() !== $order->get_id();
        return array_values(array_filter((array) wc_get_orders($asked), $ours));
    }

    /**
     * @param list<int> $seen
     * @return list<int> of the parts of $order, and of theirs
     */
    public static function below(\WC_Order $order, array $seen = []): array
    {
        $found = [...$seen, $order->get_id()];
        foreach (self::parts($order) as $part) {
            $found = in_array($part->get_id(), $found, true) ? $found : self::below($part, $found);
        }
        return $seen === [] ? array_slice($found, 1) : $found;
    }

    /** @return array<int, string> totals of the parts that had ended and were deleted */
    public static function lost(\WC_Order $order): array
    {
        $lost = $order->get_meta(self::LOST_META);
        return is_array($lost) ? array_map(strval(...), $lost) : [];
    }

    /** Keep what the orders around one that is about to be deleted would no longer know. */
    private static function remember(mixed $id): void
    {
        $order = function_exists('wc_get_order') ? wc_get_order((int) $id) : false;
        if ($order instanceof \WC_Order) {
            self::rememberWhole($order);
            self::rememberLoss($order);
        }
    }

    /**
     * Keep with each part of $whole what it was a part of: WooCommerce then says that it has no whole (seen in 10.0).
     *
     * 1. The whole is paid. 2. It is deleted. 3. A part of it is completed, and would be paid once more.
     */
    private static function rememberWhole(\WC_Order $whole): void
    {
        foreach (self::parts($whole) as $part) {
            $part->update_meta_data(self::FORMER_META, [$whole->get_id(), ...self::above($whole)]);
            $part->save();
        }
    }

    /**
     * Keep of a part what its whole has to be less by.
     *
     * 1. A part is cancelled, so the whole is worth less. 2. The trash is emptied. 3. The whole was worth its full sum.
     * A part that had not ended is no loss: marketplaces make parts anew and delete the former ones.
     */
    private static function rememberLoss(\WC_Order $part): void
    {
        $id = $part->get_id();
        $whole = self::ended($part) ? wc_get_order($part->get_parent_id()) : false;
        if ($whole instanceof \WC_Order && $whole->get_id() !== $id) {
            $whole->update_meta_data(self::LOST_META, [$id => (string) $part->get_total()] + self::lost($whole));
            $whole->save();
        }
    }
}
