<?php

/**
 * What can be done with deliveries, one by one or many at once.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * One form holds the whole list; the capability and the nonce are checked before anything is read.
 */
final class ListActions
{
    public const ACTION = 'ballx_list';

    public const PLURAL = 'deliveries';

    /** WP_List_Table puts this nonce above its table, by the table's plural; that class is not loaded here. */
    private const NONCE = 'bulk-' . self::PLURAL;

    public function __construct(
        private readonly Deliveries $deliveries,
        private readonly Distribution $distribution,
        private readonly Courier $courier,
        private readonly Settings $settings,
    ) {
    }

    public function listen(): void
    {
        add_action('admin_post_' . self::ACTION, $this->run(...));
    }

    /** @return array<string, string> */
    public static function labels(): array
    {
        return [
            'send_again' => __('Send again', 'ballx-distributor'),
            'stop' => __('Stop', 'ballx-distributor'),
            'ask' => __('Ask now', 'ballx-distributor'),
            'seen' => __('Mark as seen', 'ballx-distributor'),
        ];
    }

    /** Tell whether $job makes sense for $delivery as it is. */
    public static function fits(string $job, Delivery $delivery): bool
    {
        return match ($job) {
            'send_again' => ($delivery->state->stopped() || $delivery->waitsOnPurpose()) && !$delivery->erased(),
            'stop' => $delivery->state === State::Waiting,
            'ask' => $delivery->open(),
            'seen' => $delivery->needsLook,
            default => false,
        };
    }

    private function run(): void
    {
        if (!current_user_can(Access::deliveries())) {
            wp_die(esc_html__('You are not allowed to do this.', 'ballx-distributor'), '', ['response' => 403]);
        }
        check_admin_referer(self::NONCE);
        [$job, $ids] = self::chosen();
        $deliveries = array_filter(array_map($this->deliveries->byId(...), $ids));
        $done = array_filter($deliveries, fn (Delivery $one): bool => self::fits($job, $one) && $this->do($job, $one));
        $numbers = ['ballx_yes' => count($done), 'ballx_no' => count($ids) - count($done)];
        wp_safe_redirect(add_query_arg($job === '' ? [] : $numbers, wp_get_referer() ?: DeliveriesPage::address()));
        exit;
    }

    /** @return array{string, list<int>} the job and its deliveries: a line's own, or the ticked ones */
    private static function chosen(): array
    {
        // phpcs:disable WordPress.Security.NonceVerification.Missing -- run() has checked it
        $text = fn (string $name): string
            => isset($_POST[$name]) && is_string($_POST[$name]) ? sanitize_text_field(wp_unslash($_POST[$name])) : '';
        if ($text('ballx_one') !== '') {
            [$job, $id] = array_pad(explode(':', $text('ballx_one'), 2), 2, '');
            return [$job, [absint($id)]];
        }
        $ids = isset($_POST['ids']) && is_array($_POST['ids']) ? array_map('absint', wp_unslash($_POST['ids'])) : [];
        // phpcs:enable
        return [$text('ballx_bulk'), array_values(array_unique($ids))];
    }

    private function do(string $job, Delivery $delivery): bool
    {
        return match ($job) {
            'send_again' => $this->sendAgain($delivery),
            'stop' => $this->courier->stop($delivery, new InvalidOrder('stopped_by_person')),
            'ask' => $this->settings->obstacle() === '' && $this->courier->askNow($delivery),
            default => $this->deliveries->update($delivery, ['needs_look' => 0]),
        };
    }

    private function sendAgain(Delivery $delivery): bool
    {
        // A shop's own orders are read anew: what made them wrong may have been corrected.
        if ($delivery->state === State::Waiting || !apply_filters('ballx_resubmitted', false, $delivery)) {
            $this->distribution->sendAgain($delivery);
        }
        return $this->deliveries->byId($delivery->id)?->state === State::Waiting;
    }
}
