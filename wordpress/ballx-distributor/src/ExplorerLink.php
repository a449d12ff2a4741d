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
    /** Return the link as HTML, '' while there is no transaction. */
    public static function html(Delivery $delivery, Settings $settings): string
    {
        if ($delivery->txHash === '') {
            return '';
        }
        $short = esc_html(substr($delivery->txHash, 0, 10) . '…');
        $explorer = rtrim($settings->text('ballx_explorer_url'), '/');
        return $explorer === '' ? '<code title="' . esc_attr($delivery->txHash) . '">' . $short . '</code>'
            : '<a href="' . esc_url($explorer . '/tx/' . $delivery->txHash) . '">' . $short . '</a>';
    }
}
