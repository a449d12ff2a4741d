<?php

/**
 * Who may see and do what.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Secrets are for who manages the site; deliveries also for who manages the shop.
 */
final class Access
{
    public const SETTINGS = 'manage_options';

    /** Return the capability asked of the current user: a shop manager's where they have it. */
    public static function deliveries(): string
    {
        return current_user_can('manage_woocommerce') ? 'manage_woocommerce' : 'manage_options';
    }
}
