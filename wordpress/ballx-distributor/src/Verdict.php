<?php

/**
 * What an answer means for a delivery.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Only four answers are final refusals; all else may pass, and sending again never pays twice.
 *
 * 401 is none of them: a wrong secret or a wrong clock is put right in the shop, and the order is still owed.
 */
enum Verdict
{
    case Accepted;
    case Refused;
    case TryAgain;

    private const FINAL = [400, 413, 415, 422];

    /** Judge the HTTP $status, 0 when none came; $ours says that the body is a distributor's answer to this order. */
    public static function of(int $status, bool $ours): self
    {
        return match (true) {
            in_array($status, [200, 202], true) && $ours => self::Accepted,
            in_array($status, self::FINAL, true) => self::Refused,
            default => self::TryAgain,
        };
    }
}
