<?php

/**
 * Buttons that do something.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A button is a form with a nonce: following a link never changes anything.
 */
final class Buttons
{
    public static function show(string $action, string $label, int $id = 0): void
    {
        echo '<form method="post" style="display:inline-block;margin:0 0 8px" action="',
            esc_url(admin_url('admin-post.php')), '">',
            '<input type="hidden" name="action" value="', esc_attr($action), '">',
            '<input type="hidden" name="id" value="', esc_attr((string) $id), '">';
        wp_nonce_field(self::nonce($action, $id), '_wpnonce', true);
        echo '<button type="submit" class="button button-small">', esc_html($label), '</button></form> ';
    }

    public static function nonce(string $action, int $id): string
    {
        return $id > 0 ? $action . '_' . $id : $action;
    }
}
