<?php

/**
 * What to do about a delivery.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * In the words of who owns the shop: what it means for the order, and whose turn it is.
 */
final class Remedies
{
    /** Return what to do, or what happens next by itself; '' where the state says all. */
    public static function of(Delivery $delivery): string
    {
        return match (true) {
            $delivery->changed && $delivery->wcOrder > 0 => Sentences::order('taken_before_change'),
            $delivery->changed => Sentences::order('changed_after_sending'),
            $delivery->state === State::Waiting => self::waiting($delivery),
            $delivery->state === State::Accepted => self::accepted($delivery),
            $delivery->state === State::GivenUp => __('The distributor could not be reached for more than a day. Press "Send a test" in the settings, correct what it says, then send again. It is never paid twice.', 'ballx-distributor'),
            $delivery->state === State::Stopped => Sentences::order($delivery->errorCode),
            default => self::refused($delivery),
        };
    }

    private static function waiting(Delivery $delivery): string
    {
        $when = $delivery->dueAt === null ? '' : (string) wp_date('Y-m-d H:i', $delivery->dueAt);
        return match (true) {
            $delivery->httpStatus === 401 => __('The webhook secret is not the distributor\'s, or this server\'s clock is wrong by minutes. Correct it; what waits is then sent by itself.', 'ballx-distributor'),
            $delivery->waitsOnPurpose()
                /* translators: %s: day and time */
                => sprintf(__('It is sent on %s, unless the order is refunded before.', 'ballx-distributor'), $when),
            !$delivery->answered() => '',
            /* translators: 1: how often it was tried, 2: day and time */
            default => sprintf(__('The distributor does not answer as it should; tried %1$d times. It is sent again by itself on %2$s.', 'ballx-distributor'), $delivery->attempts, $when),
        };
    }

    private static function accepted(Delivery $delivery): string
    {
        return match ($delivery->silent() ? 'silent' : $delivery->status) {
            'silent' => __('The distributor did not say for about 30 days what became of it. Give the operator the order id; then press "Ask now".', 'ballx-distributor'),
            'held' => __('A person at the distributor has to decide. Give the operator the order id.', 'ballx-distributor'),
            'cancelled' => __('The operator of the distributor cancelled it; nothing is paid.', 'ballx-distributor'),
            default => '',
        };
    }

    private static function refused(Delivery $delivery): string
    {
        return match (true) {
            str_starts_with($delivery->errorCode, 'wallet_'), $delivery->errorCode === 'bad_wallet'
                => __('The wallet cannot be paid. Correct it in the order, then send again.', 'ballx-distributor'),
            str_starts_with($delivery->errorCode, 'amount_'), $delivery->errorCode === 'bad_amount'
                => __('The amount cannot be paid. Correct the order, or the tokens per currency unit in the settings, then send again.', 'ballx-distributor'),
            $delivery->errorCode === 'order_conflict' => __('The distributor has this order id already, with another wallet or amount; the first one stands. If two shops share a secret, give one of them a prefix.', 'ballx-distributor'),
            default => __('The distributor does not take this order. Give its operator the order id and the number of the request.', 'ballx-distributor'),
        };
    }
}
