<?php

/**
 * The page with the deliveries.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Every order that was sent, and what became of it.
 */
final class DeliveriesPage
{
    public const SLUG = 'ballx-deliveries';

    public function __construct(private readonly Deliveries $deliveries, private readonly Settings $settings)
    {
    }

    public function show(): void
    {
        if (!current_user_can(Access::deliveries())) {
            wp_die(esc_html__('You are not allowed to see this page.', 'ballx-distributor'), '', ['response' => 403]);
        }
        require_once ABSPATH . 'wp-admin/includes/class-wp-list-table.php';
        $table = new DeliveriesTable($this->deliveries, $this->settings);
        $table->prepare_items();
        echo '<div class="wrap"><h1>', esc_html__('BALLX deliveries', 'ballx-distributor'), '</h1>';
        $table->display();
        echo '</div>';
    }
}
