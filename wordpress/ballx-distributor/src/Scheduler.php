<?php

/**
 * Waking up at a time.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A wake-up carries no order: it says "look what is due". Losing one costs time, a second one costs a look.
 *
 * Action Scheduler comes with WooCommerce; without it WP-Cron. The hourly sweep repairs what either loses.
 */
final class Scheduler
{
    public const WORK = 'ballx_work';
    public const SWEEP = 'ballx_sweep';
    private const GROUP = 'ballx-distributor';

    public function wakeAt(int $time): void
    {
        // The time is an argument because WP-Cron drops an event that equals another within ten minutes.
        if (!function_exists('as_schedule_single_action')) {
            wp_schedule_single_event($time, self::WORK, [$time]);
        } elseif (!as_next_scheduled_action(self::WORK, [$time], self::GROUP)) {
            as_schedule_single_action($time, self::WORK, [$time], self::GROUP);
        }
    }

    public function sweepHourly(): void
    {
        if (!wp_next_scheduled(self::SWEEP)) {
            wp_schedule_event(time(), 'hourly', self::SWEEP);
        }
    }

    public static function stop(): void
    {
        wp_unschedule_hook(self::WORK);
        wp_unschedule_hook(self::SWEEP);
        if (function_exists('as_unschedule_all_actions')) {
            as_unschedule_all_actions(self::WORK, [], self::GROUP);
        }
    }
}
