<?php

/**
 * What the shop's owner is told on the pages of the administration.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A notice stays until what it tells of is put right, or until a person puts it away.
 */
final class Notices
{
    /** What each user has put away: the code of an obstacle and when, so that it comes back after a week. */
    public const HIDDEN_META = 'ballx_hidden';
    private const HIDDEN_S = 604800;
    private const SHOWN = 3;

    /** Orders that could be paid twice are no matter of taste. */
    private const STAYS = 'copied_shop';

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

    /** Put away what keeps orders from being sent, for a week and for this user alone. */
    public function hideObstacle(): void
    {
        $hidden = ['code' => $this->settings->obstacle(), 'at' => time()];
        update_user_meta(get_current_user_id(), self::HIDDEN_META, $hidden);
    }

    private function showTest(): void
    {
        foreach ($this->trial->take(get_current_user_id()) as [$kind, $sentence]) {
            self::open($kind, true);
            echo esc_html($sentence), '</p></div>';
        }
    }

    private function showObstacle(): void
    {
        $obstacle = $this->settings->obstacle();
        if ($obstacle === '' || $this->isHidden($obstacle)) {
            return;
        }
        self::open($obstacle === self::STAYS ? 'error' : 'warning');
        echo esc_html(Sentences::setting($obstacle)), ' <a href="', esc_url(SettingsPage::address()), '">',
            esc_html__('Settings', 'ballx-distributor'), '</a></p>';
        $obstacle === self::STAYS
            ? Buttons::show(Actions::CONFIRM, __('This is the real shop', 'ballx-distributor'))
            : Buttons::show(Actions::HIDE, __('Hide for a week', 'ballx-distributor'));
        echo '</div>';
    }

    private function isHidden(string $obstacle): bool
    {
        $hidden = get_user_meta(get_current_user_id(), self::HIDDEN_META, true);
        return $obstacle !== self::STAYS && is_array($hidden) && ($hidden['code'] ?? '') === $obstacle
            && (int) ($hidden['at'] ?? 0) > time() - self::HIDDEN_S;
    }

    private function showDelivery(Delivery $delivery): void
    {
        self::open('error');
        /* translators: 1: order id, 2: where it stands, such as Refused */
        $headline = sprintf(__('Order %1$s: %2$s.', 'ballx-distributor'), $delivery->orderId, Sentences::standing($delivery));
        echo '<strong>', esc_html($headline), '</strong> ', esc_html(Remedies::of($delivery)), ' <a href="',
            esc_url(DeliveriesPage::address(['s' => $delivery->orderId])), '">',
            esc_html__('Deliveries', 'ballx-distributor'), '</a><br><small>', esc_html(Sentences::trace($delivery)),
            '</small></p>';
        Buttons::show(Actions::SEEN, __('Mark as seen', 'ballx-distributor'), $delivery->id);
        echo '</div>';
    }

    private function showProblems(): void
    {
        $lines = $this->problems->all();
        if ($lines === []) {
            return;
        }
        self::open('error');
        echo '<strong>', esc_html__('Look at these orders:', 'ballx-distributor'), '</strong><br>';
        foreach ($lines as $line) {
            echo esc_html($line), '<br>';
        }
        echo '</p>';
        Buttons::show(Actions::FORGET, __('Mark as seen', 'ballx-distributor'));
        echo '</div>';
    }

    /** Begin a notice and its paragraph: a form has its place behind the paragraph, never in it. */
    private static function open(string $kind, bool $dismissible = false): void
    {
        echo '<div class="notice notice-', esc_attr($kind), esc_attr($dismissible ? ' is-dismissible' : ''),
            '"><p><strong>BALLX</strong> ';
    }
}
