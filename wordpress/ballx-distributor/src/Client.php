<?php

/**
 * Talking to the distributor.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Every request is made with WordPress' safe functions: no private addresses, no redirects.
 */
final class Client
{
    private const TIMEOUT_S = 15;

    /** @param callable(): int $clock Unix seconds */
    public function __construct(private readonly Settings $settings, private $clock)
    {
    }

    /** Send $body as it is, signed now: a retry has a fresh time and so a fresh signature. */
    public function order(string $body): Answer
    {
        $signature = Signature::of($body, $this->settings->text('ballx_webhook_secret'), ($this->clock)());
        $headers = ['Content-Type' => 'application/json', Signature::HEADER => $signature];
        $request = ['body' => $body, 'headers' => $headers, 'data_format' => 'body'] + $this->manners();
        return Answer::of(wp_safe_remote_post($this->settings->text('ballx_webhook_url'), $request));
    }

    /** Ask where an order of this shop stands; the question is signed as an order is, with the time. */
    public function status(string $orderId): Answer
    {
        $path = '/shop/orders/' . $orderId;
        $secret = $this->settings->text('ballx_webhook_secret');
        $headers = [Signature::HEADER => Signature::of('GET ' . $path, $secret, ($this->clock)())];
        $request = ['headers' => $headers] + $this->manners();
        return Answer::of(wp_safe_remote_get($this->settings->address($path), $request));
    }

    public function ready(): Answer
    {
        return Answer::of(wp_safe_remote_get($this->settings->address('/ready'), $this->manners()));
    }

    /** @return array<string, mixed> */
    private function manners(): array
    {
        return [
            'timeout' => self::TIMEOUT_S,
            'redirection' => 0,
            'user-agent' => 'BALLX-Distributor/' . BALLX_VERSION . '; WordPress/' . get_bloginfo('version'),
        ];
    }
}
