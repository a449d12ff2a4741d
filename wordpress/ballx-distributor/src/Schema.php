<?php

/**
 * The table of deliveries.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Made and changed by WordPress' own dbDelta, once for each version.
 */
final class Schema
{
    private const VERSION = '5';
    private const OPTION = 'ballx_schema';

    public static function table(): string
    {
        return $GLOBALS['wpdb']->prefix . 'ballx_deliveries';
    }

    public static function current(): bool
    {
        return get_option(self::OPTION) === self::VERSION;
    }

    /** Make the table where it is missing, bring it up to date where it is old. */
    public static function make(): void
    {
        require_once ABSPATH . 'wp-admin/includes/upgrade.php';
        dbDelta(self::sql($GLOBALS['wpdb']->get_charset_collate()));
        // dbDelta leaves the charset of a column that is there already.
        $GLOBALS['wpdb']->query('ALTER TABLE ' . self::table() . ' MODIFY ' . self::orderId());
        self::askAboutThoseOfBefore();
        self::markThoseOfBefore();
        update_option(self::OPTION, self::VERSION);
    }

    /** Versions before asked only with a function key: without one, what was accepted was never asked about. */
    private static function askAboutThoseOfBefore(): void
    {
        $never = "state = 'accepted' AND asks = 0 AND due_at IS NULL AND status NOT IN ('paid', 'cancelled')";
        $GLOBALS['wpdb']->query('UPDATE ' . self::table() . " SET due_at = UNIX_TIMESTAMP() WHERE {$never}");
    }

    /** Versions before ended the questions without a word: it stayed "Accepted", and nobody looked. */
    private static function markThoseOfBefore(): void
    {
        $silent = "state = 'accepted' AND due_at IS NULL AND status NOT IN ('paid', 'cancelled')";
        $GLOBALS['wpdb']->query('UPDATE ' . self::table() . " SET needs_look = 1 WHERE {$silent}");
    }

    public static function drop(): void
    {
        $GLOBALS['wpdb']->query('DROP TABLE IF EXISTS ' . self::table());
        delete_option(self::OPTION);
    }

    /**
     * The order id: binary, because A1 and a1 are two orders, and in the charset of the table.
     *
     * 1. It was ASCII. 2. A table of two charsets counts as ASCII for wpdb (seen in WordPress 6.1 and 6.8), which
     * refuses each query with a letter outside it. 3. In a Portuguese shop no sentence could be stored and
     * no order stopped.
     */
    private static function orderId(): string
    {
        $charset = $GLOBALS['wpdb']->charset ?: 'utf8mb4';
        return "order_id varchar(64) CHARACTER SET {$charset} COLLATE {$charset}_bin NOT NULL";
    }

    /**
     * One row per order, and the database says so: UNIQUE.
     *
     * The layout is dbDelta's: https://developer.wordpress.org/reference/functions/dbdelta/
     */
    private static function sql(string $charset): string
    {
        $table = self::table();
        $orderId = self::orderId();
        $asksMax = RetrySchedule::ASKS_MAX;
        return "CREATE TABLE {$table} (
            id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
            {$orderId},
            wc_order bigint(20) unsigned NOT NULL DEFAULT 0,
            user_id bigint(20) unsigned NOT NULL DEFAULT 0,
            email varchar(254) NOT NULL DEFAULT '',
            wallet varchar(42) NOT NULL DEFAULT '',
            amount varchar(100) NOT NULL DEFAULT '',
            body longtext NOT NULL,
            fingerprint varchar(64) NOT NULL DEFAULT '',
            state varchar(16) NOT NULL,
            attempts int(10) unsigned NOT NULL DEFAULT 0,
            asks int(10) unsigned NOT NULL DEFAULT 0,
            asks_max int(10) unsigned NOT NULL DEFAULT {$asksMax},
            call_back_seq bigint(20) unsigned NOT NULL DEFAULT 0,
            due_at bigint(20) unsigned DEFAULT NULL,
            http_status smallint(5) unsigned NOT NULL DEFAULT 0,
            error_code varchar(64) NOT NULL DEFAULT '',
            request_id varchar(64) NOT NULL DEFAULT '',
            detail text NOT NULL,
            status varchar(16) NOT NULL DEFAULT '',
            tx_hash varchar(66) NOT NULL DEFAULT '',
            changed tinyint(1) NOT NULL DEFAULT 0,
            needs_look tinyint(1) NOT NULL DEFAULT 0,
            created_at bigint(20) unsigned NOT NULL,
            updated_at bigint(20) unsigned NOT NULL,
            mailed_at bigint(20) unsigned DEFAULT NULL,
            PRIMARY KEY  (id),
            UNIQUE KEY order_id (order_id),
            KEY wc_order (wc_order),
            KEY due_at (due_at),
            KEY needs_look (needs_look),
            KEY email (email(100)),
            KEY user_id (user_id)
        ) {$charset};";
    }
}
