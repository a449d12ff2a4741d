<?php

/**
 * Where orders come in.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Turns what can go wrong into a WP_Error, as WordPress' own functions do.
 */
final class Entrance
{
    public function __construct(private readonly Distribution $distribution, private readonly Problems $problems)
    {
    }

    /**
     * Take one order; see ballx_distribute().
     *
     * @param array<string, mixed> $args
     */
    public function distribute(array $args): string|\WP_Error
    {
        try {
            $order = Order::fromArgs($args);
            $changed = $this->distribution->submit($order) === Submission::Changed;
            return $changed ? self::error('changed_after_sending') : $order->orderId;
        } catch (InvalidOrder $error) {
            return self::error($error->problem);
        } catch (NotStored) {
            return self::error('not_stored');
        }
    }

    /** The same for do_action(), which has no answer: what went wrong is shown to the shop's owner. */
    public function onAction(mixed $args): void
    {
        $args = is_array($args) ? $args : [];
        $result = $this->distribute($args);
        if (is_wp_error($result)) {
            $id = $args['order_id'] ?? '';
            $this->problems->remember(is_scalar($id) ? (string) $id : '', $result->get_error_message());
        }
    }

    private static function error(string $code): \WP_Error
    {
        return new \WP_Error('ballx_' . $code, Sentences::order($code));
    }
}
