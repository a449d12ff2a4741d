<?php

/**
 * What an order is worth, and which order of a tree is the one that is sent.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\Decimal;
use Ballx\Distributor\InvalidOrder;
use Ballx\Distributor\Refunds;
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
            Tree::ended($order) => 'order_ended',
            $wholes && Tree::wholes($order) !== [] => 'part_of_order',
            !$wholes && Tree::parts($order) !== [] => 'sent_in_parts',
            array_filter(Tree::wholes($order), Tree::ended(...)) !== [] => 'order_ended',
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
        self::checkWholes($order);
        return Decimal::product(self::kept($order), $rate, self::TOKEN_DECIMALS);
    }

    /**
     * The total less its refunds, or less what its parts lost: a vendor's part is cancelled or refunded by itself.
     *
     * 1. A part is cancelled. 2. Its money goes back by a refund of the whole, which is what was paid. 3. Subtracted
     * both, it would be subtracted twice; subtracted once, another refund would be paid. So a person decides.
     *
     * @param list<int> $seen orders that this one is below
     * @throws InvalidOrder with the code refund_and_parts, refund_without_amount or bad_amount.
     */
    private static function kept(\WC_Order $order, array $seen = []): string
    {
        $left = self::afterRefunds($order);
        $lost = self::lostInParts($order, $seen);
        if (Decimal::isZero($lost)) {
            return $left;
        }
        if (!Decimal::isZero(Decimal::difference((string) $order->get_total(), $left))) {
            throw new InvalidOrder('refund_and_parts');
        }
        return Decimal::difference($left, $lost);
    }

    /**
     * @param list<int> $seen
     * @throws InvalidOrder
     */
    private static function lostInParts(\WC_Order $order, array $seen): string
    {
        $seen[] = $order->get_id();
        $lost = array_reduce(Tree::lost($order), Decimal::sum(...), '0');
        foreach (Tree::parts($order) as $part) {
            $known = in_array($part->get_id(), $seen, true);
            $kept = $known || Tree::ended($part) ? '0' : self::kept($part, $seen);
            $lost = $known ? $lost : Decimal::sum($lost, Decimal::difference((string) $part->get_total(), $kept));
        }
        return $lost;
    }

    /** @throws InvalidOrder with the code refund_without_amount or bad_amount. */
    private static function afterRefunds(\WC_Order $order): string
    {
        // As WooCommerce's REST interface shows them, with a minus.
        $amount = fn (mixed $refund): string => '-' . $refund->get_amount();
        return Refunds::kept((string) $order->get_total(), array_map($amount, array_values($order->get_refunds())));
    }

    /**
     * A part is paid by itself: what the whole gave back must be seen in its parts.
     *
     * @throws InvalidOrder with the code refund_of_whole.
     */
    private static function checkWholes(\WC_Order $part): void
    {
        foreach (Tree::wholes($part) as $whole) {
            $given = Decimal::difference((string) $whole->get_total(), self::afterRefunds($whole));
            if (!Decimal::isZero(Decimal::difference($given, self::lostInParts($whole, [])))) {
                throw new InvalidOrder('refund_of_whole');
            }
        }
    }
}
