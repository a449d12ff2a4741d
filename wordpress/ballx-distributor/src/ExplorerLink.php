<?php

/**
 * A link to a transaction.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Where anybody can see that the tokens moved.
 */
final class ExplorerLink
{
    /** Return the transaction's address at the block explorer, '' where there is no transaction or no explorer. */
    public static function address(Delivery $delivery, Settings $settings = new Settings()): string
    {
        $explorer = rtrim($settings->text('ballx_explorer_url'), '/');
        return $delivery->txHash === '' || $explorer === '' ? '' : $explorer . '/tx/' . $delivery->txHash;
    }

    /** Return the link as HTML, '' while there is no transaction. */
    public static function html(Delivery $delivery, Settings $settings): string
    {
        if ($delivery->txHash === '') {
            return '';
        }
        $short = esc_html(substr($delivery->txHash, 0, 10) . '…');
        $address = self::address($delivery, $settings);
        return $address === '' ? '<code title="' . esc_attr($delivery->txHash) . '">' . $short . '</code>'
            : '<a href="' . esc_url($address) . '">' . $short . '</a>';
    }
}
