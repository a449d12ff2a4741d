<?php

/**
 * The signature of a request.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Signs the exact bytes that travel, together with the time, so that a captured request soon ends to be valid.
 *
 * Source: https://docs.stripe.com/webhooks#verify-manually (the scheme; the header's name is the distributor's)
 */
final class Signature
{
    public const HEADER = 'X-WP-Signature';

    /** Return the header's value. The key is the UTF-8 text of $secret, $now is in Unix seconds. */
    public static function of(string $body, string $secret, int $now): string
    {
        return 't=' . $now . ',v1=' . hash_hmac('sha256', $now . '.' . $body, $secret);
    }
}
