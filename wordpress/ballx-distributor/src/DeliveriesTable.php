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

    public function __construct(private readonly Deliveries $deliveries, private readonly Settings $settings)
    {
        parent::__construct(['singular' => 'delivery', 'plural' => 'deliveries', 'ajax' => false]);
    }

    /** @return array<string, string> */
    public function get_columns(): array
    {
        return [
            'order' => __('Order', 'ballx-distributor'),
            'wallet' => __('Wallet', 'ballx-distributor'),
            'amount' => __('Amount', 'ballx-distributor'),
            'standing' => __('Status', 'ballx-distributor'),
            'transaction' => __('Transaction', 'ballx-distributor'),
            'time' => __('Last change', 'ballx-distributor'),
            'buttons' => '',
        ];
    }

    public function prepare_items(): void
    {
        $this->_column_headers = [$this->get_columns(), [], [], 'order'];
        $this->items = $this->deliveries->page($this->get_pagenum(), self::PER_PAGE);
        $this->set_pagination_args(['total_items' => $this->deliveries->count(), 'per_page' => self::PER_PAGE]);
    }

    public function no_items(): void
    {
        esc_html_e('No order was sent yet.', 'ballx-distributor');
    }

    /**
     * @param Delivery $item
     * @param string $column_name
     */
    protected function column_default($item, $column_name): string
    {
        return match ($column_name) {
            'order' => esc_html($item->orderId),
            'wallet' => '<code>' . esc_html($item->wallet) . '</code>',
            'amount' => esc_html($item->amount),
            'time' => esc_html((string) wp_date('Y-m-d H:i:s', $item->updatedAt)),
            default => '',
        };
    }

    /** @param Delivery $item */
    protected function column_standing($item): string
    {
        $waits = $item->state === State::Waiting && $item->attempts > 0 && $item->dueAt !== null;
        /* translators: 1: how often it was sent, 2: time of day of the next attempt */
        $next = __('%1$d attempts, next at %2$s', 'ballx-distributor');
        $when = $waits ? sprintf($next, $item->attempts, wp_date('Y-m-d H:i:s', $item->dueAt)) : '';
        return '<strong>' . esc_html(Sentences::standing($item)) . '</strong> ' . esc_html($when)
            . '<br><small>' . esc_html(Sentences::trace($item)) . '</small>';
    }

    /** @param Delivery $item */
    protected function column_transaction($item): string
    {
        return ExplorerLink::html($item, $this->settings);
    }

    /** @param Delivery $item */
    protected function column_buttons($item): string
    {
        ob_start();
        if ($item->state->stopped()) {
            Buttons::show(Actions::SEND_AGAIN, __('Send again', 'ballx-distributor'), $item->id);
        }
        if ($item->open()) {
            Buttons::show(Actions::ASK, __('Ask now', 'ballx-distributor'), $item->id);
        }
        return (string) ob_get_clean();
    }
}
