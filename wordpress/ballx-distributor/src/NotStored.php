<?php

/**
 * A write that the database did not take.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * The order is not on its way; the same call again is safe.
 */
final class NotStored extends \RuntimeException
{
}
