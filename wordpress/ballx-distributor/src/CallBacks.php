<?php

/**
 * Where the distributor tells of an order.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A call-back is a wake-up, never the truth: the delivery becomes due, and the plugin asks by its own signature. A shop
 * that cannot be reached from outside learns the same later, because it asks anyway.
 *
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
final class CallBacks
{
    /** When the last one came, in Unix seconds. */
    public const LAST = 'ballx_call_back_at';

    private const SPACE = 'ballx/v1';
    private const ROUTE = '/call-back';
    private const BODY_BYTES_MAX = 65536;
    private const DEPTH_MAX = 16;

    /** @param callable(): int $clock Unix seconds */
    public function __construct(
        private readonly Deliveries $deliveries,
        private readonly Scheduler $scheduler,
        private readonly Settings $settings,
        private $clock,
    ) {
    }

    public static function address(): string
    {
        return rest_url(self::SPACE . self::ROUTE);
    }

    public function listen(): void
    {
        add_action('rest_api_init', fn () => register_rest_route(self::SPACE, self::ROUTE, [
            'methods' => 'POST',
            'permission_callback' => $this->genuine(...),
            'callback' => $this->take(...),
        ]));
    }

    /** Let pass what the distributor signed with the shop's secret a few minutes ago at most. */
    private function genuine(\WP_REST_Request $request): bool|\WP_Error
    {
        $secret = $this->settings->text('ballx_webhook_secret');
        $body = $request->get_body();
        $header = fn (string $name): string => (string) $request->get_header($name);
        $said = [$header('webhook-id'), $header('webhook-timestamp'), $header('webhook-signature')];
        return match (true) {
            $secret === '' => self::error('not_configured', 503),
            strlen($body) > self::BODY_BYTES_MAX => self::error('too_large', 413),
            CallBackSignature::fits($secret, ...$said, body: $body, now: ($this->clock)()) => true,
            default => self::error('bad_signature', 401),
        };
    }

    private function take(\WP_REST_Request $request): \WP_REST_Response|\WP_Error
    {
        update_option(self::LAST, ($this->clock)(), false);
        $event = json_decode($request->get_body(), true, self::DEPTH_MAX);
        $data = is_array($event) ? $event['data'] ?? null : null;
        if (!is_array($data)) {
            return self::error('bad_event', 400);
        }
        try {
            // A test is about no order, and an order of another shop is none of this one.
            $this->heed($data['order_id'] ?? null, $data['sequence'] ?? null);
        } catch (NotStored) {
            return self::error('not_stored', 503);
        }
        return new \WP_REST_Response(null, 204);
    }

    /** @throws NotStored */
    private function heed(mixed $orderId, mixed $sequence): void
    {
        $delivery = is_string($orderId) && is_int($sequence) ? $this->deliveries->ofOrder($orderId) : null;
        if ($delivery !== null && $this->deliveries->heed($delivery, $sequence)) {
            $this->scheduler->wakeAt(($this->clock)());
        }
    }

    private static function error(string $code, int $status): \WP_Error
    {
        // The sender reads only the status; a stranger learns no more than that.
        return new \WP_Error('ballx_' . $code, $code, ['status' => $status]);
    }
}
