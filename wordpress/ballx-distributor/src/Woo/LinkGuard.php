<?php

/**
 * How often one address may try a wrong link.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

defined('ABSPATH') || exit;

/**
 * A link has 160 bits that nobody guesses; this bounds what trying costs the shop. Counted are buckets of addresses, so
 * that no address is stored and the database does not grow with those who try.
 */
final class LinkGuard
{
    /** How the name of each counter begins. */
    public const PLACE = 'ballx_wrong_';
    public const WINDOW_S = 600;

    private const WRONG_MAX = 20;
    private const BUCKETS = 4096;
    private const IPV6_NETWORK_BYTES = 8;

    /** Tell whether this visitor's address tried too many wrong links in the last minutes. */
    public static function closed(): bool
    {
        return (int) get_transient(self::place()) >= self::WRONG_MAX;
    }

    public static function wrong(): void
    {
        set_transient(self::place(), (int) get_transient(self::place()) + 1, self::WINDOW_S);
    }

    /** Forget every counter. */
    public static function forget(): void
    {
        global $wpdb;
        $names = $wpdb->esc_like('_transient_') . '%' . $wpdb->esc_like(self::PLACE) . '%';
        $wpdb->query($wpdb->prepare("DELETE FROM {$wpdb->options} WHERE option_name LIKE %s", $names));
    }

    /** The peer's address, which nobody can forge; a shop behind a proxy says by the filter who came. */
    private static function place(): string
    {
        $peer = isset($_SERVER['REMOTE_ADDR']) ? sanitize_text_field(wp_unslash($_SERVER['REMOTE_ADDR'])) : '';
        $address = apply_filters('ballx_client_address', $peer);
        $bytes = filter_var($address, FILTER_VALIDATE_IP) ? (string) inet_pton($address) : '';
        $network = strlen($bytes) > 4 ? substr($bytes, 0, self::IPV6_NETWORK_BYTES) : $bytes;
        $number = hexdec(substr(hash_hmac('sha256', 'ballx-link|' . $network, wp_salt('nonce')), 0, 8));
        return self::PLACE . $number % self::BUCKETS;
    }
}
