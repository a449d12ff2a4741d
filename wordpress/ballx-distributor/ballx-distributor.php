<?php

/**
 * Plugin Name:       BALLX Distributor
 * Description:       Sends signed orders to a BALLX distributor, which pays them in tokens on Polygon exactly once.
 * Version:           0.1.0
 * Author:            BALLX
 * Requires at least: 6.1
 * Requires PHP:      8.1
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       ballx-distributor
 * Domain Path:       /languages
 *
 * WC requires at least: 7.1
 */

declare(strict_types=1);

defined('ABSPATH') || exit;

define('BALLX_VERSION', '0.1.0');

require_once __DIR__ . '/src/autoload.php';

/**
 * Send tokens to a wallet, once for each order id.
 *
 * The order is stored before this returns and sent in the background, again and again until the distributor
 * has taken it. Calling it twice with the same arguments sends once.
 *
 * @param array<string, mixed> $args order_id: 1 to 64 of A-Z a-z 0-9 . _ -, or an integer; the same id is the same
 *     order, for ever. wallet: 0x and 40 hex digits. amount: tokens as a text, "10.5", or an integer; never a float.
 *     Optional: tipo, reason (texts of the distributor), user_id, email (whose data it is, for export and erasure).
 * @return string|WP_Error the order id, or what is wrong
 */
function ballx_distribute(array $args): string|WP_Error
{
    return Ballx\Distributor\Plugin::running()->entrance->distribute($args);
}

if (PHP_INT_SIZE < 8) {
    add_action('admin_notices', static function (): void {
        echo '<div class="notice notice-error"><p>',
            esc_html__('BALLX Distributor needs a 64-bit PHP and does nothing on this server.', 'ballx-distributor'),
            '</p></div>';
    });
    return;
}

Ballx\Distributor\Plugin::start(__FILE__);
