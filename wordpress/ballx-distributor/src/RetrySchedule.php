<?php

/**
 * When to try again.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Two schedules: sending until the distributor takes the order, and asking until it is paid.
 *
 * The distributor pays an order once however often it is sent, so trying again is always safe.
 */
final class RetrySchedule
{
    /** Waits after the first, second, … attempt to send, in seconds: 10 s, 1 m, 5 m, 30 m, 2 h, 6 h, 24 h. */
    public const SEND_S = [10, 60, 300, 1800, 7200, 21600, 86400];

    /** Waits before the first, second, … question where the order stands; the last one is kept. */
    public const ASK_S = [10, 20, 30, 60, 300, 900, 3600];

    /** How often it is asked at most: about a month, should a person have to decide something. */
    public const ASKS_MAX = 720;

    /** Waits after the secret did not fit; also after the last attempt, because only the shop's owner can end it. */
    public const SECRET_MAX_S = 3600;

    private const RETRY_AFTER_MAX_S = 86400;

    /** How often an order is sent before we give up. */
    public static function attempts(): int
    {
        return count(self::SEND_S) + 1;
    }

    /**
     * Return the seconds to wait after $attempt (from 1) failed.
     *
     * After the last attempt it is the last wait again: who wakes then finds that the attempts are used up.
     */
    public static function waitAfter(int $attempt): int
    {
        return self::SEND_S[min($attempt, count(self::SEND_S)) - 1];
    }

    /** Return the seconds to wait before question number $asked (from 0). */
    public static function waitToAsk(int $asked): int
    {
        return self::ASK_S[min($asked, count(self::ASK_S) - 1)];
    }

    /**
     * Read Retry-After, seconds or a date, as seconds from $now; 0 when it says nothing, at most a day.
     *
     * Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
     */
    public static function retryAfter(string $header, int $now): int
    {
        $header = trim($header);
        $seconds = ctype_digit($header) ? (float) $header : self::secondsUntil($header, $now);
        return (int) max(0, min($seconds, self::RETRY_AFTER_MAX_S));
    }

    private static function secondsUntil(string $date, int $now): int
    {
        $utc = new \DateTimeZone('UTC');
        $moment = \DateTimeImmutable::createFromFormat('D, d M Y H:i:s \G\M\T', $date, $utc);
        return $moment ? $moment->getTimestamp() - $now : 0;
    }
}
