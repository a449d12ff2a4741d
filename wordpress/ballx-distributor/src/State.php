<?php

/**
 * How far the handing over of an order is.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * waiting → accepted | refused | given_up | stopped; the last three go back to waiting when they are sent again.
 *
 * What the distributor does after it accepted is Delivery::$status, in the distributor's own words.
 */
enum State: string
{
    case Waiting = 'waiting';
    case Accepted = 'accepted';
    case Refused = 'refused';
    case GivenUp = 'given_up';

    /** Its order ended before the distributor took it: cancelled, refunded, deleted, or its wallet emptied. */
    case Stopped = 'stopped';

    /** Tell whether a person may send it again: it is neither on its way nor taken. */
    public function stopped(): bool
    {
        return in_array($this, [self::Refused, self::GivenUp, self::Stopped], true);
    }
}
