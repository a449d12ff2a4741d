<?php

/**
 * The signature of a call-back.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Standard Webhooks, with a key that is made from the shop's secret for this use alone: what the shop signs is no
 * call-back, and a call-back posted back to the distributor is no order.
 */
final class CallBackSignature
{
    private const PURPOSE = 'ballx call-back v1';
    private const TOLERANCE_S = 300;
    private const SIGNATURES_MAX = 8;

    /**
     * Tell whether one of $signatures, which blanks separate, is of these bytes and at most five minutes old.
     *
     * There are two while the secret is being changed. Each is compared in constant time, and all of them.
     *
     * @param string $time Unix seconds, as the header has them
     * @param int $now Unix seconds
     */
    public static function fits(
        string $secret,
        string $id,
        string $time,
        string $signatures,
        string $body,
        int $now,
    ): bool {
        if ($id === '' || !preg_match('/\A[0-9]{1,12}\z/', $time) || abs($now - (int) $time) > self::TOLERANCE_S) {
            return false;
        }
        $key = hash_hmac('sha256', self::PURPOSE, $secret, true);
        $expected = 'v1,' . base64_encode(hash_hmac('sha256', "{$id}.{$time}.{$body}", $key, true));
        $given = array_slice(explode(' ', $signatures, self::SIGNATURES_MAX + 1), 0, self::SIGNATURES_MAX);
        return array_filter($given, fn (string $one): bool => hash_equals($expected, $one)) !== [];
    }
}
