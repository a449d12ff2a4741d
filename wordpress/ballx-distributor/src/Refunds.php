<?php

/**
 * What a customer kept of an order.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * The distributor has the same rule for shops without this plugin (distributor/webhook/refunds.py); one test holds
 * both against each other.
 */
final class Refunds
{
    /**
     * Return $total less its $refunds, exactly; 0 where more was refunded than paid.
     *
     * A refund is a decimal text that begins with a minus, as WooCommerce's REST interface shows it. One without an
     * amount holds the order: paid in full it would be paid too much.
     *
     * @param list<mixed> $refunds
     * @throws InvalidOrder with the code bad_amount or refund_without_amount.
     */
    public static function kept(string $total, array $refunds): string
    {
        $given = '0';
        foreach ($refunds as $refund) {
            if (!is_string($refund) || !preg_match('/\A-[0-9]{1,60}(?:\.[0-9]{1,60})?\z/', $refund)) {
                throw new InvalidOrder('refund_without_amount');
            }
            $given = Decimal::sum($given, substr($refund, 1));
        }
        return Decimal::difference($total, $given);
    }
}
