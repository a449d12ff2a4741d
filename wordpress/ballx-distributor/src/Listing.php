<?php

/**
 * What the list of deliveries asks the database.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A view is a name and a condition of ours; what a person searches for is always a placeholder.
 */
final class Listing
{
    public const ALL = 'all';

    private const CONDITIONS = [
        self::ALL => '1 = 1',
        'look' => 'needs_look = 1',
        'waiting' => "state = 'waiting'",
        'underway' => "state = 'accepted' AND status NOT IN ('paid', 'cancelled')",
        'paid' => "state = 'accepted' AND status = 'paid'",
        'unpaid' => "(state IN ('refused', 'given_up', 'stopped') OR (state = 'accepted' AND status = 'cancelled'))",
    ];

    public function __construct(private readonly \wpdb $db)
    {
    }

    /** @return array<string, string> name and label of each view */
    public static function views(): array
    {
        return [
            self::ALL => __('All', 'ballx-distributor'),
            'look' => __('To look at', 'ballx-distributor'),
            'waiting' => __('Being sent', 'ballx-distributor'),
            'underway' => __('Under way', 'ballx-distributor'),
            'paid' => __('Paid', 'ballx-distributor'),
            'unpaid' => __('Not paid', 'ballx-distributor'),
        ];
    }

    /** Return $name when it is a view, else the view of all. */
    public static function view(string $name): string
    {
        return isset(self::CONDITIONS[$name]) ? $name : self::ALL;
    }

    /** @return list<Delivery> the latest first */
    public function page(string $view, string $search, int $number, int $size): array
    {
        [$where, $values] = self::where($view, $search);
        $table = Schema::table();
        $sql = "SELECT * FROM {$table} WHERE {$where} ORDER BY id DESC LIMIT %d OFFSET %d";
        $values = [...$values, $size, ($number - 1) * $size];
        $rows = $this->db->get_results($this->db->prepare($sql, ...$values), ARRAY_A);
        return array_map(Delivery::fromRow(...), $rows ?? []);
    }

    public function count(string $view, string $search): int
    {
        [$where, $values] = self::where($view, $search);
        $table = Schema::table();
        return (int) $this->db->get_var($this->db->prepare("SELECT COUNT(*) FROM {$table} WHERE {$where}", ...$values));
    }

    /** @return array<string, int> how many are in each view */
    public function counts(): array
    {
        $sums = array_map(
            fn (string $view): string => 'SUM(' . self::CONDITIONS[$view] . ") AS `{$view}`",
            array_keys(self::CONDITIONS)
        );
        $row = $this->db->get_row('SELECT ' . implode(', ', $sums) . ' FROM ' . Schema::table(), ARRAY_A);
        return array_map(intval(...), $row ?? []);
    }

    /** @return array{string, list<string|int>} condition and its values */
    private static function where(string $view, string $search): array
    {
        $condition = self::CONDITIONS[self::view($view)];
        $part = '%' . $GLOBALS['wpdb']->esc_like($search) . '%';
        // The id is ASCII in the database; a search with ç must find nothing instead of failing.
        $search = $search === '' ? 'LENGTH(%s) > 0'
            : '(CONVERT(order_id USING utf8mb4) LIKE %s OR wallet LIKE %s OR tx_hash LIKE %s OR email LIKE %s)';
        return ["{$condition} AND {$search}", array_fill(0, substr_count($search, '%s'), $part)];
    }
}
