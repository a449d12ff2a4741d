<?php

/**
 * What makes an order unfit to be sent.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Carries a code, not a sentence: Sentences has the sentence in the reader's language.
 *
 * The codes are the distributor's own where it has the same rule.
 */
final class InvalidOrder extends \InvalidArgumentException
{
    public function __construct(public readonly string $problem)
    {
        parent::__construct($problem);
    }
}
