<?php

/**
 * What became of an order that the shop told of.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Changed is the one that a person must hear of: the first content stands.
 */
enum Submission
{
    case Stored;
    case Known;
    case SentAgain;
    case Changed;

    public function wakes(): bool
    {
        return $this === self::Stored || $this === self::SentAgain;
    }
}
