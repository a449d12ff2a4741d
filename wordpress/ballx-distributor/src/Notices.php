<?php

/**
 * What the shop's owner is told on the pages of the administration.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A notice stays until what it tells of is put right or marked as seen.
 */
final class Notices
{
    private const SHOWN = 3;

    public function __construct(
        private readonly Deliveries $deliveries,
        private readonly Settings $settings,
        private readonly Problems $problems,
        private readonly Trial $trial,
    ) {
    }

    public function show(): void
    {
        if (current_user_can(Access::SETTINGS)) {
            $this->showTest();
            $this->showObstacle();
        }
        if (current_user_can(Access::deliveries())) {
            array_map($this->showDelivery(...), $this->deliveries->needingLook(self::SHOWN));
            $this->showProblems();
        }
    }

    private function showTest(): void
    {
        foreach ($this->trial->take(get_current_user_id()) as [$kind, $sentence]) {
            self::open($kind);
            echo esc_html($sentence), '</p></div>';
        }
    }

    private function showObstacle(): void
    {
        $obstacle = $this->settings->obstacle();
        if ($obstacle === '') {
            return;
        }
        self::open($obstacle === 'copied_shop' ? 'error' : 'warning');
        echo esc_html(Sentences::setting($obstacle)), ' <a href="',
            esc_url(admin_url('admin.php?page=' . SettingsPage::SLUG)), '">',
            esc_html__('Settings', 'ballx-distributor'), '</a> ';
        if ($obstacle === 'copied_shop') {
            Buttons::show(Actions::CONFIRM, __('This is the real shop', 'ballx-distributor'));
        }
        echo '</p></div>';
    }

    private function showDelivery(Delivery $delivery): void
    {
        self::open('error');
        /* translators: 1: order id, 2: where it stands, such as Refused */
        $headline = sprintf(__('Order %1$s: %2$s.', 'ballx-distributor'), $delivery->orderId, Sentences::standing($delivery));
        echo '<strong>', esc_html($headline), '</strong> ', esc_html(Sentences::trace($delivery)), ' <a href="',
            esc_url(admin_url('admin.php?page=' . DeliveriesPage::SLUG)), '">',
            esc_html__('Deliveries', 'ballx-distributor'), '</a> ';
        Buttons::show(Actions::SEEN, __('Mark as seen', 'ballx-distributor'), $delivery->id);
        echo '</p></div>';
    }

    private function showProblems(): void
    {
        $lines = $this->problems->all();
        if ($lines === []) {
            return;
        }
        self::open('error');
        echo '<strong>', esc_html__('These orders were not sent:', 'ballx-distributor'), '</strong><br>';
        foreach ($lines as $line) {
            echo esc_html($line), '<br>';
        }
        Buttons::show(Actions::FORGET, __('Mark as seen', 'ballx-distributor'));
        echo '</p></div>';
    }

    private static function open(string $kind): void
    {
        echo '<div class="notice notice-', esc_attr($kind), '"><p><strong>BALLX</strong> ';
    }
}
