<?php

/**
 * What an order is worth, and which order of a tree is the one that is sent.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\Decimal;
use Ballx\Distributor\InvalidOrder;
use Ballx\Distributor\Refunds;
use Ballx\Distributor\SettingRules;
use Ballx\Distributor\Settings;

defined('ABSPATH') || exit;

/**
 * A marketplace splits an order among its vendors: the order and its parts are completed each, and paid once.
 */
final class Amounts
{
    private const TOKEN_DECIMALS = 18;

    public function __construct(private readonly Settings $settings)
    {
    }

    /**
     * Let $order pass when it is one that is sent.
     *
     * @throws InvalidOrder with the code order_ended, part_of_order or sent_in_parts.
     */
    public function check(\WC_Order $order): void
    {
        $wholes = $this->settings->text('ballx_order_level') !== 'sub';
        $problem = match (true) {
            self::ended($order) => 'order_ended',
            $wholes && self::isPart($order) => 'part_of_order',
            !$wholes && self::parts($order) !== [] => 'sent_in_parts',
            default => '',
        };
        if ($problem !== '') {
            throw new InvalidOrder($problem);
        }
    }

    /**
     * The tokens the order itself names; else what the customer paid and kept times the rate, rounded down.
     *
     * The rate is for the shop's own currency.
     *
     * @throws InvalidOrder
     */
    public function of(\WC_Order $order): string
    {
        $key = $this->settings->text('ballx_amount_meta');
        $named = $key === '' ? '' : (string) $order->get_meta($key);
        if ($named !== '') {
            return $named;
        }
        $rate = $this->settings->text('ballx_rate');
        if ($rate === '') {
            throw new InvalidOrder('no_amount');
        }
        if ($order->get_currency() !== (string) get_option('woocommerce_currency')) {
            throw new InvalidOrder('other_currency');
        }
        return Decimal::product(self::kept($order), $rate, self::TOKEN_DECIMALS);
    }

    /** The total less its refunds, and less the parts that ended: a vendor's part is cancelled by itself. */
    private static function kept(\WC_Order $order): string
    {
        $kept = Refunds::kept((string) $order->get_total(), self::refunds($order));
        foreach (array_filter(self::parts($order), self::ended(...)) as $part) {
            $kept = Decimal::difference($kept, (string) $part->get_total());
        }
        return $kept;
    }

    /** @return list<string> as WooCommerce's REST interface shows them, with a minus */
    private static function refunds(\WC_Order $order): array
    {
        $amount = fn (mixed $refund): string => '-' . $refund->get_amount();
        return array_map($amount, array_values($order->get_refunds()));
    }

    private static function ended(\WC_Order $order): bool
    {
        return in_array($order->get_status(), SettingRules::NOTHING_OWED, true);
    }

    private static function isPart(\WC_Order $order): bool
    {
        return $order->get_parent_id() > 0 && wc_get_order($order->get_parent_id()) instanceof \WC_Order;
    }

    /** @return list<\WC_Order> */
    private static function parts(\WC_Order $order): array
    {
        $statuses = [...array_keys(wc_get_order_statuses()), 'trash'];
        $asked = ['parent' => $order->get_id(), 'type' => 'shop_order', 'limit' => -1, 'status' => $statuses];
        $isOrder = fn (mixed $part): bool => $part instanceof \WC_Order;
        return array_values(array_filter((array) wc_get_orders($asked), $isOrder));
    }
}
