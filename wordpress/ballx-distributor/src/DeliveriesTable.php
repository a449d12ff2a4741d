<?php

/**
 * The list of deliveries.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A table as WordPress draws them.
 *
 * Source: https://developer.wordpress.org/reference/classes/wp_list_table/
 */
final class DeliveriesTable extends \WP_List_Table
{
    private const PER_PAGE = 20;

    /** @param array{ballx_view: string, s: string} $asked */
    public function __construct(
        private readonly Listing $listing,
        private readonly Settings $settings,
        private readonly array $asked,
    ) {
        parent::__construct(['singular' => 'delivery', 'plural' => ListActions::PLURAL, 'ajax' => false]);
    }

    /** @return array<string, string> */
    public function get_columns(): array
    {
        return [
            'cb' => '<input type="checkbox">',
            'order' => __('Order', 'ballx-distributor'),
            'standing' => __('Status', 'ballx-distributor'),
            'amount' => __('Amount', 'ballx-distributor'),
            'wallet' => __('Wallet', 'ballx-distributor'),
            'transaction' => __('Transaction', 'ballx-distributor'),
            'time' => __('Last change', 'ballx-distributor'),
            'buttons' => '',
        ];
    }

    public function prepare_items(): void
    {
        ['ballx_view' => $view, 's' => $search] = $this->asked;
        $this->_column_headers = [$this->get_columns(), [], [], 'order'];
        $this->items = $this->listing->page($view, $search, $this->get_pagenum(), self::PER_PAGE);
        $total = $this->listing->count($view, $search);
        $this->set_pagination_args(['total_items' => $total, 'per_page' => self::PER_PAGE]);
    }

    public function no_items(): void
    {
        $filtered = $this->asked !== ['ballx_view' => Listing::ALL, 's' => ''];
        echo esc_html($filtered ? __('No delivery fits.', 'ballx-distributor') : __('No order was sent yet.', 'ballx-distributor'));
    }

    /** @return array<string, string> */
    protected function get_views(): array
    {
        $counts = $this->listing->counts();
        $links = [];
        foreach (Listing::views() as $view => $label) {
            $links[$view] = sprintf(
                '<a href="%s"%s>%s <span class="count">(%d)</span></a>',
                esc_url(DeliveriesPage::address(['ballx_view' => $view])),
                $view === $this->asked['ballx_view'] ? ' class="current" aria-current="page"' : '',
                esc_html($label),
                $counts[$view] ?? 0
            );
        }
        return $links;
    }

    /** A name of our own: "action" is what admin-post.php itself reads. Only above the table. */
    protected function bulk_actions($which = ''): void
    {
        if ($which !== 'top') {
            return;
        }
        echo '<label class="screen-reader-text" for="ballx_bulk">', esc_html__('Bulk actions', 'ballx-distributor'),
            '</label><select name="ballx_bulk" id="ballx_bulk"><option value="">',
            esc_html__('Bulk actions', 'ballx-distributor'), '</option>';
        foreach (ListActions::labels() as $job => $label) {
            echo '<option value="', esc_attr($job), '">', esc_html($label), '</option>';
        }
        echo '</select> <button type="submit" class="button action">', esc_html__('Apply', 'ballx-distributor'), '</button>';
    }

    /** @param Delivery $item */
    protected function column_cb($item): string
    {
        return sprintf(
            '<input type="checkbox" name="ids[]" value="%d" aria-label="%s">',
            $item->id,
            esc_attr($item->orderId)
        );
    }

    /**
     * @param Delivery $item
     * @param string $column_name
     */
    protected function column_default($item, $column_name): string
    {
        return match ($column_name) {
            'amount' => '<span title="' . esc_attr($item->amount) . '">' . esc_html($item->amount) . '</span>',
            'time' => esc_html((string) wp_date('Y-m-d H:i', $item->updatedAt)),
            'transaction' => ExplorerLink::html($item, $this->settings),
            default => '',
        };
    }

    /** @param Delivery $item */
    protected function column_order($item): string
    {
        $order = $item->wcOrder > 0 && function_exists('wc_get_order') ? wc_get_order($item->wcOrder) : false;
        $id = '<strong>' . esc_html($item->orderId) . '</strong>';
        $link = $order instanceof \WC_Order ? '<a href="' . esc_url($order->get_edit_order_url()) . '">' : '';
        return $link === '' ? $id : $link . $id . '</a>';
    }

    /** @param Delivery $item */
    protected function column_wallet($item): string
    {
        return '<code title="' . esc_attr($item->wallet) . '">' . esc_html(Wallet::short($item->wallet)) . '</code>';
    }

    /** @param Delivery $item */
    protected function column_standing($item): string
    {
        $mark = '<strong>' . ($item->needsLook ? '<span style="color:#b32d2e">' : '<span>')
            . esc_html(Sentences::standing($item)) . '</span></strong>';
        $remedy = Remedies::of($item);
        $more = implode(' · ', array_filter([$item->wallet, Sentences::trace($item)]));
        return '<details><summary title="' . esc_attr($remedy) . '">' . $mark . ' ' . esc_html($remedy)
            . '</summary><p>' . esc_html($remedy) . '</p><p><small>' . esc_html($more) . '</small></p></details>';
    }

    /** @param Delivery $item */
    protected function column_buttons($item): string
    {
        $labels = ListActions::labels();
        unset($labels['seen']);
        $fits = array_filter(array_keys($labels), fn (string $job): bool => ListActions::fits($job, $item));
        $buttons = array_map(fn (string $job): string => sprintf(
            '<button type="submit" class="button button-small" name="ballx_one" value="%s:%d">%s</button>',
            esc_attr($job),
            $item->id,
            esc_html($labels[$job])
        ), $fits);
        return implode(' ', $buttons);
    }
}
