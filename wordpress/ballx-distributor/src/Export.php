<?php

/**
 * The list of deliveries as a file.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * CSV as RFC 4180 has it, in UTF-8 with the mark that lets a spreadsheet see that it is.
 */
final class Export
{
    private const ACTION = 'ballx_export';
    private const BATCH = 500;
    private const COLUMNS = [
        'order_id', 'state', 'status', 'amount', 'wallet', 'transaction_hash', 'created_at', 'updated_at',
        'http_status', 'error_code', 'request_id', 'what_to_do',
    ];

    public function __construct(private readonly Listing $listing)
    {
    }

    public function listen(): void
    {
        add_action('admin_post_' . self::ACTION, $this->send(...));
    }

    /** @param array<string, string> $asked view and search of the list */
    public static function address(array $asked): string
    {
        $address = admin_url('admin-post.php?action=' . self::ACTION);
        return wp_nonce_url(add_query_arg(array_map(rawurlencode(...), $asked), $address), self::ACTION);
    }

    private function send(): void
    {
        if (!current_user_can(Access::deliveries())) {
            wp_die(esc_html__('You are not allowed to do this.', 'ballx-distributor'), '', ['response' => 403]);
        }
        check_admin_referer(self::ACTION);
        nocache_headers();
        header('Content-Type: text/csv; charset=utf-8');
        header('Content-Disposition: attachment; filename="ballx-' . gmdate('Y-m-d') . '.csv"');
        $this->write(DeliveriesPage::asked());
        exit;
    }

    /** @param array{ballx_view: string, s: string} $asked */
    private function write(array $asked): void
    {
        echo "\u{FEFF}";
        $file = new \SplFileObject('php://output', 'wb');
        $file->fputcsv(self::COLUMNS, ',', '"', '');
        for ($page = 1; $rows = $this->listing->page($asked['ballx_view'], $asked['s'], $page, self::BATCH); $page++) {
            foreach ($rows as $delivery) {
                $file->fputcsv(array_map(self::cell(...), self::line($delivery)), ',', '"', '');
            }
        }
    }

    /** @return list<string> in the order of COLUMNS; times in UTC */
    private static function line(Delivery $delivery): array
    {
        $utc = fn (int $time): string => gmdate('Y-m-d\TH:i:s\Z', $time);
        return [
            $delivery->orderId, $delivery->state->value, $delivery->status, $delivery->amount, $delivery->wallet,
            $delivery->txHash, $utc($delivery->createdAt), $utc($delivery->updatedAt),
            (string) $delivery->httpStatus, $delivery->errorCode, $delivery->requestId, Remedies::of($delivery),
        ];
    }

    /**
     * Return $text as a spreadsheet shows it and never runs it.
     *
     * Source: https://owasp.org/www-community/attacks/CSV_Injection
     */
    private static function cell(string $text): string
    {
        return preg_match('/\A[=+\-@\t\r]/', $text) ? "'" . $text : $text;
    }
}
