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
 * Action Scheduler comes with WooCommerce; without it WP-Cron. The sweep repairs within a minute what is lost:
 *
 * 1. WP-Cron keeps all events in one option. A cron run reads it. 2. A page stores an order and adds a wake-up.
 * 3. The cron run writes back what it read, with its own event done: the wake-up is gone.
 */
final class Scheduler
{
    public const WORK = 'ballx_work';
    public const SWEEP = 'ballx_sweep';
    private const GROUP = 'ballx-distributor';
    private const EACH_MINUTE = 'ballx_minute';

    public function wakeAt(int $time): void
    {
        // The time is an argument because WP-Cron drops an event that equals another within ten minutes.
        if (!function_exists('as_schedule_single_action')) {
            wp_schedule_single_event($time, self::WORK, [$time]);
        } elseif (!as_next_scheduled_action(self::WORK, [$time], self::GROUP)) {
            as_schedule_single_action($time, self::WORK, [$time], self::GROUP);
        }
    }

    public function sweepEachMinute(): void
    {
        if (!wp_next_scheduled(self::SWEEP)) {
            wp_schedule_event(time(), self::EACH_MINUTE, self::SWEEP);
        }
    }

    /**
     * Tell WP-Cron of an interval that it does not have.
     *
     * @param array<string, array{interval: int, display: string}> $schedules
     * @return array<string, array{interval: int, display: string}>
     */
    public static function withMinute(array $schedules): array
    {
        return $schedules + [self::EACH_MINUTE => ['interval' => MINUTE_IN_SECONDS, 'display' => 'BALLX']];
    }

    public static function stop(): void
    {
        wp_unschedule_hook(self::WORK);
        wp_unschedule_hook(self::SWEEP);
        if (function_exists('as_unschedule_all_actions')) {
            // By the hook alone: with a group, Action Scheduler (WooCommerce 10.0) takes [] for "no arguments".
            as_unschedule_all_actions(self::WORK);
        }
    }

    /**
     * Delete also what Action Scheduler keeps of wake-ups that ran or were called off.
     *
     * Its own tables, because its functions call off and never delete (WooCommerce 10.0); they may outlive it.
     */
    public static function forget(): void
    {
        global $wpdb;
        $own = [
            'actionscheduler_actions' => ['hook' => self::WORK],
            'actionscheduler_groups' => ['slug' => self::GROUP],
        ];
        foreach ($own as $name => $where) {
            $table = $wpdb->prefix . $name;
            if ($wpdb->get_var($wpdb->prepare('SHOW TABLES LIKE %s', $wpdb->esc_like($table))) === $table) {
                $wpdb->delete($table, $where);
            }
        }
    }
}
