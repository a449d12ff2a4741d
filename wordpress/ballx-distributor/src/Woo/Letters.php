<?php

/**
 * The letter that tells a customer of the tokens.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\Deliveries;
use Ballx\Distributor\Delivery;

defined('ABSPATH') || exit;

/**
 * One for each delivery, and none for those that are older than the day the letter was switched on.
 *
 * It is taken before it is sent: a process that dies in between sends none, and two never send two.
 */
final class Letters
{
    /** Where WooCommerce keeps what its page of letters says of ours. */
    public const OPTION = 'woocommerce_ballx_tokens_sent_settings';
    public const SINCE = 'ballx_letters_since';

    public function __construct(private readonly Deliveries $deliveries)
    {
    }

    public function listen(): void
    {
        add_filter('woocommerce_email_classes', self::withLetter(...));
        add_action('add_option_' . self::OPTION, self::added(...), 10, 2);
        add_action('update_option_' . self::OPTION, self::switched(...), 10, 2);
        add_action('ballx_delivery_changed', $this->send(...), 20);
    }

    /**
     * @param array<string, \WC_Email> $letters
     * @return array<string, \WC_Email>
     */
    private static function withLetter(array $letters): array
    {
        return $letters + ['Ballx_Tokens_Sent' => new TokensSentEmail()];
    }

    private static function added(string $option, mixed $now): void
    {
        self::switched([], $now);
    }

    /** Remember since when: what was sent before was told by nobody, and is no news any more. */
    private static function switched(mixed $before, mixed $now): void
    {
        if (self::on($now) && !self::on($before)) {
            update_option(self::SINCE, (string) time(), false);
        }
    }

    private static function on(mixed $settings): bool
    {
        return is_array($settings) && ($settings['enabled'] ?? '') === 'yes';
    }

    private function send(?Delivery $delivery): void
    {
        if ($delivery?->status !== 'paid' || $delivery->wcOrder === 0 || !self::on(get_option(self::OPTION))) {
            return;
        }
        $order = $delivery->createdAt >= (int) get_option(self::SINCE, PHP_INT_MAX) && function_exists('wc_get_order')
            ? wc_get_order($delivery->wcOrder) : false;
        if ($order instanceof \WC_Order && $this->deliveries->claimLetter($delivery)) {
            $letters = WC()->mailer()->get_emails();
            $letters['Ballx_Tokens_Sent']->trigger($order, $delivery);
        }
    }
}
