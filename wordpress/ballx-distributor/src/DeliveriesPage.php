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

    /** One line for each delivery; what there is more to say opens below. */
    private const STYLE = '.ballx-list td,.ballx-list th{vertical-align:middle}'
        . '.ballx-list .column-order{width:9%}.ballx-list .column-standing{width:35%}'
        . '.ballx-list .column-amount,.ballx-list .column-wallet{width:11%}'
        . '.ballx-list .column-transaction,.ballx-list .column-time{width:11%}'
        . '.ballx-list .column-buttons{width:12%}'
        . '.ballx-list td.column-amount,.ballx-list td.column-order,.ballx-list summary'
        . '{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}'
        . '.ballx-list summary{cursor:pointer}.ballx-list details p{margin:.3em 0}';

    public function __construct(private readonly Listing $listing, private readonly Settings $settings)
    {
    }

    /** @param array<string, string> $more view (ballx_view) and search (s) */
    public static function address(array $more = []): string
    {
        $more = array_filter($more, fn (string $text): bool => $text !== '');
        return add_query_arg(array_map(rawurlencode(...), ['page' => self::SLUG] + $more), admin_url('admin.php'));
    }

    public function show(): void
    {
        if (!current_user_can(Access::deliveries())) {
            wp_die(esc_html__('You are not allowed to see this page.', 'ballx-distributor'), '', ['response' => 403]);
        }
        require_once ABSPATH . 'wp-admin/includes/class-wp-list-table.php';
        $asked = self::asked();
        $table = new DeliveriesTable($this->listing, $this->settings, $asked);
        $table->prepare_items();
        echo '<style>', esc_html(self::STYLE), '</style><div class="wrap ballx-list"><h1 class="wp-heading-inline">',
            esc_html__('BALLX deliveries', 'ballx-distributor'), '</h1> <a class="page-title-action" href="',
            esc_url(Export::address($asked)), '">', esc_html__('Export as CSV', 'ballx-distributor'),
            '</a><hr class="wp-header-end">';
        self::showDone();
        $table->views();
        self::showSearch($table, $asked);
        echo '<form method="post" action="', esc_url(admin_url('admin-post.php')), '">',
            '<input type="hidden" name="action" value="', esc_attr(ListActions::ACTION), '">';
        $table->display();
        echo '</form></div>';
    }

    /** @return array{ballx_view: string, s: string} which view and search the address asks for */
    public static function asked(): array
    {
        // phpcs:disable WordPress.Security.NonceVerification.Recommended -- it changes nothing
        $text = fn (string $name): string
            => isset($_GET[$name]) && is_string($_GET[$name]) ? sanitize_text_field(wp_unslash($_GET[$name])) : '';
        // phpcs:enable
        return ['ballx_view' => Listing::view($text('ballx_view')), 's' => $text('s')];
    }

    /** @param array{ballx_view: string, s: string} $asked */
    private static function showSearch(DeliveriesTable $table, array $asked): void
    {
        echo '<form method="get"><input type="hidden" name="page" value="', esc_attr(self::SLUG), '">',
            '<input type="hidden" name="ballx_view" value="', esc_attr($asked['ballx_view']), '">';
        $table->search_box(__('Search deliveries', 'ballx-distributor'), 'ballx');
        echo '</form>';
    }

    /** What the button or the bulk action did; the numbers come from the address and are only numbers. */
    private static function showDone(): void
    {
        // phpcs:disable WordPress.Security.NonceVerification.Recommended -- it changes nothing
        if (!isset($_GET['ballx_yes'], $_GET['ballx_no'])) {
            return;
        }
        [$yes, $no] = [absint($_GET['ballx_yes']), absint($_GET['ballx_no'])];
        // phpcs:enable
        /* translators: %d: number of deliveries */
        $sentence = sprintf(__('Done for %d deliveries.', 'ballx-distributor'), $yes);
        if ($no > 0) {
            /* translators: %d: number of deliveries */
            $left = __('%d were left as they are: they are not in a state for it, or their customer\'s data was erased.', 'ballx-distributor');
            $sentence .= ' ' . sprintf($left, $no);
        }
        echo '<div class="notice notice-', esc_attr($no > 0 ? 'warning' : 'success'), ' is-dismissible"><p>',
            esc_html($sentence), '</p></div>';
    }
}
