<?php

/**
 * What the buttons do.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Each is a POST to admin-post.php; the capability and the nonce are checked before anything is read.
 */
final class Actions
{
    public const SEEN = 'ballx_seen';
    public const FORGET = 'ballx_forget_problems';
    public const TEST = 'ballx_test';
    public const CONFIRM = 'ballx_confirm_site';
    public const HIDE = 'ballx_hide';

    public function __construct(
        private readonly Deliveries $deliveries,
        private readonly Settings $settings,
        private readonly Trial $trial,
        private readonly Scheduler $scheduler,
        private readonly Notices $notices,
    ) {
    }

    public function listen(): void
    {
        $this->on(self::SEEN, Access::deliveries(...), $this->seen(...));
        $this->on(self::FORGET, Access::deliveries(...), Problems::forget(...));
        $this->on(self::TEST, self::owner(...), $this->test(...));
        $this->on(self::CONFIRM, self::owner(...), $this->confirm(...));
        $this->on(self::HIDE, self::owner(...), $this->hide(...));
    }

    private static function owner(): string
    {
        return Access::SETTINGS;
    }

    /**
     * @param callable(): string $capability asked late: WooCommerce loads after us
     * @param callable(int): void $job
     */
    private function on(string $action, callable $capability, callable $job): void
    {
        add_action('admin_post_' . $action, function () use ($action, $capability, $job): void {
            if (!current_user_can($capability())) {
                wp_die(esc_html__('You are not allowed to do this.', 'ballx-distributor'), '', ['response' => 403]);
            }
            // phpcs:ignore WordPress.Security.NonceVerification.Missing -- a part of the nonce that is checked next
            $id = isset($_POST['id']) ? absint($_POST['id']) : 0;
            check_admin_referer(Buttons::nonce($action, $id));
            $job($id);
            wp_safe_redirect(wp_get_referer() ?: admin_url('admin.php?page=' . DeliveriesPage::SLUG));
            exit;
        });
    }

    private function seen(int $id): void
    {
        $delivery = $this->deliveries->byId($id);
        if ($delivery !== null) {
            $this->deliveries->update($delivery, ['needs_look' => 0]);
        }
    }

    private function test(): void
    {
        $this->trial->run(get_current_user_id());
    }

    private function hide(): void
    {
        $this->notices->hideObstacle();
    }

    private function confirm(): void
    {
        $this->settings->confirmHome();
        $this->scheduler->wakeAt(time());
    }
}
