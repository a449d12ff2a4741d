<?php

/**
 * Orders that could not become deliveries.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Kept for the shop's owner until marked as seen; the latest few are enough to see what is wrong.
 */
final class Problems
{
    private const OPTION = 'ballx_problems';
    private const KEPT = 20;

    public function remember(string $orderId, string $sentence): void
    {
        $line = mb_substr(trim($orderId . ': ' . $sentence, ': '), 0, 300);
        $lines = array_values(array_diff($this->all(), [$line]));
        update_option(self::OPTION, array_slice([...$lines, $line], -self::KEPT), false);
    }

    /** @return list<string> */
    public function all(): array
    {
        $lines = get_option(self::OPTION, []);
        return is_array($lines) ? $lines : [];
    }

    public static function forget(): void
    {
        delete_option(self::OPTION);
    }
}
