<?php

/**
 * What a setting may be.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Each rule returns the code of what is wrong, '' when nothing is; Sentences has the words.
 */
final class SettingRules
{
    /** Statuses in which nothing is owed, as WooCommerce and WordPress name them: with one of these nothing is sent. */
    public const NOTHING_OWED = ['cancelled', 'refunded', 'failed', 'trash', 'auto-draft', 'checkout-draft'];

    private const SECRET_BYTES_MIN = 16;

    /** The webhook: https, because orders name wallets; plain http only where WordPress itself is a trial. */
    public static function url(string $url): string
    {
        $scheme = wp_parse_url($url, PHP_URL_SCHEME);
        $trial = in_array(wp_get_environment_type(), ['local', 'development'], true);
        return match (true) {
            $url === '' => '',
            $scheme !== 'https' && !($scheme === 'http' && $trial) => 'url_not_https',
            !str_ends_with($url, '/webhook') => 'url_not_webhook',
            default => '',
        };
    }

    /**
     * The webhook as it is entered: also one that WordPress sends to.
     *
     * Not asked later: it looks the name up, and a name server that is down for a minute is no wrong setting.
     */
    public static function newUrl(string $url): string
    {
        $problem = self::url($url);
        return $problem === '' && $url !== '' && !wp_http_validate_url($url) ? 'url_refused' : $problem;
    }

    public static function secret(string $secret): string
    {
        return match (true) {
            $secret === '' => '',
            strlen($secret) < self::SECRET_BYTES_MIN => 'secret_short',
            // Also what nobody sees: a mark or a blank of another kind came along when the secret was copied.
            (bool) preg_match('/[^\P{C}]|[^\P{Z} ]|[\x{034F}\x{115F}\x{1160}\x{2800}\x{3164}\x{FFA0}]/u', $secret),
            preg_match('//u', $secret) !== 1 => 'secret_unprintable',
            (bool) preg_match('/\A(?:"[^"]*"|\'[^\']*\'|`[^`]*`|“.*”|‘.*’)\z/us', $secret) => 'secret_quoted',
            default => '',
        };
    }

    public static function rate(string $rate): string
    {
        try {
            return $rate === '' || !Decimal::isZero(Decimal::parse($rate)) ? '' : 'bad_rate';
        } catch (InvalidOrder) {
            return 'bad_rate';
        }
    }

    /** The prefix begins an order's id; 64 characters are all an id has. */
    public static function prefix(string $prefix): string
    {
        return preg_match('/\A(?:[A-Za-z0-9][A-Za-z0-9._-]{0,19})?\z/', $prefix) ? '' : 'bad_prefix';
    }

    /** Statuses of the shop's own list, separated by commas; without WooCommerce nobody knows the list. */
    public static function statuses(string $text): string
    {
        $known = function_exists('wc_get_order_statuses') ? array_keys(wc_get_order_statuses()) : null;
        $chosen = self::statusList($text);
        $strange = fn (string $status): bool => in_array($status, self::NOTHING_OWED, true)
            || ($known !== null && !in_array('wc-' . $status, $known, true));
        return $chosen === [] || array_filter($chosen, $strange) !== [] ? 'bad_status' : '';
    }

    /** @return list<string> as hooks name them: lower case, without wc- */
    public static function statusList(string $text): array
    {
        $clean = fn (string $status): string => (string) preg_replace('/\Awc-/', '', strtolower(trim($status)));
        $list = array_map($clean, explode(',', $text));
        return array_values(preg_grep('/\A[a-z0-9_-]{1,40}\z/', $list) ?: []);
    }

    public static function level(string $level): string
    {
        return in_array($level, ['parent', 'sub'], true) ? '' : 'bad_level';
    }

    /** A number of days, at most a year. */
    public static function days(string $days): string
    {
        return preg_match('/\A[0-9]{1,3}\z/', $days) && (int) $days <= 365 ? '' : 'bad_days';
    }

    public static function word(string $word): string
    {
        return preg_match('/\A[A-Za-z0-9_-]{0,64}\z/', $word) ? '' : 'bad_word';
    }

    public static function line(string $line): string
    {
        return mb_strlen($line) <= 64 ? '' : 'line_long';
    }

    public static function explorer(string $url): string
    {
        return $url === '' || wp_parse_url($url, PHP_URL_SCHEME) === 'https' ? '' : 'bad_explorer';
    }
}
